//go:build linux

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"gpm/app"
	"gpm/proc"
)

// nobody is a user that can make no cgroups, so that trees are found by their descent.
func nobody(t *testing.T) *syscall.Credential {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can run a home as another user")
	}
	return &syscall.Credential{Uid: 65534, Gid: 65534, NoSetGroups: false}
}

// family returns the living processes that carry the mark of an instance.
func (h *home) family(id int) []int {
	h.t.Helper()
	mark := fmt.Appendf(nil, "%s=%s:%d:", proc.MarkVar, proc.HomeHash(h.dir), id)
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		h.t.Fatal(err)
	}
	var found []int
	for _, path := range files {
		environ, err := os.ReadFile(path) // empty for a zombie
		if err == nil && (bytes.HasPrefix(environ, mark) || bytes.Contains(environ, append([]byte{0}, mark...))) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			found = append(found, pid)
		}
	}
	return found
}

func (h *home) untilFamily(id, size int) {
	h.t.Helper()
	h.until(fmt.Sprintf("%d has %d processes", id, size), hang, func() bool { return len(h.family(id)) >= size })
}

// pidsIn reads process ids that a program left in a file, one a line.
func (h *home) pidsIn(name string, count int) []int {
	h.t.Helper()
	var found []int
	h.until(name+" holds the pids", hang, func() bool {
		b, _ := os.ReadFile(filepath.Join(h.cwd, name))
		found = nil
		for _, word := range strings.Fields(string(b)) {
			if pid, err := strconv.Atoi(word); err == nil {
				found = append(found, pid)
			}
		}
		return len(found) == count
	})
	return found
}

// families are programs that try to leave something behind when they are stopped.
var families = []struct {
	name, script string // script is for sh; "" = prog
	args         []string
	size         int // processes with the mark
}{
	{name: "children", size: 4, script: "sleep 1000 &\nsh -c 'sleep 1000 & wait' &\nwait\n"},
	{name: "setsid", size: 5, script: "setsid sleep 1000 &\nsetsid sh -c 'trap \"\" INT TERM HUP; sleep 1000 & wait; wait' &\nnohup sleep 1000 &\nwait\n"},
	{name: "doublefork", size: 2, args: []string{"doublefork", "daemon.pid"}},
	{name: "ignoreterm", size: 1, args: []string{"ignoreterm"}},
	{name: "stopped", size: 1, script: "kill -STOP $$\n"},
	{name: "bomb", size: 200, args: []string{"forkbomb", "200"}},
}

// TestNothingSurvivesAStop: of no family, whether a cgroup can be made or not.
func TestNothingSurvivesAStop(t *testing.T) {
	t.Run("own user", func(t *testing.T) { t.Parallel(); testFamilies(t, newHome(t)) })
	t.Run("no cgroup", func(t *testing.T) {
		t.Parallel()
		h := newHomeOf(t, nobody(t))
		testFamilies(t, h)
		if got := h.daemon().Cgroup; got != "" {
			t.Errorf("the home has the cgroup %s: nothing was tested", got)
		}
	})
}

func testFamilies(t *testing.T, h *home) {
	for _, f := range families {
		target, args := progBin, f.args
		if f.script != "" {
			target = h.write(f.name, "#!/bin/sh\n"+f.script, 0o755)
		}
		h.must(append([]string{"start", target, "--name", f.name, "--kill-timeout", "300", "--"}, args...)...)
		id := h.status(f.name).ID
		h.untilFamily(id, f.size)
		h.must("stop", f.name)
		if left := h.family(id); len(left) > 0 {
			t.Errorf("%s: %d processes outlived the stop", f.name, len(left))
		}
		if st := h.status(f.name); st.State != app.Stopped || st.PID != 0 {
			t.Errorf("%s is %s with pid %d after a stop", f.name, st.State, st.PID)
		}
	}
}

// TestCleanEnvironment: who wipes the mark is found by descent, and in a cgroup even without that.
func TestCleanEnvironment(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.write("wipe", "#!/bin/sh\n(env -i /usr/bin/setsid sh -c 'echo $$ >> pids; exec sleep 1000' &)\n"+
		"env -i /usr/bin/setsid sh -c 'echo $$ >> pids; exec sleep 1000' &\nwait\n", 0o755)
	h.must("start", "./wipe", "--kill-timeout", "300")
	if h.daemon().Cgroup == "" {
		t.Skip("no cgroup can be made here")
	}
	found := h.pidsIn("pids", 2)
	h.must("stop", "wipe")
	for _, pid := range found {
		if alive(pid) {
			t.Errorf("process %d outlived the stop", pid)
		}
	}
}

// TestRestartFreesThePort: the daemon that an app left in another session held it.
func TestRestartFreesThePort(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	port := freePort(t)
	h.must("start", progBin, "--name", "forker", "--kill-timeout", "300", "--env", "PORT="+port, "--", "doublefork", "pid")
	first := h.pidsIn("pid", 1)[0]
	h.until("it serves", hang, func() bool { return get(t.Context(), port) == nil })
	if err := os.Remove(filepath.Join(h.cwd, "pid")); err != nil {
		t.Fatal(err)
	}
	h.must("restart", "forker")
	if alive(first) {
		t.Error("the daemon of the run before is still there")
	}
	second := h.pidsIn("pid", 1)[0]
	h.until("it serves again", hang, func() bool { return get(t.Context(), port) == nil })
	if second == first {
		t.Error("the restart changed nothing")
	}
}

// TestCrashLeavesNoChildren: a leader that ends takes its tree along before it is started again.
func TestCrashLeavesNoChildren(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.write("quitter", "#!/bin/sh\nsetsid sh -c 'echo $$ > pid; exec sleep 1000' &\nread -r go < gate\nexit 3\n", 0o755)
	gate := filepath.Join(h.cwd, "gate")
	if err := syscall.Mkfifo(gate, 0o600); err != nil {
		t.Fatal(err)
	}
	h.must("start", "./quitter", "--no-autorestart")
	daemon := h.pidsIn("pid", 1)[0]
	openFIFO(t, gate)
	st := h.untilState("quitter", app.Stopped)
	if alive(daemon) {
		t.Errorf("the daemon of an app that ended (%s) is still there", st.Exit)
	}
}

// TestNoTreekill: what the user wants to keep is kept.
func TestNoTreekill(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.must("start", progBin, "--name", "keeper", "--no-treekill", "--", "doublefork", "pid")
	daemon := h.pidsIn("pid", 1)[0]
	h.must("delete", "keeper")
	if !alive(daemon) {
		t.Error("the daemon of a --no-treekill app was killed")
	}
	kill(t, daemon) // and see it end, or its cgroup could not be removed
}
