package proc

import (
	"context"
	"errors"
	"os"
	"time"

	"gpm/app"
	"gpm/master"
)

// The tree of an ended child is asked this often whether it is empty, slower
// each time: there is no event for it on every platform.
const (
	lingerFirst = 5 * time.Millisecond
	lingerMax   = 100 * time.Millisecond
)

// owner is what only the goroutine of Run touches.
type owner struct {
	*Supervisor
	m       Machine
	policy  app.Policy
	child   Child
	dead    Child  // its end is being published, it is not reaped yet
	pid     int    // of the present or the last child
	start   uint64 // its start time
	waiters []*request
	timer   *time.Timer   // nil unless something is waited for
	linger  time.Duration // > 0: the child has ended, its tree is asked again after so long
	words   app.Words     // last lines of the child that is being accounted for
	trouble error         // what Release could not do
}

func newOwner(s *Supervisor) *owner {
	o := &owner{Supervisor: s, policy: s.cfg.Policy, child: s.cfg.Child}
	s.cfg.Child = nil // nobody but the owner holds it
	return o
}

// run is where thousands of owners are parked; its frame is kept small.
func (o *owner) run(ctx context.Context) {
	o.begin(ctx)
	for ctx.Err() == nil && !o.m.isGone() {
		o.arm()
		select {
		case <-ctx.Done():
		case r := <-o.inbox:
			o.handle(ctx, r)
		case <-o.exited():
			o.reap(ctx)
		case <-o.alarm():
			o.wake(ctx)
		}
	}
	o.disarm()
}

// begin takes the instance over as it is found.
func (o *owner) begin(ctx context.Context) {
	var effect Effect
	o.m, effect = Restore(o.cfg.Status, o.child != nil, time.Now(), o.policy)
	var events []app.Event
	if o.child != nil {
		o.pid, o.start = o.child.PID(), o.child.Start()
		events = append(events, app.Event{Kind: app.EventAdopted, PID: o.pid})
	}
	if o.m.isGone() {
		events = append(events, app.Event{Kind: app.EventDelete})
	}
	o.publish(events)
	o.perform(ctx, effect)
}

// handle takes one request.
func (o *owner) handle(ctx context.Context, r *request) {
	switch {
	case r.policy != nil:
		o.policy = *r.policy
	case r.ev.isOfOneChild() && r.seq != o.m.Seq:
	case o.m.Goal == app.Gone && r.until == settled:
		r.reply <- answer{*o.status.Load(), app.Errorf(app.CodeConflict, "cannot %s %q: it is being deleted", r.ev.Kind, o.cfg.Status.Name)}
		return
	default:
		o.waiters = append(o.waiters, r)
		o.step(ctx, r.ev)
		return
	}
	r.reply <- answer{status: *o.status.Load()}
}

// wake is called when time has passed. An end that came meanwhile goes before
// the deadline, which may be over only because a kill took its time.
func (o *owner) wake(ctx context.Context) {
	select {
	case <-o.exited():
	default:
		o.step(ctx, Event{Kind: Tick})
		if o.linger == 0 {
			return
		}
	}
	o.reap(ctx)
}

// step takes one event and all that follows from it at once. Nothing else is
// read in between, so no command can come between "decided to spawn" and "spawned".
func (o *owner) step(ctx context.Context, ev Event) {
	for more := true; more; {
		before := o.m
		var effect Effect
		o.m, effect = Step(before, ev, time.Now(), o.policy)
		if events := o.changes(before, ev); o.m != before || len(events) > 0 {
			o.publish(events)
		}
		ev, more = o.perform(ctx, effect)
		o.release(ctx) // after a spawn: users wait for that one
	}
	o.answer()
}

// release reaps the child whose end has just been published.
func (o *owner) release(ctx context.Context) {
	if o.dead == nil {
		return
	}
	var err error
	aside(func() { err = o.dead.Release(ctx) })
	o.dead = nil
	if !lost(ctx, err) {
		o.note(err)
	}
}

// perform does what a step asked for; the outcome of a spawn is the next event.
func (o *owner) perform(ctx context.Context, effect Effect) (Event, bool) {
	var err error
	switch effect {
	case Spawn:
		return o.launch(ctx)
	case Terminate:
		aside(func() { err = o.child.Terminate(ctx, o.policy.KillSignal) })
	case Kill:
		aside(func() { err = o.child.Kill(ctx) })
	}
	o.note(err)
	return Event{}, false
}

// lost says that an operation failed because the daemon or its master is ending,
// which says nothing about the child: the next daemon asks what became of it.
func lost(ctx context.Context, err error) bool {
	if errors.Is(err, master.ErrGone) {
		<-ctx.Done() // a daemon without its master ends as well
	}
	return err != nil && ctx.Err() != nil
}

// launch starts a child.
func (o *owner) launch(ctx context.Context) (Event, bool) {
	var child Child
	var err error
	aside(func() { child, err = o.cfg.Launcher.Launch(ctx, o.m.Seq) })
	switch {
	case err == nil:
		o.child, o.pid, o.start = child, child.PID(), child.Start()
		return Event{Kind: Spawned, Awaited: child.Awaited()}, true
	case lost(ctx, err):
		return Event{}, false
	}
	o.pid, o.start = 0, 0
	exit := app.Exit{Code: -1, SpawnError: err.Error(), At: time.Now()}
	return Event{Kind: SpawnFailed, Exit: exit, Permanent: o.cfg.Permanent(err), Rand: o.cfg.Rand()}, true
}

// reap ends the story of a child that has ended. In a stop the others of its
// tree have the rest of the kill timeout to end by themselves: the child may be a mere
// wrapper that dies of the signal at once, while the server behind it drains.
func (o *owner) reap(ctx context.Context) {
	if o.m.State == app.Stopping && o.child.Lingers() {
		o.linger = min(max(2*o.linger, lingerFirst), lingerMax)
		return
	}
	exit := o.child.Exit()
	aside(func() { o.words, o.trouble = o.child.Finish(ctx) })
	if lost(ctx, o.trouble) {
		return
	}
	o.dead, o.child, o.linger = o.child, nil, 0
	o.step(ctx, Event{Kind: Exited, Exit: exit, Rand: o.cfg.Rand()})
	o.words, o.trouble = app.Words{}, nil
}

// note keeps the error of a signal for people; the deadline goes on by itself.
func (o *owner) note(err error) {
	if err == nil || errors.Is(err, os.ErrProcessDone) {
		return
	}
	o.m.Reason += "; " + err.Error()
	o.publish(nil)
}

// answer replies to the callers whose wait is over.
func (o *owner) answer() {
	left := o.waiters[:0]
	for _, w := range o.waiters {
		switch {
		case w.until.over(o.m):
			w.reply <- answer{status: *o.status.Load()}
		case o.m.isStuck():
			w.reply <- answer{*o.status.Load(), app.Errorf(app.CodeStuck, "cannot %s %q: process %d is still alive after SIGKILL", w.ev.Kind, o.cfg.Status.Name, o.pid)}
		default:
			left = append(left, w)
		}
	}
	clear(o.waiters[len(left):])
	if o.waiters = left; len(left) == 0 {
		o.waiters = nil
	}
}

// dismiss answers those who still wait when Run ends.
func (o *owner) dismiss() {
	for _, w := range o.waiters {
		w.reply <- answer{*o.status.Load(), o.ended(w)}
	}
}

// exited is nil while there is no news to wait for.
func (o *owner) exited() <-chan struct{} {
	if o.child == nil || o.linger > 0 {
		return nil
	}
	return o.child.Exited()
}

func (o *owner) alarm() <-chan time.Time {
	if o.timer == nil {
		return nil
	}
	return o.timer.C
}

// arm sets the one timer to the next instant that matters; there is none for
// most of a process's life, and then there is no timer either.
func (o *owner) arm() {
	next := o.m.Deadline
	if o.linger > 0 {
		if ask := time.Now().Add(o.linger); next.IsZero() || ask.Before(next) {
			next = ask
		}
	}
	switch {
	case next.IsZero():
		o.disarm()
	case o.timer == nil:
		o.timer = time.NewTimer(time.Until(next))
	default:
		o.timer.Reset(time.Until(next))
	}
}

func (o *owner) disarm() {
	if o.timer != nil {
		o.timer.Stop()
		o.timer = nil
	}
}

// aside runs f on a stack of its own and waits for it. Launching and releasing
// go deep; thousands of owners would each keep the stack that they grew for it.
func aside(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	<-done
}
