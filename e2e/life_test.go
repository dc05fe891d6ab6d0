//go:build linux

package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"gpm/app"
	"gpm/testprog/leak"
)

// intents starts what is wanted up, and what is not for different reasons; it returns the states that the next
// daemon has to bring about.
func (h *home) intents() map[string]app.State {
	h.t.Helper()
	h.must("start", progBin, "--name", "up", "-i", "2", "--", "sleep")
	h.must("start", progBin, "--name", "stopped", "--", "sleep")
	h.must("start", progBin, "--name", "never", "--no-autostart", "--", "sleep")
	h.must("start", progBin, "--name", "done", "--no-autorestart", "--", "exit", "0")
	h.must("start", progBin, "--name", "final", "--stop-exit-codes", "3", "--", "exit", "3")
	h.must("start", progBin, "--name", "deleted", "--", "sleep")
	h.untilState("done", app.Stopped)
	h.untilState("final", app.Stopped)
	h.must("stop", "stopped")
	h.must("delete", "deleted")
	return map[string]app.State{"up": app.Online, "stopped": app.Stopped, "never": app.Stopped, "done": app.Stopped, "final": app.Stopped}
}

// checkIntents fails unless everything is as it was wanted, with new processes.
func (h *home) checkIntents(want map[string]app.State, before map[string]int) {
	h.t.Helper()
	h.until("what is wanted up is online", hang, func() bool {
		return len(pids(h.list(), "up")) == 2 && !slices.ContainsFunc(h.instances("up"), func(st app.Status) bool { return st.State != app.Online })
	})
	list := h.list()
	if len(list) != len(want)+1 {
		h.t.Errorf("%d processes are listed, want %d", len(list), len(want)+1)
	}
	for _, st := range list {
		if st.State != want[st.Name] {
			h.t.Errorf("%s is %s, want %s", st.Name, st.State, want[st.Name])
		}
	}
	for name, pid := range pids(list, "up") {
		if pid == before[name] {
			h.t.Errorf("%s still has pid %d", name, pid)
		}
	}
	if n := len(h.family(h.instances("up")[0].ID)); n != 1 {
		h.t.Errorf("the first instance has %d processes", n)
	}
}

// TestReboot: all is killed at once, as by a power cut. The next command brings back what was wanted up.
func TestReboot(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	want := h.intents()
	before := pids(h.list(), "up")
	d := h.daemon()
	stopProcess(t, d.PID) // so that neither can start the other again
	kill(t, d.MasterPID)
	for _, pid := range before {
		kill(t, pid)
	}
	kill(t, d.PID)
	h.untilDead(d)
	h.checkIntents(want, before)
	h.must("start", "stopped")
	h.untilState("stopped", app.Online)
}

// TestKillLeavesNothing: neither process nor socket. The list is kept, and nothing of it is wanted up any more.
func TestKillLeavesNothing(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	want := h.intents()
	before := pids(h.list(), "up")
	d := h.daemon()
	h.must("kill")
	h.checkGone(d, before)
	if out := h.must("kill"); !strings.Contains(out, "No daemon is running") {
		t.Errorf("a second kill says %q", out)
	}
	if r := h.run("daemon", "status"); r.code == 0 {
		t.Errorf("there is a daemon after a kill: %s", r.out)
	}
	if list := h.list(); len(list) != len(want)+1 || len(stoppedIDs(list)) != len(list) {
		t.Errorf("after a kill the list is %+v", list)
	}
	h.must("start", "up")
	h.checkIntents(want, before)
}

// checkGone fails if anything of a home runs.
func (h *home) checkGone(d app.DaemonStatus, workers map[string]int) {
	h.t.Helper()
	for name, pid := range workers {
		if alive(pid) {
			h.t.Errorf("%s (pid %d) is still there", name, pid)
		}
	}
	h.untilDead(d) // the home is free a moment before the master has ended
	if _, err := os.Lstat(filepath.Join(h.dir, "gpm.sock")); err == nil {
		h.t.Error("the socket is still there")
	}
	leak.Check(h.t, h.dir)
}

// TestMasterAskedToEnd is what systemd does: everything stops in good order, and is wanted up all the same.
func TestMasterAskedToEnd(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	want := h.intents()
	h.must("start", progBin, "--name", "polite", "--", "graceful", "0", "100ms")
	want["polite"] = app.Online
	h.until("polite is ready", hang, func() bool { return strings.Contains(h.outLog("polite"), "ready") })
	before := pids(h.list(), "up", "polite")
	d := h.daemon()
	if err := syscall.Kill(d.MasterPID, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	h.until("all has ended", hang, func() bool { return !alive(d.MasterPID) && !alive(d.PID) })
	h.checkGone(d, before)
	if !strings.Contains(h.outLog("polite"), "stopping on interrupt") {
		t.Error("the polite one was not asked")
	}
	h.checkIntents(want, before)
}

// TestNames: ps shows the two as what they are.
func TestNames(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.must("ping")
	d := h.daemon()
	for pid, want := range map[int]string{d.MasterPID: "gpm master", d.PID: "gpm daemon"} {
		out, err := exec.Command("ps", "-o", "args=", "-p", fmt.Sprint(pid)).Output()
		if err != nil || !strings.HasPrefix(string(out), want) {
			t.Errorf("ps shows %q, %v; want %q", out, err, want)
		}
	}
	for name, want := range map[string]os.FileMode{"": 0o700, "gpm.sock": 0o600, "gpm.db": 0o600} {
		info, err := os.Stat(filepath.Join(h.dir, name))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("mode of %q: %v, %v; want %o", name, info.Mode(), err, want)
		}
	}
}

// follower reads what a streaming command prints, line by line.
type follower struct {
	cancel context.CancelFunc
	lines  *bufio.Scanner
	cmd    *exec.Cmd
}

func (h *home) follow(args ...string) *follower {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), time.Duration(scaled(2, 20))*time.Minute) // bounds a hang
	like := h.command(args...)
	cmd := exec.CommandContext(ctx, like.Path, args...)
	cmd.Dir, cmd.Env = like.Dir, like.Env
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		h.t.Fatal(err)
	}
	f := &follower{cancel, bufio.NewScanner(out), cmd}
	h.t.Cleanup(f.end)
	return f
}

func (f *follower) end() {
	f.cancel()
	for f.lines.Scan() {
	}
	_ = f.cmd.Wait() // an interrupt ends it as it likes
}

// until reads lines until one is as wanted.
func (f *follower) until(t *testing.T, what string, ok func(line string) bool) {
	t.Helper()
	for f.lines.Scan() {
		if ok(f.lines.Text()) {
			return
		}
	}
	t.Fatalf("the stream ended before %s", what)
}

// TestEventsFollow: what happens is streamed as it happens, one JSON object a line.
func TestEventsFollow(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.must("start", progBin, "--name", "before", "--", "sleep")
	f := h.follow("events", "--follow", "--json")
	var kinds []app.EventKind
	seq := uint64(0)
	until := func(name string, kind app.EventKind) {
		f.until(t, fmt.Sprint(name, " ", kind), func(line string) bool {
			var ev app.Event
			if err := json.Unmarshal([]byte(line), &ev); err != nil || ev.Seq <= seq {
				t.Fatalf("after event %d: %v: %s", seq, err, line)
			}
			seq = ev.Seq
			kinds = append(kinds, ev.Kind)
			return ev.Name == name && ev.Kind == kind
		})
	}
	until("before", app.EventOnline)
	h.must("start", progBin, "--name", "live", "--restart-delay", "50", "--", "exit", "6", "50ms")
	until("live", app.EventStart)
	until("live", app.EventExit)
	until("live", app.EventWaiting)
	h.must("stop", "live")
	until("live", app.EventStop)
	h.must("delete", "live")
	until("live", app.EventDelete)
	if len(kinds) < 8 {
		t.Errorf("only %v", kinds)
	}
}

// jsonForms are all commands that read something, in the form for programs.
var jsonForms = [][]string{
	{"list", "--json"}, {"ls", "--json"}, {"status", "--json"}, {"jlist"}, {"jlist", "--json"}, {"describe", "app", "--json"},
	{"show", "app", "--json"}, {"why", "app", "--json"}, {"id", "app", "--json"}, {"pid", "app", "--json"}, {"pid", "--json"},
	{"ping", "--json"}, {"daemon", "status", "--json"}, {"version", "--json"}, {"id", "unknown", "--json"},
}

// TestJSON: every reading command prints JSON when asked, and nothing else.
func TestJSON(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.must("start", progBin, "--name", "app", "--", "printer", "3", "0")
	h.untilState("app", app.Waiting)
	h.must("stop", "app")
	for _, args := range jsonForms {
		r := h.run(args...)
		if r.code != 0 || r.err != "" || !json.Valid([]byte(r.out)) {
			t.Errorf("gpm %v: exit %d\n%s%s", args, r.code, r.out, r.err)
		}
	}
	for _, args := range [][]string{{"events", "--json"}, {"logs", "--nostream", "--json"}} {
		all := lines(h.must(args...))
		for _, line := range all {
			if !json.Valid([]byte(line)) {
				t.Errorf("gpm %v: %s", args, line)
			}
		}
		if len(all) < 4 {
			t.Errorf("gpm %v printed %d lines", args, len(all))
		}
	}
}

// TestTables: without a terminal nothing is cut, coloured or redrawn, and the names are pm2's.
func TestTables(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	long := strings.Repeat("long-name-", 12)
	h.must("start", progBin, "--name", long, "--", "sleep")
	for _, args := range [][]string{{"list"}, {"describe", "0"}, {"events"}, {"why", "0"}, {"daemon", "status"}} {
		if out := h.must(args...); strings.ContainsAny(out, "\x1b\r") {
			t.Errorf("gpm %v prints control characters to a pipe: %q", args, out)
		}
	}
	head := lines(h.must("list"))[1]
	at := -1
	for _, column := range []string{"id", "name", "namespace", "version", "mode", "pid", "uptime", "↺", "status", "cpu", "mem", "user", "watching"} {
		next := strings.Index(head, " "+column+" ")
		if next <= at {
			t.Errorf("column %q is not where pm2 has it: %s", column, head)
		}
		at = next
	}
}
