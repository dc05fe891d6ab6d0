package logs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// A framed stream goes through a spool: the bytes move from the pipe to a hidden
// file, by the kernel as on the raw path, and are read back from there, cut into
// lines and written. The head of the spool is a journal: what is about to be written
// where. After a kill the next daemon sees from the length of the log file
// whether that was done, so no line is lost and none is written twice.

const (
	spoolHead  = 4096      // the journal; the bytes follow
	spoolKeep  = 128 << 10 // a spool is made small when it is larger: the pages are in the processor's cache then
	spoolLimit = 16 << 20  // bytes that may wait while a log file fails; beyond, they are lost
	chunk      = 256 << 10 // moved and written at once
)

// output is one file that a framed stream is written to.
type output struct {
	sink   *sink
	format Format
	filter *Filter
	limit  limiter
	slot   int64 // in the journal
	done   int64 // bytes of the spool that are written
}

// intent is a journal entry: "bytes done to done+n become size bytes at off of a
// file". n is 0 when nothing is under way.
type intent struct {
	done, n   int64
	file      FileID
	off, size int64
}

const intentSize = 48

func (x intent) bytes() []byte {
	var b []byte
	for _, v := range []uint64{uint64(x.done), uint64(x.n), x.file.Dev, x.file.Ino, uint64(x.off), uint64(x.size)} {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	return b
}

func parseIntent(b []byte) (x intent) {
	v := func(i int) uint64 { return binary.LittleEndian.Uint64(b[8*i:]) }
	return intent{int64(v(0)), int64(v(1)), FileID{v(2), v(3)}, int64(v(4)), int64(v(5))}
}

// spool is the way of one framed stream. Guarded by the stream's mu.
type spool struct {
	path    string
	owner   *Owner
	file    *os.File // nil = not open, nothing waits
	in      int64    // bytes that have come in
	outputs []*output
}

// spoolName is the hidden file of the stream that its user calls key.
func spoolName(path, key string) string {
	dir, base := filepath.Split(path)
	return filepath.Join(dir, "."+base+"."+key+".spool")
}

// recover takes up what an earlier daemon left.
func (p *spool) recover(now time.Time) error {
	if _, err := os.Stat(p.path); err != nil {
		return ignoreAbsent(err)
	}
	if err := p.open(); err != nil {
		return err
	}
	if rest := p.kept(); len(rest) > 0 {
		p.keep(rest)
		return nil // its journal is empty
	}
	var errs []error
	for _, o := range p.outputs {
		b := make([]byte, intentSize)
		if _, err := p.file.ReadAt(b, o.slot); err != nil {
			if !errors.Is(err, io.EOF) {
				errs = append(errs, err)
			}
			continue // killed before the first entry: everything is still to do
		}
		x := parseIntent(b)
		if x.done < 0 || x.n < 0 || x.done+x.n > p.in {
			x = intent{} // the spool was emptied, or is not ours
		}
		o.done = x.done
		if x.n > 0 {
			errs = append(errs, o.settle(x, now), p.note(o))
		}
	}
	return errors.Join(errs...)
}

// settle finds out whether what was under way is written, and undoes a part.
func (o *output) settle(x intent, now time.Time) error {
	k := o.sink
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.ready(now); err != nil || k.id != x.file {
		return nil // it is written again, later
	}
	if k.off >= x.off+x.size {
		o.done += x.n
		return nil
	}
	if k.off > x.off {
		k.off = x.off
		return k.file.Truncate(x.off)
	}
	return nil
}

// note has nothing under way in the journal. What is settled must not be judged once more by another daemon: the file
// that it names may have been rotated by then, and would look as if nothing had been written.
func (p *spool) note(o *output) error {
	_, err := p.file.WriteAt(intent{done: o.done}.bytes(), o.slot)
	return err
}

func (p *spool) open() error {
	if p.file != nil {
		return nil
	}
	f, err := openLog(p.path, p.owner)
	if err != nil {
		return err
	}
	st, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	p.file, p.in = f, max(0, st.Size()-spoolHead)
	return nil
}

// waiting is how many bytes have come in that not every output has.
func (p *spool) waiting() int64 {
	least := p.in
	for _, o := range p.outputs {
		least = min(least, o.done)
	}
	return p.in - least
}

// failing says that bytes wait for a file that cannot be written.
func (p *spool) failing() bool {
	for _, o := range p.outputs {
		o.sink.mu.Lock()
		bad := o.sink.fault.err != nil && o.done < p.in
		o.sink.mu.Unlock()
		if bad {
			return true
		}
	}
	return false
}

// owes says that a file has to be told of lines that were left out.
func (p *spool) owes() bool {
	return slices.ContainsFunc(p.outputs, func(o *output) bool { return o.limit.left > 0 })
}

// pour writes the lines that are complete to every output; with last, also what
// has no end yet.
func (s *Stream) pour(now time.Time, last bool) {
	p := s.spool
	if p.file == nil {
		return
	}
	// The combined file first: who has seen a line in the stream's own may count on its place there.
	for _, o := range slices.Backward(p.outputs) {
		for s.pourChunk(o, now, last) {
		}
	}
	if p.waiting() > spoolLimit {
		p.drop()
	}
	if p.in > spoolKeep {
		p.shrink()
	}
}

// pourChunk writes one batch of lines; false = there is none, or the file fails.
func (s *Stream) pourChunk(o *output, now time.Time, last bool) bool {
	p, k := s.spool, o.sink
	ws := workspaces.Get().(*workspace)
	defer workspaces.Put(ws)
	buf := p.next(o, ws)
	limit := o.limit                             // a batch that cannot be written is framed anew
	ws.out = slices.Grow(ws.out[:0], 2*len(buf)) // short lines become twice as long at most, mostly: growing by and by leaves garbage
	out, n := o.frame(ws.out, buf, now, last && o.done+int64(len(buf)) == p.in)
	ws.out = out
	after := o.limit
	o.limit = limit
	if n == 0 && len(out) == 0 {
		return false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ready(now) != nil {
		return false
	}
	if k.due(now) {
		if k.rotate(now); k.ready(now) != nil {
			return false
		}
	}
	k.index.stamp(now, k.off)
	x := intent{o.done, n, k.id, k.off, int64(len(out))}
	if _, err := p.file.WriteAt(x.bytes(), o.slot); err != nil {
		k.failed(err, now)
		return false
	}
	start := k.off
	if w, err := k.write(out); err != nil {
		k.stats.Bytes -= int64(w)
		k.off = start // the whole batch is written again
		_ = k.file.Truncate(start)
		k.failed(err, now)
		return false
	}
	o.done += n
	o.limit = after
	if left := limit.left; left > 0 && after.left < left {
		k.leftOut(left, now)
	}
	if k == s.sink {
		s.noteWritten(int64(len(out)))
	} else {
		k.pump.watch.notify(k.path)
	}
	return p.note(o) == nil && n > 0
}

// next reads what an output has not got yet: a chunk, or more when that has no
// complete line.
func (p *spool) next(o *output, ws *workspace) []byte {
	for size := int64(chunk); ; size = MaxLine + 1 {
		ws.in = slices.Grow(ws.in[:0], int(size))
		b := ws.in[:min(size, p.in-o.done)]
		n, _ := p.file.ReadAt(b, spoolHead+o.done) // short only if somebody meddles
		if _, _, ok := firstLine(b[:n], MaxLine); ok || size > chunk || int64(n) == p.in-o.done {
			return b[:n]
		}
	}
}

// frame appends the lines at the head of in as they are to stand in the file, and
// tells how many bytes of in they took.
func (o *output) frame(out, in []byte, now time.Time, last bool) (_ []byte, used int64) {
	stamp, rate := o.format.stamp(now), 0
	if o.filter != nil {
		rate = o.filter.Rate
	}
	if rate > 0 {
		out = o.mark(out, stamp, now, false)
	}
	if o.filter == nil && !o.format.JSON {
		out, used = stampLines(out, in, stamp)
	}
	for rest := in[used:]; len(rest) > 0; {
		l, n, ok := firstLine(rest, MaxLine)
		if !ok {
			if !last {
				break
			}
			l, n = Line{Text: rest, End: Open}, len(rest)
		}
		if rate == 0 || o.limit.admits(rate) {
			l.Text = o.filter.redact(l.Text)
			out = o.format.append(out, stamp, l)
		}
		rest, used = rest[n:], used+int64(n)
	}
	if rate > 0 && last {
		out = o.mark(out, stamp, now, true)
	}
	return out, used
}

// stampLines does the most of what frame does where nothing in a line matters: it appends the whole lines at the
// head of in with the stamp before each, until one is too long, and tells how many bytes of in they took.
func stampLines(out, in []byte, stamp string) (_ []byte, used int64) {
	rest := in
	for {
		n := bytes.IndexByte(rest[:min(len(rest), MaxLine+1)], '\n') + 1
		if n == 0 {
			return out, int64(len(in) - len(rest))
		}
		out = append(append(out, stamp...), rest[:n]...)
		rest = rest[n:]
	}
}

// mark appends the line that tells how many were left out, if it is time for it.
func (o *output) mark(out []byte, stamp string, now time.Time, last bool) []byte {
	mark := o.limit.turn(now, o.filter.Rate, last)
	if mark == "" {
		return out
	}
	return o.format.append(out, stamp, Line{Text: []byte(mark)})
}

// workspace is the memory of one batch; the workers of the pump need one each.
type workspace struct{ in, out []byte }

var workspaces = sync.Pool{New: func() any { return new(workspace) }}

// drop gives up what waits for files that have failed for too long.
func (p *spool) drop() {
	for _, o := range p.outputs {
		k := o.sink
		k.mu.Lock()
		k.lost(p.in - o.done)
		k.mu.Unlock()
		o.done = p.in
	}
}

// close ends the use of the spool; one with nothing in it is removed.
func (p *spool) close() {
	p.park()
	if p.file == nil {
		_ = removeAll(p.path) // an empty file at most
		return
	}
	_ = p.file.Close() // the next daemon goes on with it
	p.file = nil
}
