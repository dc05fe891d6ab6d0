// Package schedule says when something happens: cron expressions, and one
// timer that calls back at their moments. What a run does is the caller's business.
package schedule

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// ErrClosed is returned by a Runner whose Run has ended.
var ErrClosed = errors.New("scheduler has ended")

// Job is what happens when.
type Job struct {
	When    Cron
	Overlap Overlap
	Missed  Missed
	Limit   time.Duration // longest run; 0 = none. Its context then ends with context.DeadlineExceeded
}

// Outcome is what became of one moment of a job.
type Outcome struct {
	ID    string
	Due   time.Time
	Begun time.Time // zero when it never ran
	Ended time.Time
	Late  bool   // it made up for moments that had passed unseen
	Left  string // why it was left out: "still running", "one waits already", "missed"; "" when it ran
	Err   error  // of the run
}

// Options of a Runner. The zero value is useful but for Run.
type Options struct {
	// Run does a job. It must return when its context ends, whose cause says why.
	Run func(ctx context.Context, id string, due time.Time) error
	// Done hears of every outcome, on a goroutine of the runner; nil = nobody.
	Done func(Outcome)
	// Now is the wall clock; nil = time.Now. It may jump.
	Now func() time.Time
}

// Causes that end the context of a run.
var (
	ErrReplaced = errors.New("the next run is due")
	ErrRemoved  = errors.New("the schedule was removed")
)

// Status is one job as seen from outside.
type Status struct {
	ID      string    `json:"id"`
	When    string    `json:"when"`
	Next    time.Time `json:"next"`
	Last    time.Time `json:"last,omitzero"` // the last moment that was dealt with
	Running bool      `json:"running,omitempty"`
	Waiting bool      `json:"waiting,omitempty"`
}

// Runner calls Options.Run at the moments of its jobs. Its methods may be called
// by several goroutines.
type Runner struct {
	opts Options
	wake chan struct{}
	runs sync.WaitGroup

	mu     sync.Mutex
	jobs   map[string]*job
	queue  queue
	seen   time.Time // the wall clock when last looked at
	ctx    context.Context
	closed bool
}

// job is one entry and its present run.
type job struct {
	Job
	id      string
	next    time.Time
	last    time.Time
	place   int                     // in the queue
	cancel  context.CancelCauseFunc // of the present run; nil without one
	waiting *moment                 // to begin when the present run has ended
	removed bool
}

// moment is one due time.
type moment struct {
	due  time.Time
	late bool
}

// New returns a Runner. Its owner calls Run.
func New(opts Options) *Runner {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Done == nil {
		opts.Done = func(Outcome) {}
	}
	return &Runner{opts: opts, wake: make(chan struct{}, 1), jobs: map[string]*job{}}
}

// Add schedules a job in place of one with the same id, whose present run goes on.
// last is the last moment dealt with in an earlier life, for the missed-run policy; zero = never.
func (r *Runner) Add(id string, j Job, last time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return fmt.Errorf("cannot schedule %s: %w", id, ErrClosed)
	}
	now := r.now()
	e := r.jobs[id]
	if e == nil {
		e = &job{id: id}
		r.jobs[id] = e
		heap.Push(&r.queue, e)
	}
	e.Job, e.last = j, last
	e.next = firstDue(j, last, now)
	heap.Fix(&r.queue, e.place)
	r.poke()
	return nil
}

// firstDue is in the past only if the policy makes up for it.
func firstDue(j Job, last, now time.Time) time.Time {
	if j.Missed == Once && !last.IsZero() {
		return j.When.Next(last)
	}
	return j.When.Next(now)
}

// Remove forgets a job and ends its run. An unknown id is no mistake.
func (r *Runner) Remove(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.jobs[id]
	if e == nil {
		return
	}
	delete(r.jobs, id)
	heap.Remove(&r.queue, e.place)
	e.removed, e.waiting = true, nil
	if e.cancel != nil {
		e.cancel(ErrRemoved)
	}
	r.poke()
}

// List returns all jobs by id.
func (r *Runner) List() []Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []Status
	for _, e := range r.jobs {
		out = append(out, Status{e.id, e.When.String(), e.next, e.last, e.cancel != nil, e.waiting != nil})
	}
	slices.SortFunc(out, func(a, b Status) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// Next returns the next moment of a job; zero when there is none.
func (r *Runner) Next(id string) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := r.jobs[id]; e != nil {
		return e.next
	}
	return time.Time{}
}

// now is the wall clock alone: the monotonic one does not know of jumps and sleep.
func (r *Runner) now() time.Time { return r.opts.Now().Round(0) }

func (r *Runner) poke() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// queue is the jobs by their next moment; those without one come last.
type queue []*job

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	if q[i].next.IsZero() || q[j].next.IsZero() {
		return !q[i].next.IsZero()
	}
	return q[i].next.Before(q[j].next)
}
func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = i, j
}
func (q *queue) Push(x any) {
	e := x.(*job)
	e.place = len(*q)
	*q = append(*q, e)
}
func (q *queue) Pop() any {
	old := *q
	e := old[len(old)-1]
	*q = old[:len(old)-1]
	return e
}
