package static

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync"
)

// tree opens files below a folder and nowhere else, whatever links say.
type tree struct {
	path string

	mu   sync.RWMutex // guards root and info: readers use root, the writer replaces it
	root *os.Root
	info fs.FileInfo
}

func openTree(dir string) (*tree, error) {
	t := &tree{path: dir}
	if err := t.reopen(); err != nil {
		return nil, fmt.Errorf("cannot serve %s: %w", dir, err)
	}
	return t, nil
}

func (t *tree) reopen() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	root, err := os.OpenRoot(t.path)
	if err != nil {
		return err
	}
	info, err := root.Stat(".")
	if err != nil {
		root.Close()
		return err
	}
	if t.root != nil {
		t.root.Close()
	}
	t.root, t.info = root, info
	return nil
}

// follow opens the folder anew when its path leads to another one: a deployment
// has switched the link "current". While it leads nowhere the old one stays.
func (t *tree) follow() {
	now, err := os.Stat(t.path)
	t.mu.RLock()
	same := err != nil || os.SameFile(now, t.info)
	t.mu.RUnlock()
	if !same {
		_ = t.reopen() // gone again: the old one stays
	}
}

// open returns a regular file or a directory. A pipe or device is refused before
// it is opened, which might block for ever.
func (t *tree) open(name string) (*os.File, fs.FileInfo, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	info, err := t.root.Stat(name)
	if err != nil {
		return nil, nil, err
	}
	if !info.IsDir() && !info.Mode().IsRegular() {
		return nil, nil, fs.ErrNotExist
	}
	f, err := t.root.Open(name)
	if err != nil {
		return nil, nil, err
	}
	if info, err = f.Stat(); err != nil { // of what was opened
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

// file is open for regular files only.
func (t *tree) file(name string) (*os.File, fs.FileInfo, error) {
	f, info, err := t.open(name)
	if err == nil && info.IsDir() {
		f.Close()
		return nil, nil, fs.ErrNotExist
	}
	return f, info, err
}

func (t *tree) close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.root.Close()
}

// verdict is what a path of a URL is worth.
type verdict uint8

const (
	fine verdict = iota
	hidden
	forbidden
)

// resolve makes a name below the root out of a URL's path. Dotfiles are hidden,
// but for .well-known, which is made to be seen (RFC 8615).
func resolve(urlPath string) (name string, v verdict) {
	if strings.ContainsAny(urlPath, "\x00\\") {
		return "", forbidden
	}
	for i, part := range strings.Split(strings.TrimPrefix(urlPath, "/"), "/") {
		switch {
		case part == "..":
			return "", forbidden
		case strings.HasPrefix(part, ".") && part != "." && (i > 0 || part != ".well-known"):
			return "", hidden
		}
	}
	name = strings.TrimPrefix(path.Clean("/"+urlPath), "/")
	if name == "" {
		name = "."
	}
	return name, fine
}
