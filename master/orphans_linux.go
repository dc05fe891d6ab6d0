package master

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// becomeSubreaper makes descendants whose parent dies our children, prctl(2).
func becomeSubreaper() error { return unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }

// reapPause is how long a round of reaping waits for what else ends. Zombies are patient, and a child
// of ours that ended is mostly reaped by then: while it is not, it hides strangers behind it,
// so that all children must be listed, and a restart would wait for that list.
const reapPause = 20 * time.Millisecond

// reapOrphans reaps orphans that fell to us, soon after it is poked, until done
// closes. It never reaps a child: its zombie keeps the pid until it is released.
func (t *Table) reapOrphans(sigchld <-chan os.Signal, done <-chan struct{}) {
	var round <-chan time.Time // nil: nothing to do
	for {
		select {
		case <-sigchld:
		case <-t.signals.released:
		case <-round:
			round = nil
			if t.reapStrangers() {
				continue
			}
		case <-done:
			return
		}
		if round == nil {
			round = time.After(reapPause)
		}
	}
}

// reapStrangers reaps every zombie that is not a child of the table. It does not
// wait for a fork, which may hang in exec and would hold up all others behind us: false, then.
func (t *Table) reapStrangers() bool {
	if !t.forking.TryLock() {
		return false
	}
	defer t.forking.Unlock()
	for {
		_, pid, err := peek(unix.P_ALL, 0)
		if err != nil || pid == 0 {
			return true
		}
		if !t.reapStranger(pid) {
			break
		}
	}
	for _, pid := range childPIDs() {
		t.reapStranger(pid)
	}
	return true
}

// reapStranger reaps pid unless it is ours, and says whether it was a stranger.
func (t *Table) reapStranger(pid int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byPID[pid] != nil {
		return false
	}
	wait4(pid, unix.WNOHANG)
	return true
}

// childPIDs lists all our children, proc(5) /proc/PID/task/TID/children.
func childPIDs() []int {
	files, _ := filepath.Glob("/proc/self/task/*/children")
	var pids []int
	for _, name := range files {
		data, _ := os.ReadFile(name)
		for _, word := range strings.Fields(string(data)) {
			if pid, err := strconv.Atoi(word); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}
