package schedule

import (
	"container/heap"
	"context"
	"time"
)

// nap is the longest sleep: a timer counts running time, so a clock that is set
// or a machine that slept is noticed only by looking again.
const nap = 30 * time.Second

// Run calls back until ctx ends, then ends all runs and waits for them. It is called once.
func (r *Runner) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	r.mu.Lock()
	r.ctx, r.seen = ctx, r.now()
	r.mu.Unlock()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-r.wake:
			timer.Reset(r.tick())
		case <-timer.C:
			timer.Reset(r.tick())
		}
	}
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	cancel()
	r.runs.Wait()
	return nil
}

// tick deals with all that is due and returns how long to sleep.
func (r *Runner) tick() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	if setBack(r.seen, now) {
		r.recompute(now)
	}
	r.seen = now
	for len(r.queue) > 0 {
		e := r.queue[0]
		v := judge(e.next, now, e.Missed)
		if v == notYet {
			break
		}
		r.due(e, v, now)
	}
	if len(r.queue) == 0 || r.queue[0].next.IsZero() {
		return nap
	}
	return min(nap, r.queue[0].next.Sub(now))
}

// recompute forgets moments that were computed in a future that is none.
func (r *Runner) recompute(now time.Time) {
	for _, e := range r.queue {
		e.next = e.When.Next(now)
	}
	heap.Init(&r.queue)
}

// due deals with one moment and moves on to the next one that is not past.
func (r *Runner) due(e *job, v verdict, now time.Time) {
	m := moment{due: e.next, late: v == makeUp}
	e.last = e.next
	if e.next = e.When.Next(e.next); !e.next.IsZero() && !e.next.After(now) {
		e.next = e.When.Next(now) // those between are one with this one
	}
	heap.Fix(&r.queue, e.place)
	if v == tooLate {
		r.leave(e, m, "missed")
		return
	}
	switch decide(e.Overlap, e.cancel != nil, e.waiting != nil) {
	case start:
		r.begin(e, m)
	case wait:
		e.waiting = &m
	case endPresent:
		e.waiting = &m
		e.cancel(ErrReplaced)
	case leaveOut:
		why := "still running"
		if e.waiting != nil {
			why = "one waits already"
		}
		r.leave(e, m, why)
	}
}

// leave reports a moment that was left out, off the lock.
func (r *Runner) leave(e *job, m moment, why string) {
	id := e.id
	r.runs.Go(func() { r.opts.Done(Outcome{ID: id, Due: m.due, Late: m.late, Left: why}) })
}

// begin starts a run; the lock is held.
func (r *Runner) begin(e *job, m moment) {
	ctx, cancel := context.WithCancelCause(r.ctx)
	e.cancel = cancel
	limit := e.Limit
	r.runs.Go(func() {
		o := Outcome{ID: e.id, Due: m.due, Late: m.late, Begun: r.now()}
		o.Err = r.call(ctx, limit, o)
		cancel(nil)
		o.Ended = r.now()
		r.opts.Done(o)
		r.ended(e)
	})
}

func (r *Runner) call(ctx context.Context, limit time.Duration, o Outcome) error {
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	return r.opts.Run(ctx, o.ID, o.Due)
}

// ended begins the run that waited, if there is one.
func (r *Runner) ended(e *job) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e.cancel = nil
	if m := e.waiting; m != nil && !e.removed && r.ctx.Err() == nil {
		e.waiting = nil
		r.begin(e, *m)
	}
}
