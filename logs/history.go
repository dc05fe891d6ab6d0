package logs

import (
	"container/heap"
	"context"
	"errors"
	"io/fs"
	"time"

	"gpm/app"
)

// filtered says that the lines wanted cannot be found from the end of the file alone.
func (q *Query) filtered() bool {
	return q.Grep != nil || !q.Since.IsZero() || !q.Until.IsZero()
}

// history delivers the last lines of all logs in the order of their arrival, as precisely as the indexes know
// it. When the logs are followed afterwards, a last line without an end is left for then.
func (r *reader) history(ctx context.Context) bool {
	var m merge
	for i, f := range r.all {
		if r.stopped || ctx.Err() != nil {
			return false
		}
		err := r.begin(f)
		shown := f.src != nil && r.query.Lines != 0
		if err == nil && f.source.From == "" && (shown || r.query.Places) {
			r.stopped = !r.head(f, !shown)
		}
		if err == nil && f.src != nil && (r.query.Lines != 0 || f.source.From != "") {
			p := &feed{reader: r, followed: f, place: i, share: readAhead / len(r.all)}
			if r.query.filtered() && r.query.Lines > 0 && f.source.From == "" {
				p.ring = &lastRing{max: r.query.Lines, bound: maxLast / len(r.all)}
			}
			if err = p.refill(ctx); len(p.lines) > 0 {
				m = append(m, p)
			}
		}
		r.tell(f, err)
	}
	heap.Init(&m)
	for len(m) > 0 && !r.stopped && ctx.Err() == nil {
		p := m[0]
		r.stopped = !r.line(p.followed, p.lines[0])
		r.tell(p.followed, p.advance(ctx))
		if len(p.lines) > 0 {
			heap.Fix(&m, 0)
		} else {
			heap.Pop(&m)
		}
	}
	for _, f := range r.all {
		f.end = 0
	}
	return !r.stopped && ctx.Err() == nil
}

// readAhead is what all logs together may have read ahead, in bytes, and lineCost what a line costs besides its text.
const (
	readAhead = 1 << 20
	lineCost  = 256
)

// feed is the history of one log, as far as it is read ahead.
type feed struct {
	*reader
	*followed
	place int       // among the logs, for those whose lines came at the same time
	share int       // bytes to read ahead
	ring  *lastRing // for the last lines that the filters let through; nil = all lines
	lines []app.LogLine
	at    time.Time // of the first of lines, or when the one before came if that is not known
	ended bool
}

// advance goes on to the next line.
func (p *feed) advance(ctx context.Context) error {
	p.lines[0] = app.LogLine{}
	p.lines = p.lines[1:]
	if len(p.lines) == 0 {
		return p.refill(ctx)
	}
	p.note()
	return nil
}

// note keeps the order within a log, whatever the clock said.
func (p *feed) note() {
	if len(p.lines) > 0 && p.lines[0].At.After(p.at) {
		p.at = p.lines[0].At
	}
}

// refill reads the next lines, from the archives and then the live file up to its end.
func (p *feed) refill(ctx context.Context) error {
	p.lines = nil
	var err error
	for len(p.lines) == 0 && !p.ended && ctx.Err() == nil {
		if p.ended, err = p.batch(); p.ended && p.ring != nil {
			p.lines = p.ring.lines
		}
	}
	p.note()
	return err
}

// batch reads a batch, or goes over to the next file; ended says that there is no more.
func (p *feed) batch() (ended bool, err error) {
	if err := p.hold(p.followed); err != nil || p.src == nil {
		return true, err
	}
	last := !p.own.live() || !p.query.Follow
	more, err := p.cursor.lines(p.scratch, turn, last, p.gather())
	switch {
	case err != nil || p.over || !more && p.own.live():
		return true, err
	case !more:
		err = p.next()
	}
	return err != nil, err
}

// gather keeps the lines that the filters let through, until there are enough.
func (p *feed) gather() func(Line) bool {
	size := 0
	return func(l Line) bool {
		out := p.label(app.LogLine{Text: string(l.Text), Cut: l.End == Cut, At: p.clock.when(l.Off)})
		p.over = p.query.over(out)
		p.mark(p.followed, &out)
		switch {
		case !p.query.admits(out):
		case p.ring != nil:
			p.ring.add(out)
		default:
			p.lines = append(p.lines, out)
			size += len(out.Text) + lineCost
		}
		return size < p.share && !p.over
	}
}

// merge is a heap of logs by the time of their next lines.
type merge []*feed

func (m merge) Len() int { return len(m) }

func (m merge) Less(i, j int) bool {
	if c := m[i].at.Compare(m[j].at); c != 0 {
		return c < 0
	}
	return m[i].place < m[j].place
}

func (m merge) Swap(i, j int) { m[i], m[j] = m[j], m[i] }
func (m *merge) Push(x any)   { *m = append(*m, x.(*feed)) }

func (m *merge) Pop() any {
	last := len(*m) - 1
	p := (*m)[last]
	*m = (*m)[:last]
	return p
}

// begin puts the cursor where the history starts. When another file was opened than was chosen, for there was a
// rotation meanwhile, it looks again.
func (r *reader) begin(f *followed) error {
	for {
		chain, err := chainOf(f.path)
		if err != nil {
			return err
		}
		again, err := r.tryBegin(f, chain)
		if !again || err != nil {
			return err
		}
		if err := f.cursor.next(); err != nil {
			return err
		}
	}
}

func (r *reader) tryBegin(f *followed, chain []archive) (again bool, err error) {
	live := len(chain) - 1
	f.end = chain[live].size
	i, pos := live, int64(0)
	from, resumes := parsePlace(f.source.From)
	switch {
	case resumes:
		i, pos = from.find(chain)
	case r.query.Lines == 0:
		pos = chain[live].size
	case r.query.filtered():
		i, pos = r.query.firstOf(chain)
	default:
		if i, pos, err = lastOf(chain, r.query.Lines); err != nil {
			return false, err
		}
	}
	f.rest, f.seen = chain[i:live], time.Time{}
	if i > 0 {
		f.seen = chain[i-1].at
	}
	if err := r.hold(f); err != nil || f.src == nil {
		return false, err
	}
	f.pos, f.scanned = pos, pos
	return f.own.plain != chain[i].plain || f.own.live() && f.id != chain[live].id, nil
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

// lastRing keeps the last lines of many, and no more than so many bytes of them.
type lastRing struct {
	max   int
	bound int
	bytes int
	lines []app.LogLine
}

func (r *lastRing) add(l app.LogLine) {
	r.lines = append(r.lines, l)
	r.bytes += len(l.Text) + lineCost
	for len(r.lines) > r.max || r.bytes > r.bound && len(r.lines) > 1 {
		r.bytes -= len(r.lines[0].Text) + lineCost
		r.lines[0] = app.LogLine{}
		r.lines = r.lines[1:]
	}
}
