package launch

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// cache holds what was read from files, until they change.
type cache struct {
	mu      sync.Mutex
	entries map[string]entry // by path
}

type entry struct {
	modified time.Time
	size     int64
	value    string
}

// get returns what read made of the file at path when it last changed. The lock is
// held meanwhile, so that a hundred instances ask once.
func (c *cache) get(path string, read func() (string, error)) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if e, ok := c.entries[path]; ok && e.modified.Equal(info.ModTime()) && e.size == info.Size() {
		return e.value, nil
	}
	value, err := read()
	if err != nil {
		return "", err
	}
	if c.entries == nil {
		c.entries = map[string]entry{}
	}
	c.entries[path] = entry{info.ModTime(), info.Size(), value}
	return value, nil
}

// packageVersion returns the version in the nearest package.json that has one,
// in dir or above; "" when there is none. It is for display: errors do not count.
func (r *Resolver) packageVersion(dir string) string {
	for {
		path := filepath.Join(dir, "package.json")
		version, err := r.packages.get(path, func() (string, error) { return readVersion(path) })
		if err == nil && version != "" {
			return version
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return ""
		}
		dir = parent
	}
}

// maxPackage bounds what is read of a file that calls itself package.json.
const maxPackage = 1 << 20

func readVersion(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	var pkg struct {
		Version string `json:"version"`
	}
	err = json.NewDecoder(io.LimitReader(f, maxPackage)).Decode(&pkg)
	return pkg.Version, err
}
