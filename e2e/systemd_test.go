//go:build linux

package e2e

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// names leaves the pids out.
func names(up map[int]string) string {
	var out []string
	for id := range 20 {
		if name, _, ok := strings.Cut(up[id], " "); ok {
			out = append(out, fmt.Sprintf("%d %s", id, name))
		}
	}
	return strings.Join(out, ", ")
}

// doctor wants gpm doctor to say something, with advice in the next line.
func (m *machine) doctor(text, advice string) {
	m.t.Helper()
	r := m.run("deploy", "gpm", "doctor")
	before, after, found := strings.Cut(r.out, text)
	next, _, _ := strings.Cut(strings.TrimPrefix(after, "\n"), "\n")
	if !found || !strings.Contains(next, advice) {
		m.t.Errorf("doctor does not say %q, %q:\n%s%s", text, advice, before, after)
	}
}

// TestSystemd is the life of a service under a real systemd: taken over from a gpm that was started by hand, killed,
// hung, reloaded, stopped, restarted, rebooted.
func TestSystemd(t *testing.T) {
	m := newMachine(t)
	const unit = "gpm-deploy.service"
	m.must("useradd", "-m", "fresh") // who has never run gpm
	if out := m.must("gpm", "startup", "systemd", "-u", "fresh"); !strings.Contains(out, "gpm-fresh is active and enabled") {
		t.Errorf("startup says %q", out)
	}
	m.must("useradd", "-m", "deploy")
	m.must("mkdir", "-p", "/etc/systemd/system/"+unit+".d")
	m.must("bash", "-c", "printf '[Service]\nWatchdogSec=2\nTimeoutStopSec=1\n' > /etc/systemd/system/"+unit+".d/test.conf")
	m.gpm("start", "/usr/local/bin/prog", "--name", "sleeper", "--", "sleep")
	m.gpm("start", "/usr/local/bin/http.js", "--name", "web", "-i", "2")
	m.gpm("start", "/usr/local/bin/prog", "--name", "down", "--", "sleep")
	m.gpm("stop", "down")
	before := m.untilOnline("the apps run", 3)

	m.doctor("warn service      gpm is not started with the machine", "→ gpm startup")
	r := m.run("deploy", "gpm", "startup")
	if want := "sudo env PATH=$PATH /usr/local/bin/gpm startup systemd -u deploy --home /home/deploy/.gpm"; r.code != 1 || !strings.Contains(r.out, want) {
		t.Errorf("without root: exit %d, %q", r.code, r.out)
	}
	out := m.must("gpm", "startup", "systemd", "-u", "deploy", "--home", "/home/deploy/.gpm")
	if !strings.Contains(out, "3 processes go on with the same pids as before") {
		t.Errorf("startup says %q", out)
	}
	m.same("taken over", before)
	m.doctor("ok   service      /etc/systemd/system/"+unit+" starts this gpm with the machine", "")

	// The unit's stop reaches the gpm that was started by hand; its start makes one of its own.
	m.must("systemctl", "restart", unit)
	up := m.untilOnline("restarted", 3)
	if names(up) != names(before) || fmt.Sprint(up) == fmt.Sprint(before) {
		t.Errorf("after a restart: was %v, is %v", before, up)
	}

	t.Run("reload", func(t *testing.T) {
		pid := m.property(unit, "MainPID")
		daemon := m.gpm("daemon", "status", "--json")
		m.must("systemctl", "reload", unit)
		if m.property(unit, "MainPID") != pid || m.gpm("daemon", "status", "--json") == daemon {
			t.Error("a reload replaces the daemon and keeps the master")
		}
		m.same("reloaded", up)
	})
	t.Run("kill -9 of the main process", func(t *testing.T) {
		m.must("systemctl", "kill", "--kill-whom=main", "-s", "KILL", unit)
		m.until("another main process", func() bool { return m.property(unit, "NRestarts") == "1" })
		m.untilOnline("all are up", 3)
		m.same("another main process", up)
	})
	t.Run("watchdog", func(t *testing.T) {
		m.must("kill", "-STOP", m.property(unit, "MainPID"))
		m.until("another main process", func() bool { return m.property(unit, "NRestarts") == "2" })
		m.untilOnline("all are up", 3)
		m.same("another main process after a hang", up)
	})
	t.Run("stop gives an app its time", func(t *testing.T) {
		m.gpm("start", "/usr/local/bin/prog", "--name", "slow", "--kill-timeout", "20000", "--", "graceful", "5", "3s")
		m.untilOnline("with the slow one", 4)
		m.must("systemctl", "stop", unit)
		if state := m.property(unit, "ActiveState") + " " + m.property(unit, "Result"); state != "inactive success" {
			t.Errorf("after the stop: %s", state)
		}
		m.doctor("warn service      /etc/systemd/system/"+unit+" is there, but the service does not run", "→ systemctl status gpm-deploy")
		m.must("systemctl", "start", unit)
		m.untilOnline("started", 4)
		if why := m.gpm("why", "slow"); !strings.Contains(why, "exit code 5") {
			t.Errorf("the slow one was not left its time:\n%s", why)
		}
	})
	t.Run("reboot", func(t *testing.T) {
		m.reboot()
		now := m.untilOnline("all are up", 4)
		if names(now) != "0 sleeper, 1 web, 2 web, 4 slow" {
			t.Errorf("after the reboot: %s", names(now))
		}
		if pid, err := strconv.Atoi(m.property(unit, "MainPID")); err != nil || !strings.Contains(m.gpm("daemon", "status", "--json"), fmt.Sprintf(`"master_pid":%d,`, pid)) {
			t.Errorf("the master is not the main process %d", pid)
		}
	})
	t.Run("unstartup", func(t *testing.T) {
		up := m.online()
		m.must("gpm", "unstartup", "systemd", "-u", "deploy")
		if r := m.run("", "systemctl", "is-enabled", unit); r.code == 0 {
			t.Error("the unit is still enabled")
		}
		m.same("after unstartup", up)
		m.must("bash", "-c", "printf '[Service]\nExecStart=/opt/gpm master --home /srv\n' > /etc/systemd/system/"+unit)
		m.doctor("warn service      /etc/systemd/system/"+unit+" starts another program, or another home", "→ gpm startup, which writes it anew")
	})
}
