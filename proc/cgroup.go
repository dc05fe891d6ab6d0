package proc

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Cgroups makes a control group (v2, cgroups(7)) for each child of a home, below
// the group that the daemon itself is in. A nil Cgroups makes none.
//
// A group serves one child and is removed when that is released: Linux 6.14 and
// later kill at birth whatever is spawned into a group that was ever killed by cgroup.kill.
type Cgroups struct {
	own     string           // what gpm was given
	dir     string           // the home's part of it
	missing map[string]error // why a controller cannot be used
}

// OpenCgroups finds out whether groups can be made here; the error says why not.
func OpenCgroups(home string) (*Cgroups, error) {
	own, err := ownGroup()
	if err != nil {
		return nil, fmt.Errorf("cannot make cgroups: %w", err)
	}
	return openCgroups(own, home)
}

// delegated is the group that gpm was given, by the group that a process of it is in: the daemon moves to a group below
// to have limits, and systemd puts the commands of a service, other than the main one, into another.
func delegated(dir string) string {
	if base := filepath.Base(dir); base == ownLeaf || base == ".control" {
		return filepath.Dir(dir)
	}
	return dir
}

func openCgroups(own, home string) (*Cgroups, error) {
	c := &Cgroups{own: own, dir: filepath.Join(own, "gpm-"+HomeHash(home)), missing: map[string]error{}}
	if err := mkdir(c.dir); err != nil {
		return nil, fmt.Errorf("cannot make cgroups: %w", err)
	}
	// Without this file (before Linux 5.14) a group is no better than a walk.
	if _, err := os.Stat(filepath.Join(c.dir, "cgroup.kill")); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot kill by cgroup: %w", err), os.Remove(c.dir))
	}
	return c, nil
}

// Make makes the group of a child, or finds it, and returns its directory; ""
// where that is not possible. The name must be the child's own, such as "3.17" for
// the 17th child of instance 3: killing one child must not kill another.
func (c *Cgroups) Make(name string) string {
	if c == nil {
		return ""
	}
	dir := filepath.Join(c.dir, name)
	if mkdir(c.dir) != nil || mkdir(dir) != nil {
		return ""
	}
	return dir
}

// Dir returns the directory of the home's group; "" where there is none.
func (c *Cgroups) Dir() string {
	if c == nil {
		return ""
	}
	return c.dir
}

// Remove removes the group of a child that was never started; a started one's
// goes with its release.
func (c *Cgroups) Remove(name string) error {
	if c == nil {
		return nil
	}
	return group(filepath.Join(c.dir, name)).remove()
}

// reapTime is how long an ended process may keep its group: until the master has reaped it.
const reapTime = time.Second

// Close removes every group of the home; those that still have processes stay.
func (c *Cgroups) Close() error {
	if c == nil {
		return nil
	}
	home := group(c.dir)
	for limit := time.Now().Add(reapTime); ; time.Sleep(pauseFirst) {
		err := home.remove()
		if err == nil || len(home.pids()) > 0 || time.Now().After(limit) {
			return err
		}
	}
}

func mkdir(dir string) error {
	if err := os.Mkdir(dir, 0o755); !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// group is the directory of one control group; "" is none.
type group string

// kill ends every process in it and below, including those forked meanwhile.
func (g group) kill() error {
	return os.WriteFile(g.file("cgroup.kill"), []byte("1"), 0)
}

// pids lists the processes in it and below; zombies are not among them.
func (g group) pids() []int {
	b, err := os.ReadFile(g.file("cgroup.procs"))
	if err != nil {
		return nil
	}
	pids := parsePIDs(string(b))
	for _, sub := range g.below() {
		pids = append(pids, sub.pids()...)
	}
	return pids
}

// isBusy says that a process in it or below has not ended. One that is ending is
// no more among the pids, but still has its files and sockets.
func (g group) isBusy() bool {
	b, err := os.ReadFile(g.file("cgroup.events"))
	return err == nil && strings.Contains("\n"+string(b), "\npopulated 1\n")
}

// oomKills counts the processes killed for want of memory, where the memory
// controller is on.
func (g group) oomKills() int {
	b, err := os.ReadFile(g.file("memory.events"))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if count, ok := strings.CutPrefix(line, "oom_kill "); ok {
			n, _ := strconv.Atoi(strings.TrimSpace(count)) // 0 when unreadable
			return n
		}
	}
	return 0
}

// remove removes it and what is below, as far as it is empty.
func (g group) remove() error {
	for _, sub := range g.below() {
		_ = sub.remove() // what stays makes our own removal fail
	}
	if err := os.Remove(string(g)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot remove cgroup: %w", err)
	}
	return nil
}

func (g group) below() []group {
	entries, _ := os.ReadDir(string(g)) // a group that is gone has none
	var subs []group
	for _, e := range entries {
		if e.IsDir() {
			subs = append(subs, group(g.file(e.Name())))
		}
	}
	return subs
}

func (g group) file(name string) string { return filepath.Join(string(g), name) }

// parsePIDs reads numbers between white space and leaves out what is none.
func parsePIDs(s string) []int {
	var pids []int
	for word := range strings.FieldsSeq(s) {
		if pid, err := strconv.Atoi(word); err == nil && pid > 0 {
			pids = append(pids, pid)
		}
	}
	return pids
}
