// Package leak fails a test that leaves something of a gpm home behind: a process,
// a cgroup, a descriptor.
//
// It reads /proc and the cgroup v2 tree; where there are none (not Linux) it
// finds nothing.
package leak

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gpm/proc"
)

// settle is how long a process that was killed may take to disappear: its parent,
// or PID 1, has to reap it, and a cgroup empties only then.
const settle = 3 * time.Second

// Check fails tb unless, within a moment, nothing of the home is left: no process
// that names the home in its arguments or in GPM_HOME, or has the mark of its
// instances in its environment, and no cgroup made for it. What it finds it kills, so that one
// failure does not cause the next.
func Check(tb testing.TB, home string) {
	tb.Helper()
	homes := spellings(home)
	left := wait(func() []string { return slices.Concat(describe(processes(homes)), cgroups(homes)) })
	if len(left) == 0 {
		return
	}
	tb.Errorf("left behind by %s:\n%s", home, strings.Join(left, "\n"))
	for _, pid := range processes(homes) {
		if p, err := os.FindProcess(pid); err == nil {
			_ = p.Kill() // gone already is as good
		}
	}
}

// Descriptors notes how many descriptors the process pid has open and returns a
// function that fails tb unless, within a moment, it has no more than that.
func Descriptors(tb testing.TB, pid int) func() {
	tb.Helper()
	before := descriptors(pid)
	return func() {
		tb.Helper()
		more := wait(func() []string {
			if now := descriptors(pid); len(now) > len(before) {
				return now
			}
			return nil
		})
		if len(more) > 0 {
			tb.Errorf("process %d had %d descriptors and has %d:\n%s", pid, len(before), len(more), strings.Join(more, "\n"))
		}
	}
}

// wait polls until look finds nothing or the time is up, and returns the last finding.
func wait(look func() []string) []string {
	deadline := time.After(settle)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		left := look()
		if len(left) == 0 {
			return nil
		}
		select {
		case <-deadline:
			return left
		case <-tick.C:
		}
	}
}

// spellings returns the forms in which a home may be written down.
func spellings(home string) []string {
	homes := []string{filepath.Clean(home)}
	if real, err := filepath.EvalSymlinks(home); err == nil && real != homes[0] {
		homes = append(homes, real)
	}
	return homes
}

// processes returns the pids that belong to a home; zombies have neither arguments nor an
// environment and never do, nor does the caller or what started it.
func processes(homes []string) []int {
	own := ancestors()
	var found []int
	for _, pid := range numbers("/proc") {
		if !slices.Contains(own, pid) && belongs(pid, homes) {
			found = append(found, pid)
		}
	}
	return found
}

// belongs says whether a process has the home in its arguments or its environment, or the mark
// that gpm gives to the processes of a home.
func belongs(pid int, homes []string) bool {
	environ := procFile(pid, "environ")
	argv := procFile(pid, "cmdline")
	for _, home := range homes {
		if names(argv, home) {
			return true
		}
		mark := []byte(proc.MarkVar + "=" + proc.HomeHash(home) + ":")
		for kv := range bytes.SplitSeq(environ, []byte{0}) {
			value, isHome := bytes.CutPrefix(kv, []byte("GPM_HOME="))
			if isHome && names(value, home) || bytes.HasPrefix(kv, mark) {
				return true
			}
		}
	}
	return false
}

// names says whether text holds the path home, and not just a longer path such as home+"2".
func names(text []byte, home string) bool {
	for {
		i := bytes.Index(text, []byte(home))
		if i < 0 {
			return false
		}
		text = text[i+len(home):]
		if len(text) == 0 || !isPathByte(text[0]) {
			return true
		}
	}
}

func isPathByte(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.IndexByte("._-", c) >= 0
}

// ancestors returns this process and its parents: a test's own `go test` may hold the home.
func ancestors() []int {
	var pids []int
	for pid := os.Getpid(); pid > 0; pid = parent(pid) {
		pids = append(pids, pid)
	}
	return pids
}

func parent(pid int) int {
	// proc(5): pid (comm) state ppid …; comm may hold spaces and brackets.
	stat := procFile(pid, "stat")
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 2 {
		return 0
	}
	ppid, err := strconv.Atoi(string(fields[1]))
	if err != nil {
		return 0
	}
	return ppid
}

func describe(pids []int) []string {
	var lines []string
	for _, pid := range pids {
		argv := bytes.ReplaceAll(procFile(pid, "cmdline"), []byte{0}, []byte{' '})
		lines = append(lines, fmt.Sprintf("process %d (parent %d): %.200s", pid, parent(pid), argv))
	}
	return lines
}

// cgroups returns the control groups of a home, wherever in the hierarchy they are.
func cgroups(homes []string) []string {
	var names, found []string
	for _, home := range homes {
		names = append(names, "gpm-"+proc.HomeHash(home))
	}
	for _, root := range cgroupMounts() {
		// What cannot be read or has just been removed holds nothing of ours.
		_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return nil
			}
			if d.IsDir() && slices.Contains(names, d.Name()) {
				found = append(found, "cgroup "+path)
			}
			return nil
		})
	}
	return found
}

// cgroupMounts returns where cgroup v2 is mounted, from /proc/self/mounts: what, where, kind, ….
func cgroupMounts() []string {
	text, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return nil
	}
	var roots []string
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 2 && f[2] == "cgroup2" {
			roots = append(roots, f[1])
		}
	}
	return roots
}

func descriptors(pid int) []string {
	dir := filepath.Join("/proc", strconv.Itoa(pid), "fd")
	var open []string
	for _, fd := range numbers(dir) {
		target, err := os.Readlink(filepath.Join(dir, strconv.Itoa(fd)))
		if err == nil { // else closed meanwhile
			open = append(open, fmt.Sprintf("%d -> %s", fd, target))
		}
	}
	return open
}

// procFile returns the contents of a file of /proc/PID, empty when the process is gone.
func procFile(pid int, name string) []byte {
	data, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), name))
	if err != nil {
		return nil
	}
	return data
}

func numbers(dir string) []int {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var list []int
	for _, e := range entries {
		if n, err := strconv.Atoi(e.Name()); err == nil {
			list = append(list, n)
		}
	}
	return list
}
