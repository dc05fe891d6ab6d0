//go:build linux

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gpm/app"
)

// restartsFor counts the restarts of a name for a reason that begins so.
func (h *home) restartsFor(name, reason string) int {
	h.t.Helper()
	n := 0
	for _, ev := range h.history(name) {
		if ev.Kind == app.EventRestart && strings.HasPrefix(ev.Reason, reason) {
			n++
		}
	}
	return n
}

// TestWatch: a save restarts once and says why, what is ignored or the app's own log does not, and a stopped app stays so.
func TestWatch(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.write(".gitignore", "served.sh\n", 0o600)
	h.write("served.sh", "#!/bin/sh\necho up\nexec sleep 1000\n", 0o755)
	h.must("start", "./served.sh", "--watch", "--ignore-watch", "*.tmp", "-o", "out.txt")
	if st := h.status("served"); !st.Watching {
		t.Error("it is not shown as watched")
	}
	h.write("x.tmp", "ignored", 0o600)
	first := h.write("lib.js", "1", 0o600)
	h.until("a save restarts it", hang, func() bool { return h.restartsFor("served", "watch: lib.js changed") == 1 })
	h.untilState("served", app.Online)
	h.write("served.sh", "#!/bin/sh\necho again\nexec sleep 1000\n", 0o755)
	h.until("its script counts though it is ignored", hang, func() bool { return h.restartsFor("served", "watch: served.sh changed") == 1 })
	if n := h.restartsFor("served", ""); n != 2 {
		t.Errorf("%d restarts for two saves", n)
	}
	h.must("stop", "served")
	if st := h.status("served"); st.Watching {
		t.Error("it is shown as watched while stopped")
	}
	h.write("lib.js", "2", 0o600)
	h.must("start", "./served.sh", "--name", "witness", "--watch="+first)
	h.write("lib.js", "3", 0o600)
	h.until("the witness saw the save", hang, func() bool { return h.restartsFor("witness", "watch: ") > 0 })
	if st := h.status("served"); st.State != app.Stopped {
		t.Errorf("a save has made a stopped app %s", st.State)
	}
	h.fails("cannot watch", "start", "./served.sh", "--name", "lost", "--watch="+filepath.Join(h.cwd, "nowhere"))
}

// TestWatchOutlivesTheDaemon: the next daemon watches what this one did.
func TestWatchOutlivesTheDaemon(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.write("app.sh", "#!/bin/sh\nexec sleep 1000\n", 0o755)
	h.must("start", "./app.sh", "--watch")
	old := h.daemon().PID
	process, err := os.FindProcess(old)
	if err != nil || process.Kill() != nil {
		t.Fatalf("cannot kill the daemon: %v", err)
	}
	h.until("another daemon is there", hang, func() bool { return h.daemon().PID != old })
	n := 0
	h.until("a save restarts it", hang, func() bool { // the watch begins a moment after the daemon
		n++
		h.write("lib.js", strings.Repeat("x", n), 0o600)
		return h.restartsFor("app", "watch: lib.js changed") > 0
	})
}

// TestCron: it restarts what runs at its moments, what is stopped stays so, and nonsense is refused.
func TestCron(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.must("start", progBin, "--name", "clock", "--cron", "* * * * * *", "--", "sleep")
	h.must("start", progBin, "--name", "down", "--cron-restart", "* * * * * *", "--", "sleep")
	h.must("start", progBin, "--name", "off", "-c", "0", "--", "sleep")
	h.must("stop", "down")
	before := h.status("down").Restarts
	seen := h.restartsFor("clock", "cron")
	h.until("cron has restarted it twice more", hang, func() bool { return h.restartsFor("clock", "cron") >= seen+2 })
	if st := h.status("down"); st.State != app.Stopped || st.Restarts != before {
		t.Errorf("a stopped app is %s after %d restarts", st.State, st.Restarts-before)
	}
	if st := h.status("off"); st.Restarts != 0 {
		t.Errorf("the one without a schedule has %d restarts", st.Restarts)
	}
	h.fails("61", "start", progBin, "--name", "bad", "--cron", "61 * * * *", "--", "sleep")
	h.fails("cannot read schedule", "restart", "off", "--cron", "now and then")
	if n := len(h.instances("bad")); n != 0 {
		t.Errorf("%d instances of what was refused", n)
	}
}

// TestMemoryLimit counts the children too, and spares those below.
func TestMemoryLimit(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.write("eats.sh", "#!/bin/sh\npython3 -c 'import time; x = b\"x\" * (150 << 20); time.sleep(1000)' & wait\n", 0o755)
	h.must("start", "./eats.sh", "--max-memory-restart", "100M", "--kill-timeout", "500")
	h.must("start", progBin, "--name", "small", "--max-memory-restart", "1G", "--", "sleep")
	h.until("the limit restarts it", hang, func() bool { return h.restartsFor("eats", "memory limit: 1") > 0 })
	if why := h.must("why", "eats"); !strings.Contains(why, "MB of 100 MB") {
		t.Errorf("gpm why:\n%s", why)
	}
	if st := h.status("small"); st.Restarts != 0 {
		t.Errorf("the small one has %d restarts", st.Restarts)
	}
}
