//go:build linux

package e2e

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

const vmUnit = "gpm-deploy.service"

// TestVirtualMachine is what namespaces cannot show: limits in force, a clock that is set, a real reboot.
func TestVirtualMachine(t *testing.T) {
	v := newVirtual(t)
	v.must("useradd", "-m", "deploy")
	v.must("gpm", "startup", "systemd", "-u", "deploy")
	v.gpm("start", "/usr/local/bin/prog", "--name", "steady", "--", "sleep")
	v.untilOnline("the first app runs", 1)
	for _, part := range []struct {
		name string
		show func(*testing.T)
	}{{"limits", v.limits}, {"limits outlive the master", v.limitsOutlive}, {"clock", v.clock}, {"reboot", v.orderAtBoot}} {
		t.Run(part.name, func(t *testing.T) {
			v.t = t
			part.show(t)
		})
		v.t = t
	}
}

// shell starts an app that is a shell script.
func (v *virtual) shell(name, script string, options ...string) {
	v.t.Helper()
	v.must("bash", "-c", fmt.Sprintf("printf %%s '#!/bin/sh\n%s\n' > /home/deploy/%s.sh; chmod 755 /home/deploy/%s.sh", script, name, name))
	v.gpm(append([]string{"start", "/home/deploy/" + name + ".sh", "--name", name}, options...)...)
}

// group prints a file of the control group of an app's process.
func (v *virtual) group(name, file string) string {
	v.t.Helper()
	id := strings.Trim(strings.TrimSpace(v.gpm("id", name)), "[] ")
	return v.must("bash", "-c", "cat /sys/fs/cgroup/system.slice/"+vmUnit+"/gpm-*/"+id+".*/"+file)
}

// number is the figure after a word, at the beginning of a line or within.
func number(text, word string) int {
	_, rest, _ := strings.Cut(text, word)
	digits := strings.FieldsFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
	if len(digits) == 0 {
		return 0
	}
	n, _ := strconv.Atoi(digits[0])
	return n
}

// limits: each is in force, and its outcome can be told from others.
func (v *virtual) limits(t *testing.T) {
	v.shell("hungry", "tail /dev/zero", "--limit-memory", "50M", "--no-autorestart", "--on", "limit=cat > /home/deploy/told")
	v.shell("busy", "while :; do :; done", "--limit-cpu", "0.2", "--limit-pids", "9")
	v.shell("many", "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 1000 & done; wait", "--limit-pids", "6", "--no-autorestart")
	v.shell("writer", "dd if=/dev/zero of=/home/deploy/big bs=64k count=300 oflag=direct && sync", "--limit-io", "2M", "--no-autorestart")
	v.until("the memory limit is named", func() bool { return strings.Contains(v.gpm("why", "hungry"), "killed by SIGKILL (out of memory)") })
	v.until("the hook hears of it", func() bool {
		return strings.Contains(v.run("", "cat", "/home/deploy/told").out, `"reason":"out of memory"`)
	})
	v.until("processor time is held back", func() bool { return number(v.group("busy", "cpu.stat"), "nr_throttled") > 20 })
	used := number(v.group("busy", "cpu.stat"), "usage_usec")
	periods := number(v.group("busy", "cpu.stat"), "nr_periods")
	if used > 2*20_000*periods {
		t.Errorf("%d µs used in %d periods of 20,000", used, periods)
	}
	v.until("the limit of processes is felt", func() bool {
		return strings.Contains(v.gpm("why", "many"), "Cannot fork") || strings.Contains(v.gpm("why", "many"), "temporarily unavailable")
	})
	v.until("the writer is done", func() bool { return strings.Contains(v.gpm("why", "writer"), "exit code 0") })
	if why := v.gpm("why", "writer"); !slowerThan(why, 300*64<<10/(2<<20)/2) {
		t.Errorf("the limit of the disk was not felt:\n%s", why)
	}
	if text := v.gpm("describe", "busy"); !strings.Contains(text, "0.2 CPUs") || !strings.Contains(text, "pressure") {
		t.Errorf("gpm describe:\n%s", text)
	}
	v.gpm("delete", "hungry", "many", "writer")
}

// slowerThan reads "exit code 0 after 9.5s".
func slowerThan(why string, seconds int) bool {
	_, after, _ := strings.Cut(why, "exit code 0 after ")
	word, _, _ := strings.Cut(after, "\n")
	took, err := time.ParseDuration(strings.Fields(word + " ")[0])
	return err == nil && took > time.Duration(seconds)*time.Second
}

// limitsOutlive: systemd starts the next master though controllers were on, the apps go on, and their limits are set again.
func (v *virtual) limitsOutlive(t *testing.T) {
	before := v.online()
	for what, blow := range map[string][]string{
		"kill -9 of the master": {"systemctl", "kill", "--kill-whom=main", "-s", "KILL", vmUnit},
		"reload":                {"systemctl", "reload", vmUnit},
	} {
		status := v.gpm("daemon", "status", "--json")
		v.must(blow...)
		v.until("another daemon serves after "+what, func() bool {
			r := v.run("deploy", "gpm", "daemon", "status", "--json")
			return r.code == 0 && r.out != status && v.property(vmUnit, "ActiveState") == "active" && len(v.online()) == len(before)
		})
		v.same(what, before)
		if got := v.group("busy", "cpu.max") + v.group("busy", "pids.max"); got != "20000 100000\n9\n" {
			t.Errorf("after %s the limits are %q", what, got)
		}
	}
	v.gpm("delete", "busy")
}

// clock: that it is set restarts nothing, ages nothing, and has a job run neither twice nor never.
func (v *virtual) clock(t *testing.T) {
	v.shell("often", "date", "--schedule", "@every 5s")
	v.shell("made-up", "date", "--schedule", "0 0 * * *", "--schedule-missed", "once")
	v.shell("left-out", "date", "--schedule", "0 0 * * *")
	v.shell("crash", "exit 3", "--restart-delay", "3600000")
	v.gpm("restart", "steady", "--cron-restart", "0 0 * * *")
	before := v.gpm("pid", "steady")
	ran := func() time.Time { return lastStart(t, v.gpm("why", "often")) }
	v.until("the job runs", func() bool { return !ran().IsZero() })
	for _, step := range []string{"+26 hours", "-26 hours"} {
		v.must("date", "-s", step)
		seen := ran()
		v.until("the job goes on after "+step, func() bool { return !ran().Equal(seen) })
		if now := v.gpm("pid", "steady"); now != before {
			t.Errorf("%s: was %s, is %s", step, before, now)
		}
		_, row, _ := strings.Cut(v.gpm("describe", "steady"), "uptime")
		if row, _, _ = strings.Cut(row, "\n"); strings.ContainsAny(row, "hD-") {
			t.Errorf("%s: the uptime is %s", step, row)
		}
	}
	if why := v.gpm("why", "made-up"); strings.Count(why, "exit code 0 after") != 1 || !strings.Contains(why, "this run made up for that of") {
		t.Errorf("once:\n%s", why)
	}
	if why := v.gpm("why", "left-out"); strings.Contains(why, "exit code 0") || !strings.Contains(why, "was left out: missed") {
		t.Errorf("skip:\n%s", why)
	}
	if why := v.gpm("why", "crash"); strings.Count(why, "exit code 3 after") != 1 {
		t.Errorf("a delay of an hour:\n%s", why)
	}
	v.gpm("delete", "often", "made-up", "left-out", "crash")
}

// orderAtBoot: what depends on others is brought back after these, by the machine's service and by that of a user who
// is not logged in.
func (v *virtual) orderAtBoot(t *testing.T) {
	v.gpm("delete", "steady")
	v.must("bash", "-c", `printf '%s' '{"apps": [
		{"name": "api", "script": "/usr/local/bin/prog", "args": "sleep", "depends_on": {"db": "healthy"}},
		{"name": "db", "script": "/usr/local/bin/prog", "args": "http", "env": {"PORT": "5432"}, "health": {"http": "http://127.0.0.1:5432/"}, "depends_on": ["base"]},
		{"name": "base", "script": "/usr/local/bin/prog", "args": "sleep"}]}' > /home/deploy/apps.json`)
	v.gpm("start", "/home/deploy/apps.json")
	v.untilOnline("all run", 3)
	v.must("useradd", "-m", "other")
	v.must("loginctl", "enable-linger", "other")
	v.until("the user's own session manager runs", func() bool { return v.run("other", "systemctl", "--user", "is-active", "default.target").code == 0 })
	if out := v.mustAs("other", "gpm", "startup", "systemd", "--user-unit"); !strings.Contains(out, "gpm-other is active and enabled") {
		t.Errorf("startup says %q", out)
	}
	v.mustAs("other", "gpm", "start", "/usr/local/bin/prog", "--name", "own", "--limit-memory", "60M", "--", "sleep")
	if why := v.mustAs("other", "gpm", "why", "own"); strings.Contains(why, "not in force") {
		t.Errorf("a user's limits:\n%s", why)
	}
	v.reboot()
	v.untilOnline("all are back", 3)
	var last time.Time
	for _, name := range []string{"base", "db", "api"} {
		at := lastStart(t, v.gpm("why", name))
		if at.Before(last) {
			t.Errorf("%s was started before what it depends on", name)
		}
		last = at
	}
	v.until("the user's app is back", func() bool { return strings.Contains(v.run("other", "gpm", "list").out, "online") })
}

// lastStart reads the time of the last start that gpm why tells of.
func lastStart(t *testing.T, why string) (at time.Time) {
	t.Helper()
	for line := range strings.Lines(why) {
		if words := strings.Fields(line); len(words) > 2 && words[2] == "start" {
			var err error
			if at, err = time.Parse("2006-01-02 15:04:05.000", words[0]+" "+words[1]); err != nil {
				t.Fatal(err)
			}
		}
	}
	return at
}
