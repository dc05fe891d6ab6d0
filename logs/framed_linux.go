package logs

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// moveFramed takes a batch out of the pipe into the spool and writes the lines
// that are complete. Called with s.mu held.
func (e *engine) moveFramed(s *Stream, now time.Time, limit int64) moved {
	p := s.spool
	err := p.open()
	var m moved
	if err == nil {
		m, err = e.fillSpool(s, min(limit, chunk))
		s.pour(now, false)
	}
	switch {
	case err != nil:
		s.sink.mu.Lock()
		defer s.sink.mu.Unlock()
		if !s.sink.waiting(now) {
			s.sink.failed(err, now)
		}
		m = e.overflow(s)
	case m.end != pipeEnded && p.failing():
		m.end = pipeWaits // to try again
	case m.end != pipeEnded:
		m.owes = p.owes()
	}
	return m
}

func (e *engine) fillSpool(s *Stream, limit int64) (m moved, err error) {
	p := s.spool
	for m.n < limit {
		n, err := p.take(s.pipe.fd, limit-m.n)
		if m.n == 0 {
			m.first = n
		}
		m.n += n
		switch {
		case errors.Is(err, unix.EAGAIN):
			return m, nil
		case err != nil:
			return m, err
		case n == 0:
			m.end = pipeEnded
			return m, nil
		case n < s.pipe.size/2:
			return m, nil
		}
	}
	m.end = pipeMore
	return m, nil
}

// take moves bytes from the pipe to the end of the spool.
func (p *spool) take(fd int, limit int64) (int64, error) {
	n, err := spliceTo(fd, int(p.file.Fd()), spoolHead+p.in, limit)
	if errors.Is(err, unix.EINVAL) { // this file system cannot splice: a kill in between loses bytes
		b := buffers.Get().(*[64 << 10]byte)
		defer buffers.Put(b)
		var got int
		if got, err = readPipe(fd, b[:min(limit, int64(len(b)))]); got > 0 {
			got, err = p.file.WriteAt(b[:got], spoolHead+p.in)
		}
		n = int64(max(0, got))
	}
	p.in += n
	return n, err
}
