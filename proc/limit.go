package proc

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"gpm/app"
)

// controllers are what limits need of the kernel.
var controllers = []string{"memory", "cpu", "pids", "io"}

// ownLeaf is the group that the daemon and its master move to: a group with controllers for those below it cannot
// have processes itself.
const ownLeaf = "gpm-self"

// Enable turns the controllers on for the groups of children, as far as that is allowed.
func (c *Cgroups) Enable() {
	if c != nil {
		c.enable(func(pid int) bool { return pid == os.Getpid() || pid == os.Getppid() })
	}
}

// enable is Enable; ours says that a process is one of gpm's own. Others are not moved.
func (c *Cgroups) enable(ours func(pid int) bool) {
	for _, name := range controllers {
		if err := turnOn(c.own, name, ours); err != nil {
			c.missing[name] = err
		} else if err := os.WriteFile(filepath.Join(c.dir, "cgroup.subtree_control"), []byte("+"+name), 0); err != nil {
			c.missing[name] = err
		}
	}
}

// Disable turns all controllers off, and with them the limits of what is still running: where one is on, an init
// system cannot start the next master in the group that it has given us.
func (c *Cgroups) Disable() error {
	var failed error
	for _, dir := range []string{c.dir, c.own} {
		control := filepath.Join(dir, "cgroup.subtree_control")
		b, err := os.ReadFile(control)
		if on := strings.Fields(string(b)); len(on) > 0 {
			err = os.WriteFile(control, []byte("-"+strings.Join(on, " -")), 0)
		}
		failed = errors.Join(failed, err)
	}
	return failed
}

var errBusyGroup = errors.New("other programs are in the same cgroup: run gpm as a service of its own (gpm startup)")

// turnOn enables one controller for the groups below own.
func turnOn(own, name string, ours func(pid int) bool) error {
	available, err := os.ReadFile(filepath.Join(own, "cgroup.controllers"))
	if err != nil {
		return err
	}
	if !slices.Contains(strings.Fields(string(available)), name) {
		return fmt.Errorf("cgroup v2 has no %s controller here", name)
	}
	control := filepath.Join(own, "cgroup.subtree_control")
	err = os.WriteFile(control, []byte("+"+name), 0)
	if !errors.Is(err, syscall.EBUSY) {
		return err
	}
	if err := vacate(own, ours); err != nil {
		return err
	}
	return os.WriteFile(control, []byte("+"+name), 0)
}

// vacate moves gpm's own processes to a group below.
func vacate(own string, ours func(pid int) bool) error {
	b, err := os.ReadFile(filepath.Join(own, "cgroup.procs"))
	if err != nil {
		return err
	}
	pids := parsePIDs(string(b))
	for _, pid := range pids {
		if !ours(pid) {
			return errBusyGroup
		}
	}
	leaf := filepath.Join(own, ownLeaf)
	if err := mkdir(leaf); err != nil {
		return err
	}
	for _, pid := range pids {
		if err := os.WriteFile(filepath.Join(leaf, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0); err != nil {
			return err
		}
	}
	return nil
}

// Limit sets what the group of a child may use, before anything is in it. cwd says which disk is meant. The error tells
// each limit that is not in force, and why.
func (c *Cgroups) Limit(name string, l app.Limits, cwd string) error {
	if l == (app.Limits{}) {
		return nil
	}
	if c == nil {
		return errors.New("limits need cgroup v2, and there is none that gpm may use; max_memory_restart works without")
	}
	var failed error
	dir := filepath.Join(c.dir, name)
	for _, s := range settingsOf(l) {
		err := c.missing[s.controller]
		if err == nil && s.controller == "io" {
			var disk string
			if disk, err = diskOf(cwd); err == nil {
				s.text = disk + " " + s.text
			}
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, s.file), []byte(s.text), 0o644)
		}
		if err != nil && !s.optional {
			failed = errors.Join(failed, fmt.Errorf("the limit of %s is not in force: %w", s.controller, err))
		}
	}
	return failed
}

// setting is one file of a group and what to write into it.
type setting struct {
	controller, file, text string
	optional               bool
}

// period is the usual one of cpu.max, in microseconds.
const period = 100_000

func settingsOf(l app.Limits) []setting {
	var out []setting
	if l.Memory > 0 {
		// All of it is killed, not the largest process: half an app helps nobody.
		out = append(out, setting{"memory", "memory.max", strconv.FormatInt(l.Memory, 10), false}, setting{"memory", "memory.oom.group", "1", true})
	}
	if l.CPU > 0 {
		out = append(out, setting{"cpu", "cpu.max", fmt.Sprintf("%d %d", max(1000, int64(math.Round(l.CPU*period))), period), false})
	}
	if l.PIDs > 0 {
		out = append(out, setting{"pids", "pids.max", strconv.Itoa(l.PIDs), false})
	}
	if l.IO > 0 {
		out = append(out, setting{"io", "io.max", fmt.Sprintf("rbps=%d wbps=%d", l.IO, l.IO), false})
	}
	return out
}

// Pressure is what the processes in the group of a child wait for; ok is false where nobody counts that.
func (c *Cgroups) Pressure(name string) (p app.Pressure, ok bool) {
	if c == nil {
		return p, false
	}
	return pressureIn(filepath.Join(c.dir, name), ".pressure")
}

// MachinePressure is what the machine as a whole waits for.
func MachinePressure() (app.Pressure, bool) { return pressureIn("/proc/pressure", "") }

func pressureIn(dir, suffix string) (p app.Pressure, ok bool) {
	for name, to := range map[string]*float64{"cpu": &p.CPU, "memory": &p.Memory, "io": &p.IO} {
		b, err := os.ReadFile(filepath.Join(dir, name+suffix))
		if errors.Is(err, fs.ErrNotExist) {
			return p, false
		}
		*to, ok = parsePressure(string(b))
		if err != nil || !ok {
			return p, false
		}
	}
	return p, true
}

// parsePressure reads "some avg10=1.23 …".
func parsePressure(text string) (float64, bool) {
	for line := range strings.Lines(text) {
		rest, some := strings.CutPrefix(line, "some avg10=")
		if !some {
			continue
		}
		digits, _, _ := strings.Cut(rest, " ")
		n, err := strconv.ParseFloat(digits, 64)
		return n, err == nil
	}
	return 0, false
}
