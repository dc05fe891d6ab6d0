package master

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// runDelay is how long the threads of a process could have run but had no processor, by /proc/PID/task/TID/schedstat; 0 where
// the kernel does not count that.
func runDelay(pid int) time.Duration {
	var sum time.Duration
	dir := filepath.Join("/proc", strconv.Itoa(pid), "task")
	threads, _ := os.ReadDir(dir) // none: it has ended
	for _, thread := range threads {
		text, _ := os.ReadFile(filepath.Join(dir, thread.Name(), "schedstat"))
		fields := bytes.Fields(text) // nanoseconds of running, of waiting to run, number of turns
		if len(fields) < 2 {
			continue
		}
		n, _ := strconv.ParseInt(string(fields[1]), 10, 64)
		sum += time.Duration(n)
	}
	return sum
}
