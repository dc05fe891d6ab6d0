package proc

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gpm/app"
)

// fakeChild does what the test tells it to; nil functions do the obvious.
type fakeChild struct {
	pid       int
	exited    chan struct{}
	terminate func(*fakeChild, string)
	kill      func(*fakeChild)
	finish    func(context.Context) error
	onRelease func() // called when it is reaped

	mu       sync.Mutex // tests look while the owner works
	exit     app.Exit
	ended    bool
	signals  []string
	tree     int  // others of its tree
	finished bool // its tree is gone and its output read
	released bool
}

func (c *fakeChild) PID() int                { return c.pid }
func (c *fakeChild) Start() uint64           { return uint64(c.pid) * 10 }
func (c *fakeChild) Awaited() bool           { return false }
func (c *fakeChild) Exited() <-chan struct{} { return c.exited }

func (c *fakeChild) Exit() app.Exit {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.exit
}

func (c *fakeChild) Lingers() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tree > 0
}

// end lets it exit; a second end means nothing, as for a real process.
func (c *fakeChild) end(exit app.Exit) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return
	}
	c.ended = true
	exit.At = time.Now()
	c.exit = exit
	close(c.exited)
}

func (c *fakeChild) setTree(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tree = n
}

func (c *fakeChild) record(signal string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.released {
		return errors.New("signal to a released child")
	}
	c.signals = append(c.signals, signal)
	return nil
}

func (c *fakeChild) got() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.signals)
}

func (c *fakeChild) isReleased() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.released
}

func (c *fakeChild) Terminate(_ context.Context, signal string) error {
	if c.terminate != nil {
		c.terminate(c, signal)
	} else {
		c.end(app.Exit{Code: -1, Signal: signal})
	}
	return c.record(signal)
}

func (c *fakeChild) Kill(context.Context) error {
	if c.kill != nil {
		c.kill(c)
	} else {
		c.setTree(0)
		c.end(app.Exit{Code: -1, Signal: "SIGKILL"})
	}
	return c.record("SIGKILL")
}

func (c *fakeChild) Finish(ctx context.Context) (app.Words, error) {
	var err error
	if c.finish != nil {
		err = c.finish(ctx)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.finished, c.tree = true, 0
	return app.Words{Err: []string{"last words"}}, err
}

func (c *fakeChild) isFinished() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.finished
}

func (c *fakeChild) Release(context.Context) error {
	if c.onRelease != nil {
		c.onRelease()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.released = true
	return nil
}

// rig is a supervisor with fake children in a synctest bubble.
type rig struct {
	*Supervisor
	t      *testing.T
	cancel context.CancelFunc
	over   chan struct{} // closed when Run has returned
	launch func(ctx context.Context, seq uint64) (*fakeChild, error)

	mu     sync.Mutex
	child  *fakeChild // the latest
	events []app.Event
}

// newRig starts a supervisor; change may alter its configuration.
func newRig(t *testing.T, change func(*Config, *rig)) *rig {
	t.Helper()
	r := &rig{t: t, over: make(chan struct{})}
	cfg := Config{
		Status: app.Status{ID: 3, Name: "web"}, Policy: app.DefaultPolicy(), Launcher: r,
		Report: r.report, Rand: func() float64 { return 0.5 },
	}
	if change != nil {
		change(&cfg, r)
	}
	r.Supervisor = New(cfg)
	ctx, cancel := context.WithCancel(t.Context())
	r.cancel = cancel
	go func() {
		defer close(r.over)
		r.Run(ctx)
	}()
	t.Cleanup(func() { r.cancel(); <-r.over })
	synctest.Wait()
	return r
}

func (r *rig) Launch(ctx context.Context, seq uint64) (Child, error) {
	if last := r.latest(); last != nil && !last.isFinished() {
		r.t.Error("a second child while the first is there")
	}
	c := newFakeChild(seq)
	var err error
	if r.launch != nil {
		c, err = r.launch(ctx, seq)
	}
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.child = c
	return c, nil
}

func newFakeChild(seq uint64) *fakeChild {
	return &fakeChild{pid: 1000 + int(seq), exited: make(chan struct{})}
}

func (r *rig) latest() *fakeChild {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.child
}

func (r *rig) report(_ app.Status, events []app.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, events...)
}

func (r *rig) kinds() []app.EventKind {
	r.mu.Lock()
	defer r.mu.Unlock()
	var kinds []app.EventKind
	for _, e := range r.events {
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

// crash ends the present child with code 1 and waits for what follows.
func (r *rig) crash() {
	r.latest().end(app.Exit{Code: 1})
	synctest.Wait()
}

// pass lets time pass in the bubble.
func (r *rig) pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func (r *rig) expect(state app.State) app.Status {
	r.t.Helper()
	st := r.Status()
	if st.State != state {
		r.t.Fatalf("got %s (%s), want %s", st.State, st.Reason, state)
	}
	return st
}

// must fails the test for an error of a command.
func (r *rig) must(st app.Status, err error) app.Status {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
	return st
}

// bubble runs a test in virtual time.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}
