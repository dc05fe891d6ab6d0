package master

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"
)

// everyChild stands for a pid where all children should be looked at.
const everyChild = 0

// recheck is when to look again at a child that the kernel called ended but gives
// no status for: a debugger that traces it is told before its parent.
const recheck = 50 * time.Millisecond

// notice is told by the watcher that a process may have ended.
func (t *Table) notice(pid int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if pid != everyChild {
		if c := t.byPID[pid]; c != nil {
			t.look(c)
		}
		return
	}
	for _, c := range t.byPID {
		if !c.proc.watched() {
			t.look(c)
		}
	}
}

// look records the exit of a child if it has ended. Caller holds mu.
func (t *Table) look(c *child) {
	if c.phase != running {
		return
	}
	switch exit, seen := t.watch.status(&c.proc); seen {
	case gone:
		t.record(c, exit)
	case hidden:
		pid := c.proc.pid
		time.AfterFunc(recheck, func() { t.notice(pid) })
	}
}

// sight is what can be seen of a process.
type sight uint8

const (
	alive  sight = iota
	hidden       // it has ended, its status cannot be had yet
	gone
)

// record makes an exit known. Caller holds mu.
func (t *Table) record(c *child, exit Exit) {
	t.seq++
	exit.Key, exit.PID, exit.At = c.key, c.proc.pid, time.Now()
	c.phase, c.exit, c.seq = ended, exit, t.seq
	closeHandles(&c.proc)
	if c.adopted && t.byPID[c.proc.pid] == c {
		delete(t.byPID, c.proc.pid) // not our zombie: its pid may be used again
	}
	if c.daemon != nil {
		c.daemon <- exit
		return
	}
	for _, q := range t.queues {
		q.push(exit)
	}
}

// subscribe returns a queue of all exits not released yet and all to come.
func (t *Table) subscribe() *exitQueue {
	t.mu.Lock()
	defer t.mu.Unlock()
	var past []*child
	for _, c := range t.children {
		if c.phase == ended {
			past = append(past, c)
		}
	}
	slices.SortFunc(past, func(a, b *child) int { return cmp.Compare(a.seq, b.seq) })
	first := make([]Exit, len(past))
	for i, c := range past {
		first[i] = c.exit
	}
	q := newExitQueue(first)
	t.queues = append(t.queues, q)
	return q
}

func (t *Table) unsubscribe(q *exitQueue) {
	t.mu.Lock()
	t.queues = slices.DeleteFunc(t.queues, func(other *exitQueue) bool { return other == q })
	t.mu.Unlock()
	q.leave()
}

// find returns a child that has been started. Caller holds mu.
func (t *Table) find(verb, key string) (*child, error) {
	c := t.children[key]
	if c == nil || c.phase == starting {
		return nil, fmt.Errorf("cannot %s %q: %w", verb, key, fs.ErrNotExist)
	}
	return c, nil
}

// Signal implements [Host]. The group of an ended child still gets the signal:
// its zombie keeps the group id from being used again.
func (t *Table) Signal(_ context.Context, key string, sig int, group bool) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	c, err := t.find("signal", key)
	if err != nil {
		return err
	}
	if c.phase == ended {
		if group && !c.adopted {
			_ = signalProcess(&c.proc, sig, true)
		}
		return fmt.Errorf("cannot signal %q: %w", key, os.ErrProcessDone)
	}
	if err := signalProcess(&c.proc, sig, group); err != nil {
		return fmt.Errorf("cannot signal %q: %w", key, err)
	}
	return nil
}

// Release implements [Host].
func (t *Table) Release(_ context.Context, key string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	c, err := t.find("release", key)
	if err != nil {
		return err
	}
	if c.phase != ended {
		return fmt.Errorf("cannot release %q: %w", key, ErrNotEnded)
	}
	t.forget(c)
	select { // a zombie less may let the next one be seen
	case t.signals.released <- struct{}{}:
	default:
	}
	return nil
}

// forget reaps a child and drops all that belongs to it. Caller holds mu.
func (t *Table) forget(c *child) {
	if c.phase == ended && !c.adopted {
		reap(&c.proc)
	}
	closeHandles(&c.proc)
	c.pipes.close()
	if t.byPID[c.proc.pid] == c {
		delete(t.byPID, c.proc.pid)
	}
	if t.children[c.key] == c {
		delete(t.children, c.key)
	}
}

// Attach implements [Host].
func (t *Table) Attach(_ context.Context, key string) (Spawned, error) {
	s, err := t.attach(key)
	return s.public(), err
}

func (t *Table) attach(key string) (spawned, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c, err := t.find("attach to", key)
	if err != nil {
		return spawned{}, err
	}
	p, err := c.pipes.dup()
	if err != nil {
		return spawned{}, fmt.Errorf("cannot attach to %q: %w", key, err)
	}
	return spawned{c.proc.pid, c.proc.start, p}, nil
}

// spawned is a Spawned with raw descriptors.
type spawned struct {
	pid   int
	start uint64
	pipes pipes
}

func (s spawned) public() Spawned {
	return Spawned{
		PID: s.pid, Start: s.start,
		Stdout: newFile(s.pipes.out, "stdout"),
		Stderr: newFile(s.pipes.err, "stderr"),
		Stdin:  newFile(s.pipes.in, "stdin"),
	}
}

// newFile wraps a descriptor; 0 means none.
func newFile(fd int, name string) *os.File {
	if fd == 0 {
		return nil
	}
	return os.NewFile(uintptr(fd), name)
}
