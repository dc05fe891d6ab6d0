package logs

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// stampOf returns the time in the name that an open file has now, also when it was
// compressed and removed since: the kernel remembers its last name.
func stampOf(f *os.File) (time.Time, bool) {
	name, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", f.Fd()))
	if err != nil {
		return time.Time{}, false
	}
	_, a, ok := parseArchive(strings.TrimSuffix(name, " (deleted)"))
	return a.at, ok
}
