//go:build linux

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gpm/app"
	"gpm/testprog/leak"
)

// TestStartAgain follows pm2: a name that exists is restarted, the same script under the same name is no second
// app, another script may share the name.
func TestStartAgain(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.write("other", "#!/bin/sh\nexec sleep 1000\n", 0o755)
	h.must("start", progBin, "--name", "twin", "--", "sleep")
	first := h.status("twin")
	h.refused(`running already as "twin"`, "start", progBin, "--name", "twin")
	h.must("start", "twin")
	if st := h.status("twin"); st.PID == first.PID || st.ID != first.ID || st.Restarts != 1 {
		t.Errorf("the start of what runs left %+v", st)
	}
	h.must("stop", "twin")
	h.must("stop", "twin") // is no error
	h.must("start", progBin, "--name", "twin")
	if st := h.status("twin"); st.State != app.Online || st.ID != first.ID || st.Restarts != 1 {
		t.Errorf("the start of what was stopped left %+v", st)
	}
	h.must("start", "./other", "--name", "twin")
	h.must("start", progBin, "--name", "twin", "-f", "--", "sleep")
	if got := h.instances("twin"); len(got) != 3 {
		t.Errorf("%d share the name, want 3", len(got))
	}
	h.must("restart", "twin", "--parallel", "1")
	h.must("delete", "twin")
	if got := h.list(); len(got) != 0 {
		t.Errorf("after a delete the list is %+v", got)
	}
	h.must("start", "./other")
	if st := h.status("other"); st.ID != 0 {
		t.Errorf("an empty list begins with id %d again, want 0", st.ID)
	}
}

// TestInstances know their number, and have log files of their own unless these are merged.
func TestInstances(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.must("start", progBin, "--name", "own", "-i", "2", "--no-autorestart", "--", "env")
	h.must("start", progBin, "--name", "merged", "-i", "2", "--merge-logs", "--no-autorestart", "--", "env")
	for i := range 2 {
		if g := h.given(fmt.Sprintf("own-out-%d.log", i)); g.Env["NODE_APP_INSTANCE"] != fmt.Sprint(i) {
			t.Errorf("instance %d calls itself %q", i, g.Env["NODE_APP_INSTANCE"])
		}
	}
	h.until("both have printed", hang, func() bool { return strings.Count(h.outLog("merged"), "\n") == 2 })
	h.must("start", progBin, "--name", "elsewhere", "--output", "here.log", "--no-autorestart", "--", "printer", "2", "0")
	h.untilState("elsewhere", app.Stopped)
	h.must("start", progBin, "--name", "silent", "--disable-logs", "--no-autorestart", "--", "printer", "2", "0")
	h.untilState("silent", app.Stopped)
	if b, err := os.ReadFile(filepath.Join(h.cwd, "here.log")); string(b) != "out 1\nout 2\n" {
		t.Errorf("--output holds %q, %v", b, err)
	}
	if found, _ := filepath.Glob(filepath.Join(h.dir, "logs", "silent*")); len(found) > 0 {
		t.Errorf("--disable-logs left %v", found)
	}
}

// TestSecrets are stored where a restart needs them, and shown only when asked for.
func TestSecrets(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	const secret = "hunter2hunter2"
	h.must("start", progBin, "--name", "app", "--env", "API_PASSWORD="+secret, "--", "sleep")
	for _, args := range [][]string{{"list"}, {"describe", "app"}, {"describe", "app", "--json"}, {"jlist"}, {"prettylist"}, {"events"}, {"why", "app"}} {
		if strings.Contains(h.must(args...), secret) {
			t.Errorf("gpm %v shows it", args)
		}
	}
	if !strings.Contains(h.must("describe", "app", "--json", "--reveal"), secret) {
		t.Error("--reveal does not show it")
	}
	if b, err := os.ReadFile(filepath.Join(h.dir, "daemon.log")); err != nil || strings.Contains(string(b), secret) {
		t.Errorf("the daemon's log holds it, or %v", err)
	}
}

// TestNothingPilesUp: after many lives of an app the two have no more descriptors, children or files than before.
func TestNothingPilesUp(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	// Its orphan falls to the master, and ends there.
	h.write("orphans", "#!/bin/sh\n(setsid sh -c 'read -r line < /dev/null' &)\nexec sleep 1000\n", 0o755)
	life := func() {
		h.must("start", "./orphans")
		h.must("start", progBin, "--name", "short", "--no-autorestart", "--", "printer", "1", "0")
		h.untilState("short", app.Stopped)
		h.must("restart", "orphans")
		h.must("logs", "--nostream")
		h.must("delete", "all")
	}
	life()
	d := h.daemon()
	checkDaemon, checkMaster := leak.Descriptors(t, d.PID), leak.Descriptors(t, d.MasterPID)
	before := children(t, d.MasterPID)
	for range 10 {
		life()
	}
	checkDaemon()
	checkMaster()
	h.until("no orphan is left", hang, func() bool { return children(t, d.MasterPID) <= before })
	if found, _ := filepath.Glob(filepath.Join(h.dir, "pids", "*")); len(found) > 0 {
		t.Errorf("pid files are left: %v", found)
	}
}

// children counts the children of a process, zombies too.
func children(t *testing.T, pid int) int {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, file := range files {
		b, _ := os.ReadFile(file) // of a thread that has ended
		n += len(strings.Fields(string(b)))
	}
	return n
}

// TestCompletion knows the commands and the names of what runs.
func TestCompletion(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.must("start", progBin, "--name", "completed", "--", "sleep")
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if out := h.must("completion", shell); !strings.Contains(out, "gpm") {
			t.Errorf("completion for %s: %.100q", shell, out)
		}
	}
	for _, command := range []string{"stop", "restart", "delete", "describe", "logs", "why"} {
		if out := h.must("__complete", command, "comp"); !strings.Contains(out, "completed") {
			t.Errorf("%s completes to %q", command, out)
		}
	}
}

// TestUsage: what is typed wrongly is answered as pm2 does, with exit code 1 and without starting anything.
func TestUsage(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	if r := h.run(); r.code != 1 || !strings.Contains(r.out, "usage: gpm") {
		t.Errorf("gpm alone: exit %d, %q", r.code, r.out)
	}
	for _, args := range [][]string{{"--help"}, {"start", "--help"}, {"--version"}, {"version"}} {
		h.must(args...)
	}
	h.refused("no such command", "nosuch")
	h.fails("", "daemon", "status")
	if out := h.must("kill"); !strings.Contains(out, "No daemon is running") {
		t.Errorf("a kill of nothing says %q", out)
	}
	if _, err := os.Stat(filepath.Join(h.dir, "gpm.db")); err == nil {
		t.Error("a daemon was started for that")
	}
}
