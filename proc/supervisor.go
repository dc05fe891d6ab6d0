package proc

import (
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"sync/atomic"
	"syscall"
	"time"

	"gpm/app"
)

// Launcher starts children. Launch is called by the owner only, never twice at
// a time; seq is new for each call. It may block until ctx ends.
type Launcher interface {
	Launch(ctx context.Context, seq uint64) (Child, error)
}

// Child is a started process and its tree. Only the owner calls its methods.
type Child interface {
	PID() int
	// Start is the start time in clock ticks after boot; 0 where the platform has none.
	Start() uint64
	// Awaited says that Ready will be called once the child is ready, whatever the policy says.
	Awaited() bool
	// Exited is closed when the child has ended; it stays unreaped until Release, so
	// that its pid cannot become another's.
	Exited() <-chan struct{}
	// Exit says how it ended; valid after Exited. Uptime and By are left to the machine.
	Exit() app.Exit
	// Lingers says that others of the tree outlive the ended child.
	Lingers() bool
	// Terminate sends the stop signal.
	Terminate(ctx context.Context, signal string) error
	// Kill sends SIGKILL to the whole tree, those who left the session included.
	Kill(ctx context.Context) error
	// Finish kills what is left of the tree of an ended child, reads its output to the end and
	// returns its last lines. An error tells what survived.
	Finish(ctx context.Context) (app.Words, error)
	// Release reaps an ended child. It comes after its end was reported, so that a daemon that dies in
	// between leaves it to be found by the next.
	Release(ctx context.Context) error
}

// Config is what a Supervisor is made of.
type Config struct {
	// Status is the last known one; a new instance has State Stopped. For an
	// adopted child, Seq and Since must be those of the child.
	Status    app.Status
	Policy    app.Policy
	Launcher  Launcher
	Child     Child                         // adopted; nil when there is none
	Report    func(app.Status, []app.Event) // told of each change by the owner; must not block
	Permanent func(error) bool              // of a Launch error; nil = [Permanent]
	Rand      func() float64                // jitter in [0,1); nil = random
}

// Supervisor is the one goroutine that owns a Machine, its child and its timer.
type Supervisor struct {
	cfg    Config
	inbox  chan *request
	done   chan struct{} // closed when Run has returned
	status atomic.Pointer[app.Status]
}

// New makes a Supervisor; nothing happens before Run.
func New(cfg Config) *Supervisor {
	if cfg.Permanent == nil {
		cfg.Permanent = Permanent
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.Float64
	}
	s := &Supervisor{cfg: cfg, inbox: make(chan *request), done: make(chan struct{})}
	s.status.Store(new(firstLook(cfg)))
	return s
}

// firstLook is the status until Run begins: with the child that is taken over, who asks early must not see the
// past.
func firstLook(cfg Config) app.Status {
	o := owner{Supervisor: &Supervisor{cfg: cfg}, child: cfg.Child}
	o.m, _ = Restore(cfg.Status, cfg.Child != nil, time.Now(), cfg.Policy)
	if cfg.Child != nil {
		o.pid, o.start = cfg.Child.PID(), cfg.Child.Start()
	}
	return o.snapshot()
}

// Run supervises until the instance is deleted or ctx ends. In the latter case
// a child is left running, for the next daemon to adopt.
func (s *Supervisor) Run(ctx context.Context) {
	o := newOwner(s)
	o.run(ctx)
	close(s.done)
	o.dismiss()
}

// Status returns the latest published status.
func (s *Supervisor) Status() app.Status { return *s.status.Load() }

// Start wants the process up and answers when it is online, waiting for a
// restart, errored or stopped. by says who asks.
func (s *Supervisor) Start(ctx context.Context, by string) (app.Status, error) {
	return s.ask(ctx, &request{ev: Event{Kind: Start, By: by}, until: settled})
}

// Restart stops and starts the process and answers as Start does.
func (s *Supervisor) Restart(ctx context.Context, by string) (app.Status, error) {
	return s.ask(ctx, &request{ev: Event{Kind: Restart, By: by}, until: settled})
}

// Stop wants the process down and answers when nothing of it is left, or with
// [app.ErrStuck].
func (s *Supervisor) Stop(ctx context.Context, by string) (app.Status, error) {
	return s.ask(ctx, &request{ev: Event{Kind: Stop, By: by}, until: childless})
}

// Delete is Stop, after which Run returns.
func (s *Supervisor) Delete(ctx context.Context, by string) (app.Status, error) {
	return s.ask(ctx, &request{ev: Event{Kind: Delete, By: by}, until: childless})
}

// Reset sets the counters to zero.
func (s *Supervisor) Reset(ctx context.Context) (app.Status, error) {
	return s.ask(ctx, &request{ev: Event{Kind: Reset}})
}

// Ready says that the child of this seq is ready; about an earlier child it
// means nothing.
func (s *Supervisor) Ready(ctx context.Context, seq uint64) error {
	_, err := s.ask(ctx, &request{ev: Event{Kind: Ready}, seq: seq})
	return err
}

// Hold wants the process up, but not before a Start comes. why says what it waits for.
func (s *Supervisor) Hold(ctx context.Context, why string) (app.Status, error) {
	return s.ask(ctx, &request{ev: Event{Kind: Hold, By: why}})
}

// Judge says what the health check of the child of this seq has found: nil, or what is wrong. About an earlier
// child it means nothing.
func (s *Supervisor) Judge(ctx context.Context, seq uint64, wrong error) error {
	ev := Event{Kind: Well}
	if wrong != nil {
		ev = Event{Kind: Unwell, By: wrong.Error()}
	}
	_, err := s.ask(ctx, &request{ev: ev, seq: seq})
	return err
}

// isOfOneChild says that the event is a fact about the child of one seq only.
func (ev Event) isOfOneChild() bool { return ev.Kind == Ready || ev.Kind == Unwell || ev.Kind == Well }

// SetPolicy replaces the policy; deadlines that run already are kept.
func (s *Supervisor) SetPolicy(ctx context.Context, p app.Policy) error {
	_, err := s.ask(ctx, &request{policy: &p})
	return err
}

// until is what a caller waits for.
type until uint8

const (
	accepted  until = iota // nothing
	settled                // a state that does not pass by itself within moments
	childless              // no child
)

// over says whether the wait has ended in this state.
func (u until) over(m Machine) bool {
	switch u {
	case settled:
		return m.State == app.Online || m.State == app.Unhealthy || !m.State.HasChild()
	case childless:
		return !m.State.HasChild()
	}
	return true
}

// request is one message to the owner: an event, or a new policy.
type request struct {
	ev     Event
	policy *app.Policy
	seq    uint64 // of a fact about one child
	until  until
	reply  chan answer
}

type answer struct {
	status app.Status
	err    error
}

// ask hands a request to the owner and waits for its answer. A caller that
// gives up does not take its command back.
func (s *Supervisor) ask(ctx context.Context, r *request) (app.Status, error) {
	r.reply = make(chan answer, 1)
	select {
	case s.inbox <- r:
	case <-s.done:
		return s.Status(), s.ended(r)
	case <-ctx.Done():
		return s.Status(), s.timeout(ctx, r)
	}
	select {
	case a := <-r.reply:
		return a.status, a.err
	case <-ctx.Done():
		return s.Status(), s.timeout(ctx, r)
	}
}

func (s *Supervisor) timeout(ctx context.Context, r *request) error {
	st := s.Status()
	return app.Errorf(app.CodeTimeout, "cannot see the end of %s of %q, it is %s: %w", r.ev.Kind, st.Name, st.State, context.Cause(ctx))
}

// ended is the error of whoever talks to a supervisor that has returned.
func (s *Supervisor) ended(r *request) error {
	st := s.Status()
	if st.Goal == app.Gone {
		return app.Errorf(app.CodeNotFound, "cannot %s %q: it was deleted", r.ev.Kind, st.Name)
	}
	return app.Errorf(app.CodeConflict, "cannot %s %q: the daemon is ending", r.ev.Kind, st.Name).WithHint("try again in a moment")
}

// Permanent says that a Launch error stays however often the launch is tried:
// what is missing, forbidden or malformed, as execve(2) and chdir(2) tell it.
func Permanent(err error) bool {
	for _, target := range []error{
		fs.ErrNotExist, fs.ErrPermission, app.ErrInvalid, app.ErrNotFound, app.ErrForbidden,
		syscall.ENOTDIR, syscall.ENOEXEC, syscall.EISDIR, syscall.ELOOP, syscall.ENAMETOOLONG, syscall.E2BIG, syscall.EINVAL,
	} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// rounded is a duration for people.
func rounded(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
