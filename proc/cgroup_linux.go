package proc

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

var errNoCgroup2 = errors.New("no cgroup v2 hierarchy is mounted")

// ownGroup is the directory of the control group that gpm was given, if this process may
// make groups there and move processes out of it: for a spawn into a new group the
// kernel wants write access to cgroup.procs of the common ancestor too.
func ownGroup() (string, error) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", err
	}
	root, point, ok := cgroup2Mount(string(mounts))
	if !ok {
		return "", errNoCgroup2
	}
	path, err := groupOf("self")
	if err != nil {
		return "", err
	}
	dir := delegated(filepath.Join(point, strings.TrimPrefix(path, strings.TrimSuffix(root, "/"))))
	if err := unix.Access(filepath.Join(dir, "cgroup.procs"), unix.W_OK); err != nil {
		return "", fmt.Errorf("%s is not ours: %w", dir, err)
	}
	return dir, nil
}

// cgroup2Mount finds the unified hierarchy in /proc/PID/mountinfo, proc(5):
// which part of it is mounted, and where.
func cgroup2Mount(mountinfo string) (root, point string, ok bool) {
	for line := range strings.Lines(mountinfo) {
		mount, fs, _ := strings.Cut(line, " - ")
		fields := strings.Fields(mount)
		if strings.HasPrefix(fs, "cgroup2 ") && len(fields) >= 5 {
			return fields[3], fields[4], true
		}
	}
	return "", "", false
}

// groupOf is the v2 path of a process, the line "0::" of /proc/PID/cgroup.
func groupOf(pid string) (string, error) {
	b, err := os.ReadFile("/proc/" + pid + "/cgroup")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(b)) {
		if path, ok := strings.CutPrefix(line, "0::"); ok {
			return strings.TrimSuffix(path, "\n"), nil
		}
	}
	return "", errNoCgroup2
}
