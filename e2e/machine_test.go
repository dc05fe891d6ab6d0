//go:build linux

package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// machine is a whole machine in namespaces, with a systemd of its own.
type machine struct {
	guest
	outer  *exec.Cmd
	ended  chan error
	output bytes.Buffer
	cgroup string
}

// newMachine boots a machine, or skips the test where none can be had.
func newMachine(t *testing.T) *machine {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("a machine with a systemd of its own needs root")
	}
	for _, tool := range []string{"/lib/systemd/systemd", "/usr/bin/dbus-daemon", "/usr/bin/nsenter", "/usr/bin/unshare"} {
		if _, err := os.Stat(tool); err != nil {
			t.Skipf("%s is not installed (.ci/deps installs systemd and dbus on Debian)", tool)
		}
	}
	m := &machine{ended: make(chan error, 1), cgroup: filepath.Join(cgroupRoot(t), fmt.Sprintf("gpm-machine-%d", os.Getpid()))}
	m.guest = guest{t: t, exec: m.enter, patience: time.Minute}
	if err := os.Mkdir(m.cgroup, 0o755); err != nil {
		t.Skipf("no control group can be made: %v", err)
	}
	t.Cleanup(m.removeCgroup)
	group, err := os.Open(m.cgroup)
	if err != nil {
		t.Fatal(err)
	}
	defer group.Close()
	m.outer = exec.Command("unshare", "--mount", "--kill-child", "bash", "testdata/machine.sh", t.TempDir(), gpmBin, progBin, script(t, "http.js"))
	m.outer.Stdout, m.outer.Stderr = &m.output, &m.output
	m.outer.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(group.Fd())}
	if err := m.outer.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { m.ended <- m.outer.Wait() }()
	t.Cleanup(m.powerOff)
	m.awaitBoot(0)
	return m
}

func cgroupRoot(t *testing.T) string {
	t.Helper()
	for _, dir := range []string{"/sys/fs/cgroup/unified", "/sys/fs/cgroup"} {
		if _, err := os.Stat(filepath.Join(dir, "cgroup.procs")); err == nil {
			return dir
		}
	}
	t.Skip("there is no cgroup v2")
	return ""
}

func (m *machine) removeCgroup() {
	_ = os.WriteFile(filepath.Join(m.cgroup, "cgroup.kill"), []byte("1"), 0)
	deadline := time.After(10 * time.Second)
	for {
		var dirs []string
		_ = filepath.WalkDir(m.cgroup, func(path string, d os.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				dirs = append(dirs, path)
			}
			return nil
		})
		for i := len(dirs) - 1; i >= 0; i-- {
			_ = os.Remove(dirs[i])
		}
		if _, err := os.Stat(m.cgroup); err != nil {
			return
		}
		select {
		case <-deadline:
			m.t.Errorf("the machine's control group stays: %s", m.cgroup)
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// init is the host's id of the machine's first process, 0 while there is none.
func (m *machine) init() int {
	pid := m.outer.Process.Pid
	for range 3 { // unshare, bash, unshare, init
		if pid = onlyChild(pid); pid == 0 {
			return 0
		}
	}
	name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if string(name) != "systemd\n" {
		return 0
	}
	return pid
}

func onlyChild(pid int) int {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	child, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return child
}

// awaitBoot waits for a machine whose first process is not the one of before.
func (m *machine) awaitBoot(before int) {
	m.t.Helper()
	m.until("the machine is up", func() bool {
		select {
		case err := <-m.ended:
			m.ended <- err
			m.t.Fatalf("the machine ended: %v\n%s", err, m.output.String())
		default:
		}
		if pid := m.init(); pid == 0 || pid == before {
			return false
		}
		state := m.run("", "systemctl", "is-system-running").out
		return strings.HasPrefix(state, "running") || strings.HasPrefix(state, "degraded")
	})
	m.must("ip", "link", "set", "lo", "up")
}

// enter runs a command in the machine, as a user if one is given.
func (m *machine) enter(user string, words []string) result {
	m.t.Helper()
	args := []string{"-t", strconv.Itoa(m.init()), "-a"}
	if user != "" {
		args = append(args, "runuser", "-u", user, "--")
	}
	args = append(args, "env", "-i", "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:"+filepath.Dir(node(m.t)), "NO_COLOR=1")
	if user != "" {
		args = append(args, "HOME=/home/"+user)
	} else {
		args = append(args, "HOME=/root")
	}
	cmd := exec.Command("nsenter", append(args, words...)...)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	r := result{out.String(), errs.String(), 0}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		r.code = exit.ExitCode()
	} else if err != nil {
		m.t.Fatal(err)
	}
	return r
}

func node(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("node")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func (m *machine) reboot() {
	m.t.Helper()
	before := m.init()
	m.run("", "systemctl", "reboot")
	m.awaitBoot(before)
}

func (m *machine) powerOff() {
	if m.t.Failed() {
		m.t.Logf("%s", m.run("", "bash", "-c", "systemctl status --no-pager gpm-deploy; cat /home/deploy/.gpm/*.log").out)
	}
	_ = m.run("", "systemctl", "poweroff", "--force")
	select {
	case <-m.ended:
	case <-time.After(20 * time.Second):
		_ = m.outer.Process.Kill()
		<-m.ended
	}
}
