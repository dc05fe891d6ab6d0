package logs

import (
	"context"
	"errors"
	"io/fs"

	"gpm/app"
)

// filtered says that the lines wanted cannot be found from the end of the file alone.
func (q *Query) filtered() bool {
	return q.Grep != nil || !q.Since.IsZero() || !q.Until.IsZero()
}

// history delivers the last lines of each log. When the logs are followed
// afterwards, a last line without an end is left for then.
func (r *reader) history(ctx context.Context) bool {
	for _, f := range r.all {
		if r.stopped || ctx.Err() != nil {
			return false
		}
		err := r.begin(f)
		if err == nil && f.src != nil && r.query.Lines != 0 {
			r.stopped = !r.head(f)
			err = r.past(ctx, f)
		}
		f.end = 0
		r.tell(f, err)
	}
	return !r.stopped && ctx.Err() == nil
}

// past delivers from the cursor's place to the present end of the live file.
func (r *reader) past(ctx context.Context, f *followed) error {
	out := r.line
	var ring lastRing
	if r.query.filtered() && r.query.Lines > 0 {
		ring.max = r.query.Lines
		r.line = func(_ *followed, l app.LogLine) bool { ring.add(l); return true }
	}
	err := r.untilLive(ctx, f)
	r.line = out
	for _, l := range ring.lines {
		r.stopped = r.stopped || !r.line(f, l)
	}
	return err
}

// untilLive reads the archives and then the live file up to f.end.
func (r *reader) untilLive(ctx context.Context, f *followed) error {
	emit := r.emit(f)
	for !r.stopped && ctx.Err() == nil {
		if err := r.hold(f); err != nil || f.src == nil {
			return err
		}
		last := !f.own.live() || !r.query.Follow
		more, err := f.lines(r.scratch, turn, last, emit)
		switch {
		case err != nil || f.over:
			return err
		case more:
		case f.own.live():
			return nil
		default:
			if err := f.next(); err != nil {
				return err
			}
		}
	}
	return nil
}

// begin puts the cursor where the history starts. A rotation between the look at
// the chain and the opening of a file makes it look again.
func (r *reader) begin(f *followed) error {
	for {
		again, err := r.tryBegin(f)
		if !again || err != nil {
			return err
		}
		if err := f.cursor.next(); err != nil {
			return err
		}
	}
}

func (r *reader) tryBegin(f *followed) (again bool, err error) {
	chain, err := chainOf(f.path)
	if err != nil {
		return false, err
	}
	live := len(chain) - 1
	f.end = chain[live].size
	i, pos := live, int64(0)
	switch {
	case r.query.Lines == 0:
		pos = chain[live].size
	case r.query.filtered():
		i, pos = r.query.firstOf(chain)
	default:
		if i, pos, err = lastOf(chain, r.query.Lines); err != nil {
			return false, err
		}
	}
	f.rest = chain[i:live]
	if err := r.hold(f); err != nil || f.src == nil {
		return false, err
	}
	f.pos, f.scanned = pos, pos
	return f.own.live() && f.id != chain[live].id, nil
}

// lastOf finds the last n lines of a chain: in which of its files they begin, and where.
func lastOf(chain []archive, n int) (i int, pos int64, err error) {
	if n < 0 {
		return 0, 0, nil
	}
	for i = len(chain) - 1; ; i-- {
		src, st, err := openArchive(chain[i])
		if errors.Is(err, fs.ErrNotExist) && i > 0 {
			continue
		}
		if err != nil {
			return i, 0, ignoreAbsent(err)
		}
		size := st.size
		if chain[i].live() {
			size = min(size, chain[i].size)
		}
		pos, n, err = lastLines(src, size, n)
		_ = src.Close() // only read
		if err != nil || n <= 0 || i == 0 {
			return i, pos, err
		}
	}
}

func ignoreAbsent(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// firstOf finds where lines begin that are not older than Since.
func (q *Query) firstOf(chain []archive) (i int, pos int64) {
	for !chain[i].live() && chain[i].at.Before(q.Since) {
		i++
	}
	if q.Since.IsZero() {
		return i, 0
	}
	c := openClock(chain[i].plain)
	defer c.close()
	return i, c.offset(q.Since)
}

// lastRing keeps the last lines of many, and no more than maxLast bytes of them.
type lastRing struct {
	max   int
	bytes int
	lines []app.LogLine
}

func (r *lastRing) add(l app.LogLine) {
	r.lines = append(r.lines, l)
	r.bytes += len(l.Text)
	for len(r.lines) > r.max || r.bytes > maxLast && len(r.lines) > 1 {
		r.bytes -= len(r.lines[0].Text)
		r.lines[0] = app.LogLine{}
		r.lines = r.lines[1:]
	}
}
