package logs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Compression is how rotated files are kept.
type Compression uint8

// The kinds of compression.
const (
	Plain Compression = iota
	Gzip
	Zstd
)

// suffixes are what the kinds of compression append to a file name.
var suffixes = [...]string{Plain: "", Gzip: ".gz", Zstd: ".zst"}

// String returns the name used in configuration: "none", "gzip", "zstd".
func (c Compression) String() string {
	return [...]string{"none", "gzip", "zstd"}[c]
}

// UnmarshalText reads the name used in configuration; "" is "none".
func (c *Compression) UnmarshalText(b []byte) error {
	for k := range suffixes {
		if Compression(k).String() == string(b) || k == 0 && len(b) == 0 {
			*c = Compression(k)
			return nil
		}
	}
	return errors.New("cannot compress with " + string(b) + ": only none, gzip and zstd are known")
}

// MarshalText is the inverse of UnmarshalText.
func (c Compression) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// stampLayout is the time in an archive's name: UTC, so that names sort by time
// also where the clock is set back in autumn.
const (
	stampLayout = "2006-01-02T15-04-05.000000Z"
	stampMark   = "__"
)

// archive is a rotated file: NAME__TIME.EXT, and .gz or .zst.
type archive struct {
	plain string    // path without the suffix of the compression
	at    time.Time // of the rotation: every byte in it is older
	kind  Compression
	size  int64 // on disk
	mod   time.Time
	id    FileID // only of the live file
}

// archiveName is the name of the file that is rotated away from path.
func archiveName(path string, at time.Time) string {
	ext := filepath.Ext(path)
	return strings.TrimSuffix(path, ext) + stampMark + at.UTC().Format(stampLayout) + ext
}

// parseArchive takes an archive's name apart; live is the name of the file that it
// was rotated away from.
func parseArchive(path string) (live string, a archive, ok bool) {
	a.plain = path
	for k, s := range suffixes {
		if s != "" && strings.HasSuffix(path, s) {
			a.plain, a.kind = strings.TrimSuffix(path, s), Compression(k)
		}
	}
	i := strings.LastIndex(a.plain, stampMark)
	if i < 0 {
		return "", archive{}, false
	}
	rest := a.plain[i+len(stampMark):]
	if len(rest) < len(stampLayout) {
		return "", archive{}, false
	}
	stamp, ext := rest[:len(stampLayout)], rest[len(stampLayout):]
	at, err := time.Parse(stampLayout, stamp)
	live = a.plain[:i] + ext
	if err != nil || archiveName(live, at) != a.plain {
		return "", archive{}, false
	}
	a.at = at
	return live, a, true
}

// scanDir returns the archives in a directory by the path of the live file, oldest
// first, and the temporary files that a compression left behind. Of an archive that is there
// twice, for a compression was cut short, the plain one counts: it is whole.
func scanDir(dir string) (found map[string][]archive, temps []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	found = map[string][]archive{}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if isTemp(e.Name()) {
			temps = append(temps, path)
			continue
		}
		live, a, ok := parseArchive(path)
		if !ok || !e.Type().IsRegular() {
			continue
		}
		if info, err := e.Info(); err == nil { // else it has just been removed
			a.size, a.mod = info.Size(), info.ModTime()
			found[live] = append(found[live], a)
		}
	}
	for live, list := range found {
		found[live] = sortArchives(list)
	}
	return found, temps, nil
}

func sortArchives(list []archive) []archive {
	slices.SortFunc(list, func(a, b archive) int {
		if c := a.at.Compare(b.at); c != 0 {
			return c
		}
		return int(a.kind) - int(b.kind) // Plain first
	})
	return slices.CompactFunc(list, func(a, b archive) bool { return a.plain == b.plain })
}

// archivesOf returns the archives of one log file, oldest first. It looks twice: a
// listing that goes on while an archive is replaced by its compressed form may show neither.
func archivesOf(path string) ([]archive, error) {
	first, _, err := scanDir(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	second, _, err := scanDir(filepath.Dir(path))
	return sortArchives(append(second[path], first[path]...)), err
}

// tempName is where the compressed form of an archive is written until it is whole.
func tempName(target string) string {
	dir, base := filepath.Split(target)
	return filepath.Join(dir, "."+base+tempSuffix)
}

const tempSuffix = ".part"

func isTemp(name string) bool {
	if !strings.HasPrefix(name, ".") || !strings.HasSuffix(name, tempSuffix) {
		return false
	}
	_, a, ok := parseArchive(strings.TrimSuffix(name[1:], tempSuffix))
	return ok && a.kind != Plain
}
