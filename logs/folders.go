package logs

import (
	"fmt"
	"path/filepath"
	"strings"
)

// Folders are those that log files may be in, absolute; none are all.
type Folders []string

// Check says why a log file may not be where a path leads by now, links followed; nil = it may.
func (f Folders) Check(path string) error {
	if len(f) == 0 {
		return nil
	}
	real := resolved(path)
	for _, folder := range f {
		if inside, err := filepath.Rel(resolved(folder), real); err == nil && filepath.IsLocal(inside) && inside != "." {
			return nil
		}
	}
	where := path
	if real != filepath.Clean(path) {
		where += " (" + real + ")"
	}
	return fmt.Errorf("%s is in none of the folders for logs, %s", where, strings.Join(f, ", "))
}

// resolved follows the links of a path as far as it exists.
func resolved(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	dir, base := filepath.Split(filepath.Clean(path))
	if base == "" || filepath.Clean(dir) == filepath.Clean(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(resolved(filepath.Clean(dir)), base)
}
