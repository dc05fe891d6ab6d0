package master

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// maxChildFD bounds Spawn.Files: descriptors are given by number, gaps cost a close each.
const maxChildFD = 1023

// pipes are the master's ends of a child's standard streams; 0 means none.
type pipes struct {
	out, err, in int
}

func (p *pipes) close() {
	closeFDs(p.out, p.err, p.in)
	*p = pipes{}
}

// dup returns duplicates of all, or of none.
func (p pipes) dup() (pipes, error) {
	var d pipes
	var errs [3]error
	d.out, errs[0] = dupOrNone(p.out)
	d.err, errs[1] = dupOrNone(p.err)
	d.in, errs[2] = dupOrNone(p.in)
	if err := errors.Join(errs[:]...); err != nil {
		d.close()
		return pipes{}, err
	}
	return d, nil
}

func dupOrNone(fd int) (int, error) {
	if fd == 0 {
		return 0, nil
	}
	return dup(fd)
}

// closed in a list of a child's descriptors is a number that is not open.
const closed = -1

// launch is one start on its way.
type launch struct {
	Spawn
	files   []int        // the child's descriptors by number; ours to close
	confirm func() error // nil, or waits for the trampoline to have executed the program
	end     func()       // nil, or frees what confirm needs
}

func (l *launch) close() {
	closeFDs(l.files...)
	if l.end != nil {
		l.end()
	}
}

// Spawn implements [Host].
func (t *Table) Spawn(ctx context.Context, s Spawn) (Spawned, error) {
	r, err := t.spawn(ctx, s)
	return r.public(), err
}

func (t *Table) spawn(ctx context.Context, s Spawn) (spawned, error) {
	if err := s.check(); err != nil {
		return spawned{}, fmt.Errorf("cannot start %q: %w", s.Path, err)
	}
	select {
	case t.forks <- struct{}{}:
		defer func() { <-t.forks }()
	case <-ctx.Done():
		return spawned{}, fmt.Errorf("cannot start %q: %w", s.Path, context.Cause(ctx))
	}
	c, err := t.reserve(s.Key)
	if err != nil {
		return spawned{}, err
	}
	if err := t.launch(c, s); err != nil {
		t.abandon(c)
		return spawned{}, fmt.Errorf("cannot start %q: %w", s.Path, explain(s, err))
	}
	r, err := t.attach(s.Key)
	if err != nil { // it runs, so this is no failure to start
		t.log.Warn("Cannot pass the pipes of a child", "key", s.Key, "error", err)
		return spawned{pid: c.proc.pid, start: c.proc.start}, nil
	}
	return r, nil
}

// check refuses what execve(2) could not express.
func (s *Spawn) check() error {
	words := slices.Concat([]string{s.Path, s.Dir}, s.Argv, s.Env)
	switch {
	case s.Key == "":
		return fmt.Errorf("it has no key: %w", syscall.EINVAL)
	case !filepath.IsAbs(s.Path):
		return fmt.Errorf("the path is not absolute: %w", syscall.EINVAL)
	case len(s.Argv) == 0:
		return fmt.Errorf("it has no argument 0: %w", syscall.EINVAL)
	case slices.ContainsFunc(words, func(w string) bool { return strings.IndexByte(w, 0) >= 0 }):
		return fmt.Errorf("an argument or variable contains a zero byte: %w", syscall.EINVAL)
	}
	for fd := range s.Files {
		if fd < 3 || fd > maxChildFD {
			return fmt.Errorf("descriptor %d is not between 3 and %d: %w", fd, maxChildFD, syscall.EINVAL)
		}
	}
	return nil
}

// explain adds what the errno of a failed start leaves open: execve(2) says "no
// such file" also of the directory and of a script's interpreter.
func explain(s Spawn, err error) error {
	if s.Dir != "" {
		if info, e := os.Stat(s.Dir); e != nil {
			return fmt.Errorf("cannot enter directory %q: %w", s.Dir, err)
		} else if !info.IsDir() {
			return fmt.Errorf("%q is not a directory: %w", s.Dir, err)
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		if _, e := os.Stat(s.Path); e == nil {
			return fmt.Errorf("the interpreter it names is missing: %w", err)
		}
	}
	return err
}

// reserve takes a key, so that two starts cannot both have it.
func (t *Table) reserve(key string) (*child, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.children[key] != nil {
		return nil, fmt.Errorf("cannot start %q: the key is in use: %w", key, fs.ErrExist)
	}
	c := &child{key: key}
	t.children[key] = c
	return c, nil
}

func (t *Table) launch(c *child, s Spawn) error {
	l := &launch{Spawn: s}
	defer l.close()
	if err := t.openStdio(c, l); err != nil {
		return err
	}
	if err := t.lendFiles(l); err != nil {
		return err
	}
	if err := t.wrap(l); err != nil {
		return err
	}
	if err := t.fork(c, l); err != nil {
		return err
	}
	if l.confirm != nil {
		if err := l.confirm(); err != nil {
			return err
		}
	}
	t.begin(c)
	return nil
}

// openStdio makes descriptors 0 to 2 of the child and our ends of them.
func (t *Table) openStdio(c *child, l *launch) error {
	var uid uint32 = math.MaxUint32 // chown(2): leave it
	if l.Credential != nil {
		uid = l.Credential.UID
	}
	in, ours, err := inputPipe(l.Stdin)
	if err != nil {
		return fmt.Errorf("cannot open its input: %w", err)
	}
	l.files, c.pipes.in = append(l.files, in), ours
	for _, end := range []*int{&c.pipes.out, &c.pipes.err} {
		read, write, err := t.pipes.output(uid, 2*t.count())
		if err != nil {
			return fmt.Errorf("cannot make a pipe: %w", err)
		}
		l.files, *end = append(l.files, write), read
		t.makeRoom(write)
	}
	return nil
}

// lendFiles adds duplicates of held descriptors at the numbers asked for.
func (t *Table) lendFiles(l *launch) error {
	for fd, name := range l.Files {
		for len(l.files) <= fd {
			l.files = append(l.files, closed)
		}
		lent, err := t.kept.lend(name)
		if err != nil {
			return err
		}
		l.files[fd] = lent
	}
	return nil
}

// fork starts the process and makes its pid known, in one piece for those who reap strangers.
func (t *Table) fork(c *child, l *launch) error {
	t.forking.RLock()
	defer t.forking.RUnlock()
	p, err := startProcess(l, t.opt.sweep)
	if err != nil {
		return err
	}
	t.own(c, p)
	return nil
}

func (t *Table) own(c *child, p process) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if old := t.byPID[p.pid]; old != nil {
		t.look(old) // an adopted process that ended just now; the pid went to our child
	}
	c.proc = p
	t.byPID[p.pid] = c
}

// ownOnce is own for a process that exists already: nobody else here may have it.
func (t *Table) ownOnce(c *child, p process) error {
	t.mu.Lock()
	old := t.byPID[p.pid]
	taken := old != nil && old.phase == running
	t.mu.Unlock()
	if taken {
		closeHandles(&p)
		t.abandon(c)
		return fmt.Errorf("cannot adopt process %d: it is child %q: %w", p.pid, old.key, fs.ErrExist)
	}
	t.own(c, p)
	return nil
}

// begin lets a child that runs its program be seen, and watches it.
func (t *Table) begin(c *child) {
	t.mu.Lock()
	c.phase = running
	if c.started.IsZero() {
		c.started = time.Now()
	}
	err := t.watch.add(&c.proc)
	lookNow := err != nil || !c.proc.watched() // it may have ended before we watched
	t.mu.Unlock()
	if err != nil {
		t.log.Warn("Cannot watch a child directly", "key", c.key, "pid", c.proc.pid, "error", err)
	}
	if lookNow {
		t.notice(c.proc.pid)
	}
}

// abandon undoes a start that failed.
func (t *Table) abandon(c *child) {
	if c.proc.pid != 0 {
		destroy(&c.proc)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forget(c)
}

// Adopt implements [Host].
func (t *Table) Adopt(_ context.Context, key string, pid int, start uint64) (Spawned, error) {
	s, err := t.adopt(key, pid, start)
	return s.public(), err
}

func (t *Table) adopt(key string, pid int, start uint64) (spawned, error) {
	c, err := t.reserve(key)
	if err != nil {
		return spawned{}, err
	}
	p, own, err := openProcess(pid, start)
	if err != nil {
		t.abandon(c)
		return spawned{}, fmt.Errorf("cannot adopt process %d: %w", pid, err)
	}
	c.pipes, c.adopted = reopenPipes(pid), !own
	if err := t.ownOnce(c, p); err != nil {
		return spawned{}, err
	}
	t.begin(c)
	return t.attach(key)
}
