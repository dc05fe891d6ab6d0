//go:build linux

package e2e

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gpm/app"
)

// TestUpgradeAskedToEnd asks the master to end at a random moment of an update: everything stops in good order, or goes
// on. Nothing is left behind, and what was wanted up is up after the next command.
func TestUpgradeAskedToEnd(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	want := h.intents()
	for range many(100, 3) {
		before, master := h.instances("up"), h.daemon().MasterPID
		update := h.command("update")
		if err := update.Start(); err != nil {
			t.Fatal(err)
		}
		settle(t, time.Duration(rand.IntN(250))*time.Millisecond)
		looks := 0
		h.until("the master has ended", hang, func() bool {
			if looks++; looks%200 == 1 { // the last program may have taken the first signal with it
				_ = syscall.Kill(master, syscall.SIGTERM)
			}
			return !alive(master)
		})
		_ = update.Wait() // it was overtaken, or has started what comes next
		h.must("ping")
		h.untilWanted(want)
		now := pidsOf(h.instances("up"))
		for _, st := range before {
			if alive(st.PID) && !slices.Contains(now, st.PID) {
				t.Fatalf("process %d is left behind; there are %v", st.PID, now)
			}
		}
	}
}

// TestGuardOfADeadMaster: a guard that comes to run only after the death of its master starts the next one, and ends.
func TestGuardOfADeadMaster(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.must("start", progBin, "--name", "up", "--", "sleep")
	d := h.daemon()
	_ = syscall.Kill(d.MasterPID, syscall.SIGKILL)
	_ = syscall.Kill(d.PID, syscall.SIGKILL)
	h.until("master and daemon have ended", hang, func() bool { return !alive(d.MasterPID) && !alive(d.PID) })
	guard := h.command("guard", "--home", h.dir, "--master", strconv.Itoa(d.MasterPID)) // its input is at its end
	if err := guard.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- guard.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("guard: %v", err)
		}
	case <-time.After(hang):
		_ = guard.Process.Kill()
		t.Error("the guard does not end")
	}
	h.until("the next daemon answers", hang, func() bool { return h.run("daemon", "status").code == 0 })
	h.untilState("up", app.Online)
}

// untilWanted waits until all is as it is wanted.
func (h *home) untilWanted(want map[string]app.State) {
	h.t.Helper()
	h.until("everything is as it was wanted", hang, func() bool {
		states := map[string]app.State{}
		for _, st := range h.list() {
			if old, twice := states[st.Name]; !twice || old == want[st.Name] {
				states[st.Name] = st.State
			}
		}
		return maps.Equal(states, want)
	})
}

// TestUpgradeEndedBetweenPrograms ends the master when it has become the next program and does not listen to signals yet:
// another one looks after the apps, of which none is restarted.
func TestUpgradeEndedBetweenPrograms(t *testing.T) {
	h := newHome(t)
	next := h.next()
	h.must("start", progBin, "--name", "up", "-i", "2", "--", "sleep")
	before, master := fmt.Sprint(pidsOf(h.instances("up"))), h.daemon().MasterPID
	fifo := filepath.Join(h.dir, "between")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	update := h.command("update", next)
	if err := update.Start(); err != nil {
		t.Fatal(err)
	}
	gate := -1
	h.until("the next program has begun", hang, func() (there bool) {
		var err error
		gate, err = unix.Open(fifo, unix.O_WRONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		return err == nil
	})
	defer unix.Close(gate)
	if err := syscall.Kill(master, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	h.until("a master takes its place without a command", hang, func() bool {
		return len(mastersOf(t, h.dir)) == 1 && !alive(master)
	})
	_ = update.Wait()
	if now := fmt.Sprint(pidsOf(h.instances("up"))); now != before {
		t.Errorf("the apps were %s and are %s", before, now)
	}
	if d := h.daemon(); d.MasterPID == master {
		t.Errorf("the master is %d still", master)
	}
}

// mastersOf are the processes that look after a home.
func mastersOf(t *testing.T, home string) (found []int) {
	t.Helper()
	for pid, line := range commandLines(t) {
		if slices.Contains(line, "master") && slices.Contains(line, home) {
			found = append(found, pid)
		}
	}
	return found
}

// commandLines are the words of all processes.
func commandLines(t *testing.T) map[int][]string {
	t.Helper()
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	all := map[int][]string{}
	for _, dir := range dirs {
		text, err := os.ReadFile(filepath.Join(dir, "cmdline"))
		pid, _ := strconv.Atoi(filepath.Base(dir))
		if err == nil && alive(pid) {
			all[pid] = strings.Split(string(text), "\x00")
		}
	}
	return all
}
