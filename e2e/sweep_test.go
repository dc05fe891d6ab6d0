//go:build linux

package e2e

import (
	"strings"
	"testing"
)

// TestKillAfterACrashOfAll: kill leaves nothing, even when there is no daemon left to ask.
func TestKillAfterACrashOfAll(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.must("start", progBin, "--name", "sleeper", "--", "sleep")
	h.must("start", script(t, "children.sh"))
	pid := h.status("sleeper").PID
	d := h.daemon()
	stopProcess(t, d.PID) // so that it cannot start a master in time
	kill(t, d.MasterPID)
	kill(t, d.PID)
	h.untilDead(d)
	if out := h.must("kill"); !strings.Contains(out, "that a killed gpm had left running") {
		t.Errorf("kill printed %q", out)
	}
	if alive(pid) {
		t.Error("the app outlived the kill")
	}
}
