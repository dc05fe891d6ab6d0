//go:build linux

package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gpm/app"
)

// exits returns the ends in a history, oldest first.
func exits(events []app.Event) []app.Event {
	var out []app.Event
	for _, ev := range events {
		if ev.Kind == app.EventExit {
			out = append(out, ev)
		}
	}
	return out
}

// TestExitsAtOnce: it waits between restarts, is given up, and why knows each death.
func TestExitsAtOnce(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.write("fails", "#!/bin/sh\necho cannot find my database >&2\nexit 3\n", 0o755)
	h.must("start", "./fails", "--max-restarts", "4", "--exp-backoff-restart-delay", "10")
	st := h.untilState("fails", app.Errored)
	if st.Unstable != 4 || st.Restarts != 3 || st.PID != 0 || st.Goal != app.Up {
		t.Errorf("given up as %+v", st)
	}
	history := h.history("fails")
	if got := exits(history); len(got) != 4 {
		t.Errorf("%d deaths are recorded, want 4", len(got))
	}
	for _, ev := range exits(history) {
		if ev.Exit.Code != 3 || fmt.Sprint(ev.Lines) != "[cannot find my database]" {
			t.Errorf("a death is recorded as %s with %q", ev.Exit, ev.Lines)
		}
	}
	why := h.must("why", "fails")
	for _, words := range []string{"errored", "exit code 3", "cannot find my database", "unstable runs in a row: 4", "waiting"} {
		if !strings.Contains(why, words) {
			t.Errorf("gpm why does not say %q:\n%s", words, why)
		}
	}
	h.must("reset", "fails")
	if st := h.status("fails"); st.Restarts != 0 || st.Unstable != 0 {
		t.Errorf("after a reset: %d restarts, %d unstable", st.Restarts, st.Unstable)
	}
}

// TestWaitingCanBeStopped: a pause before a restart is shown with its end, and a stop ends it.
func TestWaitingCanBeStopped(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.must("start", progBin, "--name", "pauses", "--restart-delay", "1h", "--", "exit", "1")
	st := h.untilState("pauses", app.Waiting)
	if left := time.Until(st.Deadline); left < 59*time.Minute || left > time.Hour {
		t.Errorf("the restart is due in %s", left)
	}
	h.must("stop", "pauses")
	h.untilState("pauses", app.Stopped)
}

// TestSignalDeaths: a death by signal is that signal, not a code.
func TestSignalDeaths(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.must("start", script(t, "segv.py"), "--name", "python", "--no-autorestart")
	for _, sig := range []string{"SEGV", "ABRT", "KILL", "TERM"} {
		h.must("start", progBin, "--name", sig, "--no-autorestart", "--", "die", sig)
	}
	for name, want := range map[string]string{"python": "SIGSEGV", "SEGV": "SIGSEGV", "ABRT": "SIGABRT", "KILL": "SIGKILL", "TERM": "SIGTERM"} {
		st := h.untilState(name, app.Stopped)
		if st.Exit == nil || st.Exit.Signal != want || st.Exit.Code != -1 || st.Exit.OOM {
			t.Errorf("%s died of %+v, want %s", name, st.Exit, want)
		}
		if why := h.must("why", name); !strings.Contains(why, "killed by "+want) {
			t.Errorf("gpm why %s:\n%s", name, why)
		}
	}
}

// TestFinalExits: what ends as intended stays down; only what the user named counts as intended.
func TestFinalExits(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.must("start", progBin, "--name", "zero", "--stop-exit-codes", "0,4", "--", "exit", "0")
	h.must("start", progBin, "--name", "four", "--stop-exit-codes", "0,4", "--", "exit", "4")
	h.must("start", progBin, "--name", "five", "--stop-exit-codes", "0,4", "--max-restarts", "2", "--restart-delay", "5", "--", "exit", "5")
	h.must("start", progBin, "--name", "once", "--no-autorestart", "--", "exit", "9")
	for name, want := range map[string]app.State{"zero": app.Stopped, "four": app.Stopped, "five": app.Errored, "once": app.Stopped} {
		if st := h.untilState(name, want); st.Exit == nil {
			t.Errorf("%s: no exit is recorded", name)
		}
	}
	if got := h.status("zero").Restarts + h.status("once").Restarts; got != 0 {
		t.Errorf("%d restarts of what was done", got)
	}
}

// TestMinUptime: longer runs are stable, so that the limit of unstable ones does not apply.
func TestMinUptime(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.must("start", progBin, "--name", "stable", "--min-uptime", "20", "--max-restarts", "2", "--restart-delay", "1", "--", "exit", "1", "200ms")
	h.must("start", progBin, "--name", "unstable", "--min-uptime", "1h", "--max-restarts", "2", "--restart-delay", "1", "--", "exit", "1", "30ms")
	h.untilState("unstable", app.Errored)
	h.until("the stable one has been restarted often", hang, func() bool { return h.status("stable").Restarts > 5 })
	if st := h.status("stable"); st.State == app.Errored {
		t.Errorf("the stable one is given up: %s", st.Reason)
	}
}

// TestRestartDelay is the least time between a death and the next start.
func TestRestartDelay(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.must("start", progBin, "--name", "slow", "--restart-delay", "200", "--max-restarts", "3", "--", "exit", "1")
	h.untilState("slow", app.Errored)
	var died time.Time
	for _, ev := range h.history("slow") {
		switch {
		case ev.Kind == app.EventExit:
			died = ev.At
		case ev.Kind == app.EventStart && !died.IsZero():
			if pause := ev.At.Sub(died); pause < 195*time.Millisecond {
				t.Errorf("started again after %s", pause)
			}
		}
	}
}

// TestStopSignals: the signal the user chose first, SIGKILL after the timeout, and not before.
func TestStopSignals(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	for name, args := range map[string][]string{
		"default": nil, "term": {"--kill-signal", "TERM"}, "hup": {"--kill-signal", "SIGHUP"},
	} {
		h.must(append(append([]string{"start", progBin, "--name", name}, args...), "--", "graceful", "0", "50ms")...)
		h.until(name+" is ready", hang, func() bool { return strings.Contains(h.outLog(name), "ready") })
	}
	h.must("start", progBin, "--name", "deaf", "--kill-timeout", "400", "--", "ignoreterm")
	h.until("deaf is ready", hang, func() bool { return strings.Contains(h.outLog("deaf"), "ready") })
	began := time.Now()
	h.must("stop", "all")
	if took := time.Since(began); took < 400*time.Millisecond {
		t.Errorf("the deaf one was given %s", took)
	}
	for name, want := range map[string]string{"default": "stopping on interrupt", "term": "stopping on terminated", "hup": "stopping on hangup"} {
		if out := h.outLog(name); !strings.Contains(out, want) {
			t.Errorf("%s printed %q, want %q", name, out, want)
		}
		if st := h.status(name); st.Exit == nil || st.Exit.Signal != "" || st.Exit.Code != 0 || st.Exit.By != "user" {
			t.Errorf("%s ended by %+v", name, st.Exit)
		}
	}
	if st := h.status("deaf"); st.Exit == nil || st.Exit.Signal != "SIGKILL" {
		t.Errorf("the deaf one ended by %+v", st.Exit)
	}
}

// TestSpawnFailure is a state with its reason, an exit code of 1, and never online.
func TestSpawnFailure(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.write("garbage", "\x7fELF\x00\x01\x02\x00 no program", 0o755)
	h.fails("exec format error", "start", "./garbage")
	st := h.status("garbage")
	if st.State != app.Errored || st.PID != 0 || st.Exit == nil || st.Exit.SpawnError == "" || st.Restarts != 0 {
		t.Errorf("it is %s, %+v", st.State, st.Exit)
	}
	for _, ev := range h.history("garbage") {
		if ev.Kind == app.EventOnline {
			t.Error("it is recorded as online")
		}
	}
	if why := h.must("why", "garbage"); !strings.Contains(why, "exec format error") {
		t.Errorf("gpm why:\n%s", why)
	}
	h.write("garbage", "#!/bin/sh\nexec sleep 1000\n", 0o755)
	h.must("restart", "garbage")
	h.untilState("garbage", app.Online)
	h.write("script", "#!/bin/sh\nexec sleep 1000\n", 0o755)
	h.must("start", "./script")
	if err := syscall.Unlink(filepath.Join(h.cwd, "script")); err != nil {
		t.Fatal(err)
	}
	h.fails("does not exist", "restart", "script")
	h.untilState("script", app.Errored)
}
