//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// clockTick is the unit of CPU time in /proc/PID/stat: sysconf(_SC_CLK_TCK) is
// 100 on every Linux that Go runs on.
const clockTick = 10 * time.Millisecond

// withExe returns the processes that execute a file.
func withExe(bin string) []int {
	return matching(func(dir string) bool {
		exe, err := os.Readlink(filepath.Join(dir, "exe"))
		return err == nil && exe == bin
	})
}

// withArgument returns the processes whose command line contains text.
func withArgument(text string) []int {
	return matching(func(dir string) bool {
		line, err := os.ReadFile(filepath.Join(dir, "cmdline"))
		return err == nil && bytes.Contains(line, []byte(text))
	})
}

// sleepers returns the processes that are a sleep whose argument begins with marker.
func sleepers(marker string) []int {
	return matching(func(dir string) bool {
		line, err := os.ReadFile(filepath.Join(dir, "cmdline"))
		return err == nil && bytes.HasPrefix(line, []byte("sleep\x00"+marker))
	})
}

func matching(ok func(dir string) bool) []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err == nil && pid != os.Getpid() && ok(filepath.Join("/proc", e.Name())) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// pss is the proportional set size of processes together, in bytes: memory
// shared with others counts by its share.
func pss(pids []int) (int64, error) {
	var sum int64
	for _, pid := range pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			return 0, err
		}
		_, rest, _ := strings.Cut(string(text), "\nPss:")
		fields := strings.Fields(rest)
		if len(fields) == 0 {
			return 0, fmt.Errorf("cannot read the PSS of process %d: no such line", pid)
		}
		kib, err := strconv.ParseInt(fields[0], 10, 64)
		if err != nil {
			return 0, err
		}
		sum += kib << 10
	}
	return sum, nil
}

// cpuTime is the user and system time of processes together, without children.
func cpuTime(pids []int) (time.Duration, error) {
	var ticks int64
	for _, pid := range pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return 0, err
		}
		// proc(5): the 14th and 15th fields; the 2nd may hold spaces, so count from its bracket.
		fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
		for _, f := range fields[11:13] {
			n, err := strconv.ParseInt(f, 10, 64)
			if err != nil {
				return 0, err
			}
			ticks += n
		}
	}
	return time.Duration(ticks) * clockTick, nil
}

// lastPID is the pid that the kernel gave out last, to a process or a thread.
func lastPID() (int, error) {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text))
	return strconv.Atoi(fields[len(fields)-1])
}

// runsApp says whether pid exists, and whether it executes an app's script or the sleep that it becomes.
func runsApp(pid int, script, argument string) (exists, is bool) {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return err == nil, bytes.Contains(line, []byte("\x00"+script+"\x00")) || string(line) == "sleep\x00"+argument+"\x00"
}

// commandLine is that of a process, its words separated by spaces.
func commandLine(pid int) (string, error) {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return strings.ReplaceAll(string(line), "\x00", " "), err
}
