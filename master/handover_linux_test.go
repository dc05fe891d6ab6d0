package master

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// upgrade makes a master become a program and returns the pid of the next daemon.
func (m *testMaster) upgrade(program string) int {
	m.t.Helper()
	before := m.nextDaemon(0)
	k := &keeper{dir: m.dir}
	k.publish("upgrade", program)
	return m.nextDaemon(before)
}

// isResumed says that the master was executed anew.
func (m *testMaster) isResumed() bool {
	line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", m.cmd.Process.Pid))
	return strings.Contains(string(line), "--resume")
}

// A master that becomes another program keeps its children, their output, their exits, and its pid.
func TestUpgradeInPlace(t *testing.T) {
	const lines = 12_000
	m := startMaster(t, "", time.Second, fmt.Sprintf("keep DIR a=lines,%d b=wait c=exit,3", lines))
	want := expectedLines(lines)
	m.nextDaemon(0)
	first := m.read("a.pid")
	for range 5 {
		m.upgrade(exe(t))
	}
	until(t, "all lines", func() bool { return len(m.read("a.out")) >= len(want) })
	if got := m.read("a.out"); got != want {
		t.Errorf("lines are lost or mixed up (%d bytes, want %d)", len(got), len(want))
	}
	if m.read("a.pid") != first || !m.isResumed() || m.pid("master") != m.cmd.Process.Pid {
		t.Errorf("child was %s and is %s; master was %d and is %d", first, m.read("a.pid"), m.cmd.Process.Pid, m.pid("master"))
	}
	_ = unix.Kill(m.pid("b.pid"), unix.SIGTERM)
	until(t, "exits", func() bool { return strings.Count(m.read("exits"), "\n") == 2 })
	for _, exit := range []string{"c 3 0\n", "b -1 15\n"} {
		if !strings.Contains(m.read("exits"), exit) {
			t.Errorf("exits are %q, want %q", m.read("exits"), exit)
		}
	}
	if err := m.cmd.Process.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := m.exitCode(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestUpgradeThatFailsIsUndone(t *testing.T) {
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("no program"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ program, daemon, want string }{
		"no program":          {text, "", "cannot start it"},
		"cannot read table":   {"/bin/false", "", "cannot take over the table"},
		"daemon ends":         {exe(t), "ends", "exit code 7 before it served"},
		"daemon does nothing": {exe(t), "hangs", "did not come up"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := startMaster(t, "", time.Second, "keep DIR a=wait")
			m.nextDaemon(0)
			if c.daemon != "" {
				(&keeper{dir: m.dir}).publish("next-daemon", c.daemon)
			}
			pid := m.pid("a.pid")
			m.upgrade(c.program)
			if got := m.read("rollback"); !strings.Contains(got, c.want) {
				t.Errorf("the reason is %q, want %q", got, c.want)
			}
			if m.pid("a.pid") != pid || state(pid) == 0 {
				t.Errorf("child %d was replaced by %d", pid, m.pid("a.pid"))
			}
		})
	}
}
