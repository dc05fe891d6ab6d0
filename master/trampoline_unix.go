//go:build unix

package master

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"gpm/ipc/frame"
)

// limits is what a child must set for itself between fork and exec. Go cannot
// run code there, so our own binary is executed first and executes the program.
type limits struct {
	Rlimits     []Rlimit    `json:"rlimits,omitempty"`
	Nice        *int        `json:"nice,omitempty"`
	CPUs        []int       `json:"cpus,omitempty"`
	OOMScoreAdj *int        `json:"oom_score_adj,omitempty"`
	Credential  *Credential `json:"credential,omitempty"` // last, for the others may need root
	Dir         []byte      `json:"dir,omitempty"`        // after Credential, as that user
}

// wrap makes a launch go through the trampoline when limits are asked for, or
// when the master's own limit of open files must not be inherited.
func (t *Table) wrap(l *launch) error {
	lim := limits{l.Rlimits, l.Nice, l.CPUs, l.OOMScoreAdj, nil, nil}
	lim.Rlimits = t.files.restore(lim.Rlimits)
	if lim.Rlimits == nil && lim.Nice == nil && lim.CPUs == nil && lim.OOMScoreAdj == nil {
		return nil
	}
	if len(t.opt.Trampoline) == 0 {
		return fmt.Errorf("cannot set limits: %w", errors.ErrUnsupported)
	}
	lim.Credential, lim.Dir = l.Credential, []byte(l.Dir)
	return t.wrapWith(l, lim)
}

func (t *Table) wrapWith(l *launch, lim limits) error {
	data, err := json.Marshal(lim)
	if err != nil {
		return err
	}
	conn, theirs, err := frame.Pair()
	if err != nil {
		return err
	}
	number := len(l.files)
	l.files = append(l.files, theirs)
	l.Argv = slices.Concat(t.opt.Trampoline, []string{strconv.Itoa(number), l.Path}, l.Argv)
	l.Path, l.Credential, l.Dir = t.opt.Trampoline[0], nil, ""
	l.end = func() { conn.Close() }
	l.confirm = func() error {
		unix.Close(theirs) // only the child has it now, so its exec ends the stream
		l.files[number] = closed
		return confirm(conn, data)
	}
	return nil
}

// confirm sends the limits and waits for the exec, seen as the end of the stream, or for a failure.
func confirm(conn *frame.Conn, data []byte) error {
	if err := conn.Write(frame.Message{Payload: data}); err != nil {
		return fmt.Errorf("cannot set limits: %w", err)
	}
	m, err := conn.Read()
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot set limits: %w", err)
	}
	var w wireError
	if err := json.Unmarshal(m.Payload, &w); err != nil {
		return fmt.Errorf("cannot set limits: %w", err)
	}
	return w.error()
}

// Trampoline is the hidden command that Options.Trampoline calls in a child:
// it sets the limits it is sent and executes the program. args are those after the
// command's own words. It returns only when that has failed, and the master
// has been told; the caller then exits with a code that is not 0.
func Trampoline(args []string) error {
	if len(args) < 3 {
		return errors.New("cannot start: called by a master only")
	}
	fd, err := strconv.Atoi(args[0])
	if err != nil {
		return fmt.Errorf("cannot start: %w", err)
	}
	conn, err := frame.New(fd) // close-on-exec from here
	if err != nil {
		return fmt.Errorf("cannot start: %w", err)
	}
	defer conn.Close()
	m, err := conn.Read()
	if err != nil {
		return fmt.Errorf("cannot start: %w", err)
	}
	err = become(m.Payload, args[1], args[2:])
	if data, e := json.Marshal(toWire(err)); e == nil {
		_ = conn.Write(frame.Message{Payload: data})
	}
	return err
}

// become applies limits and executes. Nice and CPU set belong to the thread,
// and the thread that executes is the one whose settings stay.
func become(data []byte, path string, argv []string) error {
	var lim limits
	if err := json.Unmarshal(data, &lim); err != nil {
		return fmt.Errorf("cannot read limits: %w", err)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := lim.apply(); err != nil {
		return err
	}
	return syscall.Exec(path, argv, syscall.Environ())
}

func (lim *limits) apply() error {
	if err := setCPUs(lim.CPUs); err != nil {
		return fmt.Errorf("cannot set CPUs %v: %w", lim.CPUs, err)
	}
	if lim.Nice != nil {
		if err := unix.Setpriority(unix.PRIO_PROCESS, 0, *lim.Nice); err != nil {
			return fmt.Errorf("cannot set nice %d: %w", *lim.Nice, err)
		}
	}
	if lim.OOMScoreAdj != nil {
		if err := setOOMScoreAdj(*lim.OOMScoreAdj); err != nil {
			return fmt.Errorf("cannot set oom_score_adj %d: %w", *lim.OOMScoreAdj, err)
		}
	}
	for _, r := range lim.Rlimits {
		if err := unix.Setrlimit(r.Resource, toRlimit(r)); err != nil {
			return fmt.Errorf("cannot set resource limit %d to %d:%d: %w", r.Resource, r.Soft, r.Hard, err)
		}
	}
	if err := lim.Credential.assume(); err != nil {
		return fmt.Errorf("cannot become user %d: %w", lim.Credential.UID, err)
	}
	if len(lim.Dir) > 0 {
		if err := unix.Chdir(string(lim.Dir)); err != nil {
			return fmt.Errorf("cannot enter directory %q: %w", lim.Dir, err)
		}
	}
	return nil
}

// assume changes the user of this process for good; nil changes nothing.
func (c *Credential) assume() error {
	if c == nil {
		return nil
	}
	groups := make([]int, len(c.Groups))
	for i, g := range c.Groups {
		groups[i] = int(g)
	}
	if err := syscall.Setgroups(groups); err != nil {
		return err
	}
	if err := syscall.Setgid(int(c.GID)); err != nil {
		return err
	}
	return syscall.Setuid(int(c.UID))
}
