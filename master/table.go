package master

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync"
	"time"
)

// Options of a Table.
type Options struct {
	Log        *slog.Logger // nil: silent
	Home       string       // a folder of ours, for platforms whose pipes need a name for a moment
	Trampoline []string     // how to call [Trampoline], for example [/usr/bin/gpm exec-worker]; nil: no limits can be set

	sweep bool // behave as on a kernel without pidfd
}

// Table is the state of a master and all it can do. It implements [Host] within
// its own process.
type Table struct {
	opt   Options
	log   *slog.Logger
	watch *watcher
	files fileBudget
	pipes pipeMaker
	kept  *estate
	exits sync.Once     // guards signals.exits
	forks chan struct{} // bounds the threads that fork at once

	// forking is held for reading from a fork until byPID knows the child, and
	// for writing while strangers are reaped, lest a new worker is taken for one.
	forking sync.RWMutex

	mu       sync.Mutex // guards what follows; nothing under it blocks
	children map[string]*child
	byPID    map[int]*child // all whose pid cannot be used again, and live adopted ones
	queues   []*exitQueue
	seq      uint64 // counts exits
	heir     bool   // of a master that was killed, and no daemon has served since
	images   images
	signals  lifeSignals
}

// images are descriptors of programs to become; 0 means none.
type images struct {
	next   int // when the daemon has ended
	before int // when no daemon comes to serve
}

// lifeSignals are the one-time signals in the life of a master.
type lifeSignals struct {
	stopping, down, released chan struct{}
	serving                  chan struct{} // a daemon is up
	exits                    *exitQueue    // of Table.Exits
}

// phase is where a child is in its life.
type phase uint8

const (
	starting phase = iota // the key is taken, nothing runs yet
	running
	ended // and not released
)

// child is one process we look after.
type child struct {
	key     string
	proc    process
	started time.Time
	pipes   pipes
	adopted bool
	phase   phase
	exit    Exit
	seq     uint64    // order of its exit among all
	daemon  chan Exit // set for the daemon: its exit goes here
}

var _ Host = (*Table)(nil)

// forkers is how many children are forked at once. A fork blocks its thread
// until exec, and Go never gives threads back.
const forkers = 4

// NewTable returns an empty Table. Close it when done; its children live on.
func NewTable(opt Options) (*Table, error) {
	t := &Table{
		opt:      opt,
		log:      opt.Log,
		forks:    make(chan struct{}, forkers),
		children: map[string]*child{},
		byPID:    map[int]*child{},
		kept:     newEstate(),
		signals: lifeSignals{
			stopping: make(chan struct{}),
			serving:  make(chan struct{}),
			down:     make(chan struct{}),
			released: make(chan struct{}, 1),
		},
	}
	if t.log == nil {
		t.log = slog.New(slog.DiscardHandler)
	}
	w, err := newWatcher(t.notice, opt.sweep)
	if err != nil {
		return nil, fmt.Errorf("cannot watch processes: %w", err)
	}
	t.watch, t.pipes.home = w, opt.Home
	return t, nil
}

// Close stops watching and closes everything held. Children keep running.
func (t *Table) Close() error {
	t.watch.close()
	t.mu.Lock()
	queues := t.queues
	t.queues = nil
	for _, c := range t.children {
		c.pipes.close()
		closeHandles(&c.proc)
	}
	t.kept.close()
	clear(t.children)
	clear(t.byPID)
	t.mu.Unlock()
	for _, q := range queues {
		q.leave()
	}
	return nil
}

// PID returns the id of this process.
func (t *Table) PID() int { return os.Getpid() }

// List implements [Host].
func (t *Table) List(context.Context) (Inventory, error) {
	t.notice(everyChild)
	t.mu.Lock()
	defer t.mu.Unlock()
	inv := Inventory{Heir: t.heir}
	inv.Held, inv.Notes = t.kept.inventory()
	for _, c := range t.children {
		if c.phase != starting {
			inv.Children = append(inv.Children, c.public())
		}
	}
	slices.SortFunc(inv.Children, func(a, b Child) int { return cmp.Compare(a.Key, b.Key) })
	return inv, nil
}

func (c *child) public() Child {
	p := Child{Key: c.key, PID: c.proc.pid, Start: c.proc.start, Started: c.started, Adopted: c.adopted}
	if c.phase == ended {
		p.Exit = new(c.exit)
	}
	return p
}

// Note implements [Host].
func (t *Table) Note(_ context.Context, notes map[string][]byte) error {
	own := maps.Clone(notes)
	for name, data := range own {
		own[name] = slices.Clone(data)
	}
	t.kept.note(own)
	return nil
}

// Hold implements [Host].
func (t *Table) Hold(_ context.Context, name string, f *os.File) error {
	fd, err := dupFile(f)
	if err != nil {
		return fmt.Errorf("cannot hold %q: %w", name, err)
	}
	t.keep(name, fd)
	return nil
}

// keep takes over fd under a name.
func (t *Table) keep(name string, fd int) {
	t.makeRoom(fd)
	t.kept.hold(name, fd)
}

// Take implements [Host].
func (t *Table) Take(_ context.Context, name string) (*os.File, error) {
	fd, err := t.kept.lend(name)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// Drop implements [Host]. Unknown names are no error.
func (t *Table) Drop(_ context.Context, names ...string) error {
	t.kept.drop(names...)
	return nil
}

// Exits implements [Host]: one channel for the process this Table lives in.
func (t *Table) Exits() <-chan Exit {
	t.exits.Do(func() { t.signals.exits = t.subscribe() })
	return t.signals.exits.c
}

// Serving implements [Host].
func (t *Table) Serving(context.Context) error {
	t.once(t.signals.serving)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.heir = false
	closeFDs(t.images.before)
	t.images.before = 0
	return nil
}

// onProbation says that the daemon has to show first that it can serve.
func (t *Table) onProbation() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.images.before > 0
}

// Stopping implements [Host].
func (t *Table) Stopping() <-chan struct{} { return t.signals.stopping }

// Stop makes Stopping known: the master was asked to end. Calls after the first do nothing.
func (t *Table) Stop() { t.once(t.signals.stopping) }

// Shutdown implements [Host].
func (t *Table) Shutdown(context.Context) error {
	if n := t.count(); n > 0 {
		return fmt.Errorf("cannot end the master: %w (%d)", ErrChildren, n)
	}
	t.once(t.signals.down)
	return nil
}

func (t *Table) once(c chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !isClosed(c) {
		close(c)
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// count is the number of children that are not released.
func (t *Table) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.children)
}
