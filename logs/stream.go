package logs

import (
	"io"
	"slices"
	"sync"
	"time"
)

// maxSpans bounds what a stream remembers of where it wrote. A stream alone in its
// file needs one span; one that shares the file needs one for each turn.
const maxSpans = 128

// streamState says whether a stream still moves bytes.
type streamState uint8

const (
	attached streamState = iota
	draining
	ended // end of file: nobody has the write end any more
	detached
)

// Stream is the way from one pipe to its file.
type Stream struct {
	pump *Pump
	sink *sink

	mu    sync.Mutex // guards the rest; held during a batch; taken before the sink's mu
	pipe  pipe
	state streamState
	spans []span
	spool *spool // nil on the raw path
	also  *sink  // the combined file; nil = none
}

// span is a run of bytes that one stream wrote.
type span struct {
	epoch  uint64 // of the sink
	off, n int64
}

// addSpan remembers that n bytes went to off. Neighbours are one span.
func addSpan(spans []span, epoch uint64, off, n int64) []span {
	if last := len(spans) - 1; last >= 0 && spans[last].epoch == epoch && spans[last].off+spans[last].n == off {
		spans[last].n += n
		return spans
	}
	if len(spans) >= maxSpans {
		spans = spans[:copy(spans, spans[len(spans)-maxSpans+1:])]
	}
	return append(spans, span{epoch, off, n})
}

// noteWritten remembers that n bytes were just written. Called with the mus of the
// stream and of its sink held.
func (s *Stream) noteWritten(n int64) {
	if k := s.sink; n > 0 {
		s.spans = addSpan(s.spans, k.epoch, k.off-n, n)
		k.pump.watch.notify(k.path)
	}
}

// Drain is for a process that has ended: what is still in the pipe goes to the
// file, at most for the given time (a descendant that is still alive may go on writing),
// then the stream is detached and its pipe closed. On a failing file the rest is dropped.
func (s *Stream) Drain(limit time.Duration) {
	s.mu.Lock()
	s.drain(time.Now().Add(limit))
	s.mu.Unlock()
	s.Detach()
}

// Detach closes the pipe without draining it.
func (s *Stream) Detach() {
	s.mu.Lock()
	was := s.state
	s.state = detached
	if was != detached {
		s.pump.engine.remove(s)
	}
	s.mu.Unlock()
	if was != detached {
		s.releaseAll()
	}
}

// releaseAll lets go of the files.
func (s *Stream) releaseAll() {
	if s.spool != nil {
		s.spool.close()
		s.pump.give(s.spool.path)
	}
	if s.also != nil {
		s.pump.release(s.also)
	}
	s.pump.release(s.sink)
}

// setUpFrames prepares the framed path and takes up what an earlier daemon left of
// this stream.
func (s *Stream) setUpFrames(t Target) error {
	var outputs []*output
	format := Format{}
	if t.Format != nil {
		format = *t.Format
	}
	if s.sink.path != "" {
		outputs = append(outputs, &output{sink: s.sink, format: format, filter: t.Filter})
	}
	if t.Combined != "" {
		k, err := s.pump.acquire(Target{Path: t.Combined, Owner: t.Owner, Rotate: t.Rotate})
		if err != nil {
			return err
		}
		s.also = k
		outputs = append(outputs, &output{sink: k, format: format, filter: t.Filter, slot: 64})
	}
	if len(outputs) == 0 {
		return nil
	}
	path := spoolName(outputs[0].sink.path, t.Key)
	if err := s.pump.claim(path); err != nil {
		return err
	}
	s.spool = &spool{path: path, owner: t.Owner, outputs: outputs}
	now := time.Now()
	if err := s.spool.recover(now); err != nil {
		s.pump.log.Warn("Cannot take up a log", "path", s.spool.path, "err", err)
	}
	s.pour(now, false)
	return nil
}

// Tail returns the last n lines, at most maxBytes in all, that this stream wrote to
// its file since it was attached; lines that another stream or a truncation overwrote are
// not among them. The first may be cut.
func (s *Stream) Tail(n, maxBytes int) []string {
	s.mu.Lock()
	spans := append([]span(nil), s.spans...)
	s.mu.Unlock()
	return lastStrings(s.sink.readBack(spans, maxBytes), n)
}

// readBack returns the last limit bytes of some spans, from the file and those it
// was rotated to.
func (k *sink) readBack(spans []span, limit int) []byte {
	var out []byte
	for len(spans) > 0 && limit > 0 {
		epoch := spans[len(spans)-1].epoch
		k.mu.Lock()
		path := k.pathOf(epoch)
		k.mu.Unlock()
		i := slices.IndexFunc(spans, func(sp span) bool { return sp.epoch == epoch })
		if path == "" {
			break
		}
		f, _, err := openArchive(archive{plain: path})
		if err != nil {
			break // removed
		}
		part := readSpans(f, spans[i:], limit)
		_ = f.Close() // only read
		out = append(part, out...)
		spans, limit = spans[:i], limit-len(part)
	}
	return out
}

// readSpans returns the last limit bytes of spans of one file.
func readSpans(f io.ReaderAt, spans []span, limit int) []byte {
	var parts [][]byte
	for i := len(spans) - 1; i >= 0 && limit > 0; i-- {
		sp := spans[i]
		take := min(sp.n, int64(limit))
		b := make([]byte, take)
		got, _ := f.ReadAt(b, sp.off+sp.n-take) // short when somebody truncated the file
		parts = append(parts, b[:got])
		limit -= int(take)
	}
	slices.Reverse(parts)
	return slices.Concat(parts...)
}

// lastStrings returns the last n lines of b.
func lastStrings(b []byte, n int) []string {
	var out []string
	var sp Splitter
	keep := func(l Line) { out = append(out, string(l.Text)) }
	sp.Write(b, keep)
	sp.Flush(keep)
	return out[max(0, len(out)-n):]
}
