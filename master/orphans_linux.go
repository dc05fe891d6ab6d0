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

// reapPause bounds how often all children are listed while a kept zombie hides others.
const reapPause = 20 * time.Millisecond

// reaping is how far a round of reaping came.
type reaping uint8

const (
	reapedAll  reaping = iota
	reapedList         // a kept zombie stood in front of the others, so all children had to be listed
	reapBusy           // a fork was on its way
)

// reapOrphans reaps orphans that fell to us, whenever it is poked, until done
// closes. It never reaps a child: its zombie keeps the pid until it is released.
func (t *Table) reapOrphans(sigchld <-chan os.Signal, done <-chan struct{}) {
	var again <-chan time.Time
	for {
		select {
		case <-sigchld:
		case <-t.signals.released:
		case <-again:
		case <-done:
			return
		}
		again = nil
		switch t.reapStrangers() {
		case reapBusy:
			again = time.After(reapPause)
		case reapedList:
			select { // a list of all children is dear, and zombies are patient
			case <-time.After(reapPause):
			case <-done:
				return
			}
		}
	}
}

// reapStrangers reaps every zombie that is not a child of the table. It does not
// wait for a fork, which may hang in exec and would hold up all others behind us.
func (t *Table) reapStrangers() reaping {
	if !t.forking.TryLock() {
		return reapBusy
	}
	defer t.forking.Unlock()
	for {
		_, pid, err := peek(unix.P_ALL, 0)
		if err != nil || pid == 0 {
			return reapedAll
		}
		if !t.reapStranger(pid) {
			break
		}
	}
	for _, pid := range childPIDs() {
		t.reapStranger(pid)
	}
	return reapedList
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
