package logs

import (
	"context"
	"slices"
	"time"

	"gpm/app"
)

const (
	// pollEvery is how often followed files are looked at when nobody tells of writes,
	// and pollCost what one file adds, so that looking never takes more than about a percent of a core.
	pollEvery = 250 * time.Millisecond
	pollCost  = 100 * time.Microsecond
	// maxCursors is how many followed files are held open.
	maxCursors = 256
)

// followed is one file of a query.
type followed struct {
	cursor
	source Source
	failed bool // the present failure is told
	queued bool
	over   bool // all that can still come is too young
}

func (f *followed) label(l app.LogLine) app.LogLine {
	l.ID, l.Name, l.Stream = f.source.ID, f.source.Name, f.source.Stream
	return l
}

// reader is one run of a query. One goroutine, the consumer's.
type reader struct {
	scratch *scratch
	query   Query
	raw     func(Line) bool                   // the outputs; false = enough. Without raw, the others are used
	line    func(*followed, app.LogLine) bool //
	head    func(f *followed, mark bool) bool // with mark, for the place alone
	fail    func(*followed, error) bool
	all     []*followed
	byPath  map[string]*followed
	open    []*followed // held open, oldest first
	queue   []*followed // have, or may have, something new
	stopped bool        // by the consumer
}

func newReader() *reader {
	return &reader{scratch: newScratch(MaxLine), byPath: map[string]*followed{}}
}

func (r *reader) add(f *followed) {
	r.all = append(r.all, f)
	r.byPath[f.path] = f
}

func (r *reader) paths() []string {
	out := make([]string, len(r.all))
	for i, f := range r.all {
		out[i] = f.path
	}
	return out
}

func (r *reader) close() {
	for _, f := range r.all {
		_ = f.cursor.close() // only read
	}
}

// hold opens a file and closes another when too many are.
func (r *reader) hold(f *followed) error {
	if f.src != nil {
		return nil
	}
	if err := f.cursor.open(); err != nil || f.src == nil {
		return err
	}
	r.open = append(slices.DeleteFunc(r.open, func(o *followed) bool { return o == f }), f)
	if len(r.open) > maxCursors {
		_ = r.open[0].cursor.suspend() // only read
		r.open = r.open[1:]
	}
	return nil
}

// follow delivers what arrives until the context or the consumer ends it.
func (r *reader) follow(ctx context.Context, watch *Watcher) {
	var told <-chan struct{}
	if watch != nil {
		told = watch.Ready()
	}
	poll := time.NewTicker(max(pollEvery, time.Duration(len(r.all))*pollCost))
	defer poll.Stop()
	asked := time.Now()
	r.enqueue(r.all...)
	for {
		if !r.serve(ctx) {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-told:
			for _, path := range watch.Dirty() {
				r.enqueue(r.byPath[path])
			}
		case now := <-poll.C:
			if r.query.More != nil && now.Sub(asked) >= askEvery {
				if r.addMore(asked, watch); r.stopped {
					return
				}
				asked = now
			}
			r.enqueue(r.all...)
		}
	}
}

// askEvery is how often it is asked for more logs to follow.
const askEvery = time.Second

// addMore adds logs that are new, from what has arrived since.
func (r *reader) addMore(since time.Time, watch *Watcher) {
	for _, src := range r.query.More() {
		if r.byPath[src.Path] != nil {
			continue
		}
		f := &followed{cursor: cursor{path: src.Path}, source: src}
		r.add(f)
		if watch != nil {
			watch.Add(src.Path)
		}
		c := openClock(src.Path)
		f.pos = c.offset(since)
		f.scanned = f.pos
		c.close()
		if r.query.Places && !r.stopped {
			r.stopped = !r.head(f, true)
		}
	}
}

func (r *reader) enqueue(files ...*followed) {
	for _, f := range files {
		if !f.queued {
			f.queued = true
			r.queue = append(r.queue, f)
		}
	}
}

// serve reads the queued files in turns until none has anything new.
func (r *reader) serve(ctx context.Context) bool {
	for len(r.queue) > 0 && ctx.Err() == nil {
		f := r.queue[0]
		r.queue = r.queue[1:]
		f.queued = false
		more, err := r.read(f)
		if r.stopped {
			return false
		}
		r.tell(f, err)
		if more {
			r.enqueue(f)
		}
	}
	return ctx.Err() == nil
}

func (r *reader) read(f *followed) (bool, error) {
	if err := r.hold(f); err != nil || f.src == nil {
		return false, err
	}
	return f.cursor.read(r.scratch, r.emit(f))
}

// tell reports a failure of a file once; it is read again at each occasion.
func (r *reader) tell(f *followed, err error) {
	if err != nil && !f.failed && !r.stopped {
		r.stopped = !r.fail(f, err)
	}
	f.failed = err != nil
}

// emit is what a cursor hands its lines to.
func (r *reader) emit(f *followed) func(Line) bool {
	return func(l Line) bool {
		switch {
		case r.stopped:
		case r.raw != nil:
			r.stopped = !r.raw(l)
		default:
			out := f.label(app.LogLine{Text: string(l.Text), Cut: l.End == Cut, At: f.clock.when(l.Off)})
			r.mark(f, &out)
			f.over = r.query.over(out)
			r.stopped = r.query.admits(out) && !r.line(f, out)
		}
		return !r.stopped && !f.over
	}
}

// mark notes in a line where its log goes on.
func (r *reader) mark(f *followed, l *app.LogLine) {
	if r.query.Places {
		l.Place = f.cursor.place().String()
	}
}

// admits says whether the filters let a line through.
func (q *Query) admits(l app.LogLine) bool {
	if !l.At.IsZero() && (l.At.Before(q.Since) || q.over(l)) {
		return false
	}
	return q.Grep == nil || q.Grep.MatchString(l.Text)
}

// over says that a line, and all that follow in its file, are too young.
func (q *Query) over(l app.LogLine) bool {
	return !q.Until.IsZero() && !l.At.IsZero() && !l.At.Before(q.Until)
}
