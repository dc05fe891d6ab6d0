//go:build darwin || freebsd || openbsd || netbsd || dragonfly

package watch

import (
	"errors"
	"os"
)

// maxWatchCost leaves the daemon descriptors to work with: kqueue(2) needs an
// open one for each file of a watched directory.
const maxWatchCost = 4096

var errTooMany = errors.New("too many files: each would cost a descriptor")

func watchCost(dir string, left int) (int, error) {
	d, err := os.Open(dir)
	if err != nil {
		return 0, err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return 0, err
	}
	if len(names)+1 > left {
		return 0, errTooMany
	}
	return len(names) + 1, nil
}
