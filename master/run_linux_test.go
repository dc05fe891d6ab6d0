package master

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// testMaster is a master process under test.
type testMaster struct {
	t     testing.TB
	dir   string
	cmd   *exec.Cmd
	ended chan error
	log   bytes.Buffer // to be read after the end
}

// startMaster starts a master with a daemon, under a shell that runs setup first.
func startMaster(t testing.TB, setup string, heartbeat time.Duration, daemon string) *testMaster {
	t.Helper()
	m := &testMaster{t: t, dir: t.TempDir(), ended: make(chan error, 1)}
	config, _ := json.Marshal(masterConfig{m.dir, heartbeat, strings.ReplaceAll(daemon, "DIR", m.dir)})
	m.cmd = exec.Command("/bin/sh", "-c", setup+"\nexec \"$0\" master", exe(t))
	m.cmd.Env = []string{childVar + "=master", masterVar + "=" + string(config), noRaceWait, "PATH=/usr/bin:/bin"}
	m.cmd.Stderr = &m.log
	if err := m.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { m.ended <- m.cmd.Wait() }()
	t.Cleanup(m.cleanup)
	return m
}

// cleanup kills the master and whatever was started under it, by pid.
func (m *testMaster) cleanup() {
	_ = m.cmd.Process.Kill()
	m.exitCode() // the log is complete then
	files, _ := filepath.Glob(filepath.Join(m.dir, "*.pid"))
	for _, f := range append(files, filepath.Join(m.dir, "daemon")) {
		var pid int
		var start uint64
		fmt.Sscan(m.read(filepath.Base(f)), &pid, &start)
		if now, err := startTime(pid); err == nil && now == start { // not another one of that pid
			_ = unix.Kill(-pid, unix.SIGKILL)
		}
	}
	if m.t.Failed() {
		text, _ := os.ReadFile(filepath.Join(m.dir, "daemon.log"))
		m.t.Logf("master: %s\ndaemon: %s", m.log.String(), text)
	}
}

func (m *testMaster) read(name string) string {
	data, _ := os.ReadFile(filepath.Join(m.dir, name))
	return string(data)
}

// pid is the first number in a file, 0 when it is not there.
func (m *testMaster) pid(name string) int {
	word, _, _ := strings.Cut(m.read(name), " ")
	n, _ := strconv.Atoi(word)
	return n
}

// nextDaemon waits for a daemon that is not old.
func (m *testMaster) nextDaemon(old int) int {
	m.t.Helper()
	until(m.t, "a new daemon", func() bool { p := m.pid("daemon"); return p != 0 && p != old })
	return m.pid("daemon")
}

// exitCode waits for the end of the master.
func (m *testMaster) exitCode() int {
	m.t.Helper()
	select {
	case err := <-m.ended:
		m.ended <- err
		if e, ok := errors.AsType[*exec.ExitError](err); ok {
			return e.ExitCode()
		}
		return 0
	case <-time.After(patience):
		m.t.Fatal("the master does not end")
	}
	return 0
}

// The promise of the whole design: daemons die at any moment, children notice
// nothing, and not one of their lines is lost.
func TestTwentyKilledDaemonsLoseNothing(t *testing.T) {
	const lines = 12_000
	keys := []string{"a", "b", "c"}
	m := startMaster(t, "", time.Second, fmt.Sprintf("keep DIR a=lines,%d b=lines,%d c=lines,%d", lines, lines, lines))
	daemon := m.nextDaemon(0)
	first := m.read("a.pid")
	size := func() int { return len(m.read("a.out")) }
	want := expectedLines(lines)
	for range 20 {
		goal := min(len(want), size()+rand.IntN(6000))
		until(t, "more lines", func() bool { return size() >= goal })
		if err := unix.Kill(daemon, unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
		daemon = m.nextDaemon(daemon)
	}
	for _, key := range keys {
		until(t, "all lines of "+key, func() bool { return len(m.read(key+".out")) >= len(want) })
		if got := m.read(key + ".out"); got != want {
			t.Errorf("%s: lines are lost or mixed up (%d bytes, want %d)", key, len(got), len(want))
		}
	}
	if m.read("a.pid") != first {
		t.Errorf("child was replaced: %s, then %s", first, m.read("a.pid"))
	}
	if m.read("exits") != "" {
		t.Errorf("exits: %s", m.read("exits"))
	}
}

func expectedLines(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintln(&b, "line", i)
	}
	return b.String()
}

func TestExitWhileNoDaemonLivesIsReported(t *testing.T) {
	m := startMaster(t, "", time.Second, "keep DIR a=wait b=wait")
	daemon := m.nextDaemon(0)
	stop := func(pid int) { until(t, "stopped", func() bool { return state(pid) == 'T' }) }
	_ = unix.Kill(m.cmd.Process.Pid, unix.SIGSTOP) // so that no new daemon comes yet
	stop(m.cmd.Process.Pid)
	_ = unix.Kill(daemon, unix.SIGKILL)
	_ = unix.Kill(m.pid("a.pid"), unix.SIGKILL)
	_ = unix.Kill(m.pid("b.pid"), unix.SIGTERM)
	until(t, "both have ended", func() bool { return state(m.pid("a.pid")) == 'Z' && state(m.pid("b.pid")) == 'Z' })
	_ = unix.Kill(m.cmd.Process.Pid, unix.SIGCONT)
	m.nextDaemon(daemon)
	until(t, "both exits are reported", func() bool { return strings.Count(m.read("exits"), "\n") == 2 })
	if got := m.read("exits"); !strings.Contains(got, "a -1 9\n") || !strings.Contains(got, "b -1 15\n") {
		t.Errorf("exits: %q", got)
	}
}

func TestHungDaemonIsReplaced(t *testing.T) {
	m := startMaster(t, "", 50*time.Millisecond, "keep DIR a=wait")
	daemon := m.nextDaemon(0)
	child := m.read("a.pid")
	for range 2 {
		_ = unix.Kill(daemon, unix.SIGSTOP)
		daemon = m.nextDaemon(daemon)
	}
	if m.read("a.pid") != child {
		t.Error("the child was replaced")
	}
}

func TestGarbageOnTheLinkOnlyCostsTheDaemon(t *testing.T) {
	m := startMaster(t, "", 50*time.Millisecond, "garbage DIR")
	m.nextDaemon(0) // comes after all kinds of garbage
	_ = m.cmd.Process.Signal(unix.SIGTERM)
	if code := m.exitCode(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestTermEndsEverythingInOrder(t *testing.T) {
	m := startMaster(t, "", time.Second, "keep DIR a=ignore b=wait c=nested")
	daemon := m.nextDaemon(0)
	if m.pid("master") != m.cmd.Process.Pid {
		t.Errorf("master is %d, the link says %d", m.cmd.Process.Pid, m.pid("master"))
	}
	_ = m.cmd.Process.Signal(unix.SIGTERM)
	if code := m.exitCode(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	for _, pid := range []int{daemon, m.pid("a.pid"), m.pid("b.pid"), m.pid("c.pid")} {
		if s := state(pid); s != 0 {
			t.Errorf("process %d is left, state %q", pid, s)
		}
	}
}

func TestDaemonThatExitsAtOnce(t *testing.T) {
	for _, c := range []struct {
		daemon string
		want   int
	}{{"exit 75", ExitAlreadyRunning}, {"exit 78", 1}} {
		if code := startMaster(t, "", time.Second, c.daemon).exitCode(); code != c.want {
			t.Errorf("%s: exit code %d, want %d", c.daemon, code, c.want)
		}
	}
}

// When no daemon comes up any more a master that is asked to end does it alone.
func TestMasterEndsChildrenWithoutDaemon(t *testing.T) {
	m := startMaster(t, "", time.Second, "keep DIR a=wait b=nested")
	daemon := m.nextDaemon(0)
	if err := os.WriteFile(filepath.Join(m.dir, "broken"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_ = unix.Kill(daemon, unix.SIGKILL)
	_ = m.cmd.Process.Signal(unix.SIGTERM)
	if code := m.exitCode(); code != 1 {
		t.Errorf("exit code %d", code)
	}
	for _, name := range []string{"a.pid", "b.pid"} {
		if s := state(m.pid(name)); s != 0 && s != 'Z' {
			t.Errorf("%s is left, state %q", name, s)
		}
	}
}

// Orphans fall to the master and are reaped, also while an ended child that
// nobody releases stands in front of them; that child is not reaped.
func TestOrphansAreReapedAndChildrenAreNot(t *testing.T) {
	m := startMaster(t, "touch $DIR", time.Second, "keep DIR a=orphan b=orphan c=wait")
	if err := os.WriteFile(filepath.Join(m.dir, "no-release"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	m.nextDaemon(0)
	until(t, "two exits", func() bool { return strings.Count(m.read("exits"), "\n") == 2 })
	for _, key := range []string{"a", "b"} {
		until(t, "the orphan's pid", func() bool { return strings.HasSuffix(m.read(key+".out"), "\n") })
		orphan, _ := strconv.Atoi(strings.TrimSpace(m.read(key + ".out")))
		s, err := readStat(orphan)
		if err != nil || s.ppid != m.cmd.Process.Pid {
			t.Errorf("orphan of %s has parent %d (%v), want the master %d", key, s.ppid, err, m.cmd.Process.Pid)
		}
		_ = unix.Kill(orphan, unix.SIGKILL)
		until(t, "the orphan is reaped", func() bool { return state(orphan) == 0 })
	}
	for _, name := range []string{"a.pid", "b.pid"} {
		if s := state(m.pid(name)); s != 'Z' {
			t.Errorf("unreleased %s: state %q", name, s)
		}
	}
}

// kill -9 of the master: children go on printing into pipes that nobody reads,
// and another master adopts them with their output and their exit status.
func TestSurvivorsOfAMasterAreAdopted(t *testing.T) {
	const lines = 4000
	m := startMaster(t, "", time.Second, fmt.Sprintf("keep DIR a=lines,%d b=lines,1", lines))
	daemon := m.nextDaemon(0)
	var pid int
	var start uint64
	fmt.Sscan(m.read("a.pid"), &pid, &start)
	_ = m.cmd.Process.Kill()
	m.exitCode()
	until(t, "the daemon ends too", func() bool { s := state(daemon); return s == 0 || s == 'Z' })

	table := newTable(t, Options{})
	h := newLink(t, table)
	if _, err := h.Adopt(t.Context(), "a", pid, start+1); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("wrong start time: %v", err)
	}
	p, err := h.Adopt(t.Context(), "a", pid, start)
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll(p)
	if p.Stdout == nil || p.Stderr == nil {
		t.Fatalf("pipes are missing: %+v", p)
	}
	if _, err := h.Adopt(t.Context(), "twice", pid, start); !errors.Is(err, os.ErrExist) {
		t.Errorf("adopted twice: %v", err)
	}
	rest := readTo(t, p.Stdout, fmt.Sprintf("line %d\n", lines-1))
	if got := m.read("a.out") + rest; got != expectedLines(lines) {
		t.Errorf("lines are lost: %d bytes, want %d", len(got), len(expectedLines(lines)))
	}
	checkAdoptedEnd(t, h, pid)
}

func readTo(t *testing.T, f *os.File, end string) string {
	t.Helper()
	var text []byte
	f.SetReadDeadline(time.Now().Add(patience))
	buf := make([]byte, 4096)
	for !bytes.HasSuffix(text, []byte(end)) {
		n, err := f.Read(buf)
		if err != nil {
			t.Fatalf("after %d bytes: %v", len(text), err)
		}
		text = append(text, buf[:n]...)
	}
	return string(text)
}

func checkAdoptedEnd(t *testing.T, h Host, pid int) {
	t.Helper()
	list, _ := h.List(t.Context())
	if len(list.Children) != 1 || !list.Children[0].Adopted {
		t.Errorf("list: %+v", list.Children)
	}
	if err := h.Signal(t.Context(), "a", int(unix.SIGTERM), true); err != nil {
		t.Fatal(err)
	}
	e := exitOf(t, h, "a")
	if e.PID != pid || e.Unknown || e.Signal != int(unix.SIGTERM) {
		t.Errorf("exit: %+v", e)
	}
	if _, err := h.Adopt(t.Context(), "a", pid, 1); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("adopt after the end: %v", err)
	}
}

// A child that fills its pipe blocks; neither that nor the end of all readers kills it.
func TestNobodyReadsAndNobodyDies(t *testing.T) {
	m := startMaster(t, "", time.Second, "keep DIR a=flood")
	m.nextDaemon(0)
	pid := m.pid("a.pid")
	_ = m.cmd.Process.Kill()
	m.exitCode()
	until(t, "it blocks on a full pipe", func() bool {
		name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/wchan", pid))
		return state(pid) == 'S' && (len(name) < 2 || strings.Contains(string(name), "pipe") || strings.Contains(string(name), "futex"))
	})
	if text := m.read("a.report"); text != "" {
		t.Errorf("a write failed: %s", text)
	}
}

// Children see the limit of open files that the master was started with: while
// Go restores it, and after the master had to raise its own.
func TestChildrenKeepTheOriginalFileLimit(t *testing.T) {
	for name, c := range map[string]struct {
		setup    string
		children int
		want     string
	}{
		"soft under hard":         {"ulimit -Sn 500; ulimit -Hn 4000", 2, "500\n4000\n"},
		"raised, soft and hard":   {"ulimit -n 64", 40, "64\n64\n"},
		"raised, soft under hard": {"ulimit -Sn 60; ulimit -Hn 64", 40, "60\n64\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.children > 2 && !mayRaise(t) {
				t.Skip("this user may not raise limits")
			}
			daemon := "keep DIR"
			for i := range c.children {
				daemon += fmt.Sprintf(" k%d=ulimit", i)
			}
			m := startMaster(t, c.setup, time.Second, daemon)
			m.nextDaemon(0)
			for i := range c.children {
				file := fmt.Sprintf("k%d.out", i)
				until(t, "output", func() bool { return strings.Count(m.read(file), "\n") == 2 })
				if got := m.read(file); got != c.want {
					t.Errorf("child %d: %q, want %q", i, got, c.want)
				}
			}
		})
	}
}

// mayRaise says whether this process has CAP_SYS_RESOURCE, capabilities(7).
func mayRaise(t *testing.T) bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		t.Fatal(err)
	}
	return data[0].Effective&(1<<unix.CAP_SYS_RESOURCE) != 0
}

// What Go gives children back can be found out, soft limit included.
func TestChildFileLimit(t *testing.T) {
	cmd := exec.Command("/bin/sh", "-c", "ulimit -Sn 60; ulimit -Hn 4000; exec \"$0\"", exe(t))
	cmd.Env = []string{childVar + "=limit", noRaceWait}
	out, err := cmd.CombinedOutput()
	if err != nil || string(out) != "60 4000\n" {
		t.Errorf("%s, %v", out, err)
	}
}
