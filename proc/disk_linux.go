package proc

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// diskOf is the "major:minor" of the whole disk that a directory is on, as io.max wants it.
func diskOf(dir string) (string, error) {
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		return "", err
	}
	number := fmt.Sprintf("%d:%d", unix.Major(st.Dev), unix.Minor(st.Dev))
	real, err := filepath.EvalSymlinks("/sys/dev/block/" + number)
	if err != nil {
		return "", errors.New("its directory is on no disk of its own")
	}
	if _, err := os.Stat(filepath.Join(real, "partition")); err != nil {
		return number, nil
	}
	b, err := os.ReadFile(filepath.Join(filepath.Dir(real), "dev"))
	return strings.TrimSpace(string(b)), err
}
