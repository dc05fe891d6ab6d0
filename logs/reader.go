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
}

func (f *followed) label(l app.LogLine) app.LogLine {
	l.ID, l.Name, l.Stream = f.source.ID, f.source.Name, f.source.Stream
	return l
}

// reader is one run of a query. One goroutine, the consumer's.
type reader struct {
	scratch *scratch
	line    func(*followed, Line) bool // the outputs; false = enough
	head    func(*followed) bool
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

// history delivers the last n lines of each file. When the files are followed
// afterwards, a last line without an end is left for then.
func (r *reader) history(ctx context.Context, n int, follow bool) bool {
	for _, f := range r.all {
		if r.stopped {
			return false
		}
		if err := r.begin(f, n); err != nil {
			r.tell(f, err)
			continue
		}
		for more := f.file != nil && n != 0; more && !r.stopped && ctx.Err() == nil; {
			var err error
			if more, err = f.lines(r.scratch, turn, !follow, r.emit(f)); err != nil {
				r.tell(f, err)
				break
			}
		}
		f.end = 0
	}
	return !r.stopped && ctx.Err() == nil
}

// begin opens a file, puts the cursor before its last n lines and delivers the header.
func (r *reader) begin(f *followed, n int) error {
	if err := r.hold(f); err != nil || f.file == nil {
		return err
	}
	st, err := statFile(f.file)
	if err != nil {
		return err
	}
	if f.pos, err = lastStart(f.file, st.size, n); err != nil {
		return err
	}
	f.scanned, f.end = f.pos, st.size
	if n != 0 {
		r.stopped = !r.head(f)
	}
	return nil
}

// hold opens a file and closes another when too many are.
func (r *reader) hold(f *followed) error {
	if f.file != nil {
		return nil
	}
	if err := f.cursor.open(); err != nil || f.file == nil {
		return err
	}
	r.open = append(slices.DeleteFunc(r.open, func(o *followed) bool { return o == f }), f)
	if len(r.open) > maxCursors {
		_ = r.open[0].cursor.close() // only read
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
		case <-poll.C:
			r.enqueue(r.all...)
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
	if err := r.hold(f); err != nil || f.file == nil {
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

func (r *reader) emit(f *followed) func(Line) bool {
	return func(l Line) bool {
		r.stopped = r.stopped || !r.line(f, l)
		return !r.stopped
	}
}
