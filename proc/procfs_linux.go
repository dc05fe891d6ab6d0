package proc

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// stat is what we need of /proc/PID/stat, proc_pid_stat(5).
type stat struct {
	parent  int
	session int
	start   uint64 // clock ticks after boot
	dead    bool   // a zombie: ended, not reaped
}

func readStat(pid int) (stat, bool) {
	b, err := os.ReadFile(procFile(pid, "stat"))
	if err != nil {
		return stat{}, false
	}
	return parseStat(string(b))
}

// parseStat skips the command name by its last parenthesis: it may hold
// anything, spaces and parentheses too. A leader thread that has ended before the others
// also shows as a zombie, hence the look at the number of threads.
func parseStat(line string) (stat, bool) {
	i := strings.LastIndexByte(line, ')')
	if i < 0 {
		return stat{}, false
	}
	f := strings.Fields(line[i+1:])
	if len(f) < 20 {
		return stat{}, false
	}
	parent, err1 := strconv.Atoi(f[1])
	session, err2 := strconv.Atoi(f[3])
	threads, err3 := strconv.Atoi(f[17])
	start, err4 := strconv.ParseUint(f[19], 10, 64)
	ok := err1 == nil && err2 == nil && err3 == nil && err4 == nil
	dead := f[0] == "X" || f[0] == "Z" && threads <= 1
	return stat{parent: parent, session: session, start: start, dead: dead}, ok
}

// childrenOf lists the children of every thread of a process; a kernel without
// CONFIG_PROC_CHILDREN has no such file, and then ok is false.
func childrenOf(pid int) (pids []int, ok bool) {
	dir := procFile(pid, "task")
	tasks, err := os.ReadDir(dir)
	if err != nil {
		return nil, true // it has gone, and its children with it
	}
	for _, task := range tasks {
		b, err := os.ReadFile(filepath.Join(dir, task.Name(), "children"))
		if err == nil {
			ok = true
			pids = append(pids, parsePIDs(string(b))...)
		}
	}
	return pids, ok
}

// allPIDs lists every process of the machine.
func allPIDs() []int {
	d, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer d.Close()
	names, _ := d.Readdirnames(-1) // what was read until an error is all there is
	return parsePIDs(strings.Join(names, " "))
}

// hasEnv says whether a process was started with this environment entry.
func hasEnv(pid int, entry string) bool {
	if entry == "" {
		return false
	}
	b, err := os.ReadFile(procFile(pid, "environ"))
	if err != nil {
		return false
	}
	b, want := append(b, 0), append([]byte(entry), 0)
	return bytes.HasPrefix(b, want) || bytes.Contains(b, append([]byte{0}, want...))
}

func procFile(pid int, name string) string {
	return "/proc/" + strconv.Itoa(pid) + "/" + name
}
