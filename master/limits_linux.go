package master

import (
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

func setCPUs(cpus []int) error {
	if len(cpus) == 0 {
		return nil
	}
	var set unix.CPUSet
	for _, n := range cpus {
		if n < 0 || n >= len(set)*strconv.IntSize {
			return syscall.EINVAL
		}
		set.Set(n)
	}
	return unix.SchedSetaffinity(0, &set)
}

// setOOMScoreAdj writes proc(5)'s oom_score_adj.
func setOOMScoreAdj(n int) error {
	return os.WriteFile("/proc/self/oom_score_adj", []byte(strconv.Itoa(n)), 0)
}

func toRlimit(r Rlimit) *unix.Rlimit { return &unix.Rlimit{Cur: r.Soft, Max: r.Hard} }
