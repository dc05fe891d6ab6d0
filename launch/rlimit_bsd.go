//go:build unix && !linux

package launch

import "golang.org/x/sys/unix"

// rlimitResource returns the number of a limit, getrlimit(2): those that the BSDs
// and macOS have under one number.
func rlimitResource(name string) (int, bool) {
	n, ok := map[string]int{
		"as": unix.RLIMIT_AS, "core": unix.RLIMIT_CORE, "cpu": unix.RLIMIT_CPU, "data": unix.RLIMIT_DATA,
		"fsize": unix.RLIMIT_FSIZE, "memlock": 6, "nofile": unix.RLIMIT_NOFILE, "nproc": 7, "rss": 5,
		"stack": unix.RLIMIT_STACK,
	}[name]
	return n, ok
}

// argLimits is ARG_MAX, the smallest of these systems'.
func argLimits() (one, total int) { return 256 << 10, 256 << 10 }
