//go:build linux

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"gpm/app"
)

// load sends requests to servers until it is stopped and counts what failed.
type load struct {
	stop          context.CancelFunc
	work          sync.WaitGroup
	asked, failed atomic.Int64
	mu            sync.Mutex
	first         error
}

// loadPause leaves the machine time for what is being tested.
const loadPause = 3 * time.Millisecond

func startLoad(ports ...string) *load {
	ctx, cancel := context.WithCancel(context.Background())
	l := &load{stop: cancel}
	for _, port := range ports {
		l.work.Go(func() {
			tick := time.NewTicker(loadPause)
			defer tick.Stop()
			for ctx.Err() == nil {
				l.count(port, get(ctx, port))
				<-tick.C
			}
		})
	}
	return l
}

func (l *load) count(port string, err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	l.asked.Add(1)
	if err != nil {
		l.failed.Add(1)
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.first == nil {
			l.first = fmt.Errorf("port %s: %w", port, err)
		}
	}
}

// check ends the load; it must have done something, and nothing may have failed.
func (l *load) check(t *testing.T) {
	t.Helper()
	l.stop()
	l.work.Wait()
	t.Logf("%d requests, %d failed", l.asked.Load(), l.failed.Load())
	if l.asked.Load() < 100 || l.failed.Load() > 0 {
		t.Errorf("%d of %d requests failed, the first: %v", l.failed.Load(), l.asked.Load(), l.first)
	}
}

// servers starts a Node, a Python and a Go server and returns their ports.
func (h *home) servers() map[string]string {
	h.t.Helper()
	ports := map[string]string{"node": freePort(h.t), "python": freePort(h.t), "go": freePort(h.t)}
	h.must("start", script(h.t, "http.js"), "--name", "node", "--env", "PORT="+ports["node"])
	h.must("start", progBin, "--name", "go", "--env", "PORT="+ports["go"], "--", "http")
	h.must("start", "python3", "--name", "python", "--interpreter", "none", "--", "-m", "http.server", ports["python"], "--bind", "127.0.0.1")
	for name, port := range ports {
		h.until(name+" answers", hang, func() bool { return get(h.t.Context(), port) == nil })
	}
	return ports
}

func pids(list []app.Status, names ...string) map[string]int {
	out := map[string]int{}
	for _, st := range list {
		for _, n := range names {
			if st.Name == n {
				out[fmt.Sprintf("%s/%d", n, st.ID)] = st.PID
			}
		}
	}
	return out
}

// TestDaemonKilled kills the daemon twenty times while apps serve, crash and print: nobody may notice.
func TestDaemonKilled(t *testing.T) {
	h := newHome(t)
	ports := h.servers()
	h.must("start", progBin, "--name", "printer", "--", "printer", "0", "2000")
	h.must("start", progBin, "--name", "crasher", "--max-restarts", "1000", "--restart-delay", "20", "--", "exit", "7", "60ms")
	steady := []string{"node", "go", "python", "printer"}
	before := pids(h.list(), steady...)
	l := startLoad(ports["node"], ports["go"], ports["python"])
	for i := range 20 {
		d := h.daemon()
		settle(t, time.Duration(rand.IntN(150))*time.Millisecond)
		code := 40 + i
		h.write("job", fmt.Sprintf("#!/bin/sh\nread -t 10 line < fifo%d\nexit %d\n", i, code), 0o755)
		fifo := h.cwd + fmt.Sprintf("/fifo%d", i)
		if err := syscall.Mkfifo(fifo, 0o600); err != nil {
			t.Fatal(err)
		}
		name := fmt.Sprintf("job%d", i)
		h.must("start", "./job", "--name", name, "--no-autorestart", "--interpreter", "bash")
		kill(t, d.PID)
		openFIFO(t, fifo) // the job ends while no daemon runs
		began := time.Now()
		h.until("the list is right again", hang, func() bool { return len(h.list()) == 6+i })
		if got := pids(h.list(), steady...); fmt.Sprint(got) != fmt.Sprint(before) {
			t.Fatalf("kill %d: pids were %v and are %v", i, before, got)
		}
		t.Logf("kill %d: list again after %s", i, time.Since(began).Round(time.Millisecond))
		st := h.untilState(name, app.Stopped)
		if st.Exit == nil || st.Exit.Code != code {
			t.Errorf("%s: exit %v, want code %d", name, st.Exit, code)
		}
		checkSingle(t, h)
	}
	l.check(t)
	h.must("stop", "printer")
	checkNumbered(t, h.outLog("printer"), "out ")
	checkCrashes(t, h)
}

// settle lets some time pass in which the programs under test go on.
func settle(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}

// kill kills a process and waits until it is dead: on a busy machine that takes a while, and until then it
// may still answer.
func kill(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for limit := time.Now().Add(hang); alive(pid); settle(t, time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("process %d is alive after SIGKILL", pid)
		}
	}
}

// openFIFO lets the reader of a FIFO go on, whenever it gets to opening it.
func openFIFO(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if _, err := f.WriteString("go\n"); err != nil {
		t.Fatal(err)
	}
}

// checkSingle fails if a program runs twice.
func checkSingle(t *testing.T, h *home) {
	t.Helper()
	out, err := exec.Command("pgrep", "-f", progBin+" printer").Output()
	if n := len(strings.Fields(string(out))); err != nil || n != 1 {
		t.Fatalf("%d printers run: %v", n, err)
	}
}

// checkNumbered fails unless the lines count up from 1 without a gap or a repetition.
func checkNumbered(t *testing.T, text, prefix string) {
	t.Helper()
	all := lines(text)
	if len(all) == 0 {
		t.Error("nothing was printed")
	}
	for i, line := range all {
		if want := fmt.Sprintf("%s%d", prefix, i+1); line != want {
			t.Fatalf("line %d of %d is %q, want %q", i+1, len(all), line, want)
		}
	}
	t.Logf("%d lines, none lost", len(all))
}

// checkCrashes fails unless each start of the crasher but the last has its end recorded with the right code.
func checkCrashes(t *testing.T, h *home) {
	t.Helper()
	h.must("stop", "crasher")
	events := h.history("crasher")
	open := 0
	for _, ev := range events {
		switch ev.Kind {
		case app.EventStart:
			if open > 0 {
				t.Fatalf("event %d: a start without the end of the child before", ev.Seq)
			}
			open++
		case app.EventExit:
			if open = 0; ev.Exit.By == "" && ev.Exit.Code != 7 {
				t.Fatalf("event %d: %s, want exit code 7", ev.Seq, ev.Exit)
			}
		}
	}
	t.Logf("%d events of the crasher, %d restarts", len(events), h.status("crasher").Restarts)
}

// TestMasterKilled kills the parent of everything: nothing may die of it or run twice.
func TestMasterKilled(t *testing.T) {
	h := newHome(t)
	ports := h.servers()
	h.must("start", progBin, "--name", "printer", "--", "printer", "0", "500")
	names := []string{"node", "go", "python", "printer"}
	before := pids(h.list(), names...)
	l := startLoad(ports["node"], ports["go"], ports["python"])
	for range 3 {
		master := h.daemon().MasterPID
		kill(t, master)
		began := time.Now()
		h.until("everything is online under a new master", hang, func() bool {
			if !online(h, names) { // the list starts a daemon where none runs, its status does not
				return false
			}
			r := h.run("daemon", "status", "--json")
			return r.code == 0 && !strings.Contains(r.out, fmt.Sprintf("\"master_pid\":%d,", master))
		})
		t.Logf("online again after %s", time.Since(began).Round(time.Millisecond))
		if got := pids(h.list(), names...); fmt.Sprint(got) != fmt.Sprint(before) {
			t.Errorf("pids were %v and are %v", before, got)
		}
		checkSingle(t, h)
	}
	l.check(t)
	h.must("stop", "printer")
	checkNumbered(t, h.outLog("printer"), "out ")
}

func online(h *home, names []string) bool {
	up := 0
	for _, st := range h.list() {
		if st.State == app.Online {
			up++
		}
	}
	return up == len(names)
}

// TestBothKilled is a crash of all of gpm: the next command finds everything again.
func TestBothKilled(t *testing.T) {
	h := newHome(t)
	h.must("start", progBin, "--name", "sleeper", "--", "sleep")
	h.must("start", progBin, "--name", "down", "--", "sleep")
	h.must("stop", "down")
	pid := h.status("sleeper").PID
	d := h.daemon()
	stopProcess(t, d.PID) // so that it cannot start a master in time
	kill(t, d.MasterPID)
	kill(t, d.PID)
	h.untilDead(d)
	if st := h.status("sleeper"); st.PID != pid || st.State != app.Online {
		t.Errorf("was %d, is %d %s", pid, st.PID, st.State)
	}
	if st := h.status("down"); st.State != app.Stopped {
		t.Errorf("what the user stopped is %s", st.State)
	}
	h.must("stop", "sleeper")
	if alive(pid) {
		t.Error("the adopted process outlived its stop")
	}
}

// TestMasterKilledAtATakeOver: a daemon whose master dies while it is still taking over starts the next one too.
func TestMasterKilledAtATakeOver(t *testing.T) {
	h := newHome(t)
	h.must("start", progBin, "--name", "sleeper", "--", "sleep")
	before := h.pids("sleeper")
	for range 3 {
		d := h.daemon()
		kill(t, d.PID)
		h.until("another daemon begins", hang, func() bool { return h.runs("daemon", d.PID) })
		kill(t, d.MasterPID)
		h.until("another master is there, and nobody asked for it", hang, func() bool { return h.runs("master", d.MasterPID) })
	}
	if after := h.pids("sleeper"); !slices.Equal(before, after) {
		t.Errorf("pids %v, were %v", after, before)
	}
}

// runs says whether a process of gpm runs for this home that is not the one before.
func (h *home) runs(role string, before int) bool {
	out, _ := exec.Command("pgrep", "-f", "^gpm "+role+" --home "+h.dir+"$").Output()
	return slices.ContainsFunc(strings.Fields(string(out)), func(pid string) bool { return pid != strconv.Itoa(before) })
}

// killMaster kills a master, and others with it, and waits for the next: a daemon without a master answers for a moment,
// and what it answers is old.
func (h *home) killMaster(d app.DaemonStatus, others ...int) {
	h.t.Helper()
	for _, pid := range append([]int{d.MasterPID}, others...) {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			h.t.Errorf("cannot kill %d: %v", pid, err)
		}
	}
	h.until("another master is there", hang, func() bool {
		var now app.DaemonStatus
		h.run("ping") // starts one where none is left to do so
		r := h.run("daemon", "status", "--json")
		return r.code == 0 && json.Unmarshal([]byte(r.out), &now) == nil && now.MasterPID != 0 && now.MasterPID != d.MasterPID
	})
}

// untilDead waits until neither daemon nor master exists: a signal takes its time on a busy machine.
func (h *home) untilDead(d app.DaemonStatus) {
	h.t.Helper()
	h.until("daemon and master are dead", hang, func() bool { return !alive(d.PID) && !alive(d.MasterPID) })
}

func stopProcess(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
}

// TestFiftyFirstCommands: one daemon, and every command succeeds.
func TestFiftyFirstCommands(t *testing.T) {
	h := newHome(t)
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if r := h.run("list"); r.code != 0 {
				t.Errorf("exit %d: %s%s", r.code, r.out, r.err)
			}
		})
	}
	all.Wait()
	out, _ := exec.Command("pgrep", "-f", "gpm (master|daemon) --home "+h.dir).Output()
	if n := len(strings.Fields(string(out))); n != 2 {
		t.Errorf("%d gpm processes serve the home, want a master and a daemon", n)
	}
}

// TestHungDaemon: one that stops answering is replaced.
func TestHungDaemon(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for the heartbeat")
	}
	h := newHome(t)
	h.must("start", progBin, "--name", "sleeper", "--", "sleep")
	pid, d := h.status("sleeper").PID, h.daemon()
	stopProcess(t, d.PID)
	h.until("another daemon answers", hang, func() bool {
		return !alive(d.PID) && h.run("ping").code == 0
	})
	if got := h.status("sleeper").PID; got != pid {
		t.Errorf("pid was %d and is %d", pid, got)
	}
}
