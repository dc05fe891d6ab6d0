//go:build !linux

package logs

import (
	"errors"
	"os"
	"sync"
	"time"
)

// engine is the portable way: a goroutine per pipe that reads and writes. A kill
// between the two loses what was read.
type engine struct {
	wg sync.WaitGroup

	mu      sync.Mutex
	streams map[*Stream]struct{}
}

// pipe is the read end of one worker's output.
type pipe struct {
	file *os.File
	done chan struct{} // closed when the goroutine has ended
}

func newEngine() (*engine, error) {
	return &engine{streams: map[*Stream]struct{}{}}, nil
}

func (e *engine) add(s *Stream, r *os.File) error {
	s.pipe = pipe{file: r, done: make(chan struct{})}
	e.mu.Lock()
	e.streams[s] = struct{}{}
	e.mu.Unlock()
	e.wg.Go(func() { s.copy(s.pipe) })
	return nil
}

// remove closes the pipe, which ends its goroutine; called with s.mu held.
func (e *engine) remove(s *Stream) {
	_ = s.pipe.file.Close() // a read end has nothing to flush
	e.mu.Lock()
	delete(e.streams, s)
	e.mu.Unlock()
}

func (e *engine) close() error {
	e.mu.Lock()
	streams := e.streams
	e.streams = map[*Stream]struct{}{}
	e.mu.Unlock()
	for s := range streams {
		s.mu.Lock()
		s.state = detached
		_ = s.pipe.file.Close()
		s.mu.Unlock()
	}
	e.wg.Wait()
	return nil
}

// copy is the goroutine of one pipe.
func (s *Stream) copy(p pipe) {
	defer close(p.done)
	b := make([]byte, 32<<10)
	for {
		n, err := p.file.Read(b)
		if n > 0 {
			s.put(b[:n])
		}
		if err != nil {
			return
		}
	}
}

// put writes to the file or drops.
func (s *Stream) put(b []byte) {
	k, now := s.sink, time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.spool != nil {
		s.putFramed(b, now)
		return
	}
	if k.path == "" {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ready(now) != nil {
		k.lost(int64(len(b)))
		return
	}
	if k.due(now) && (!k.midLine() || k.overdue()) {
		k.rotate(now)
		if k.ready(now) != nil {
			k.lost(int64(len(b)))
			return
		}
	}
	k.index.stamp(now, k.off)
	n, err := k.write(b)
	s.noteWritten(int64(n))
	if err != nil {
		k.lost(int64(len(b) - n))
		k.failed(err, now)
	}
}

func (s *Stream) putFramed(b []byte, now time.Time) {
	p := s.spool
	err := p.open()
	if err == nil {
		var n int
		n, err = p.file.WriteAt(b, spoolHead+p.in)
		p.in, b = p.in+int64(n), b[n:]
	}
	if err != nil {
		s.sink.mu.Lock()
		s.sink.lost(int64(len(b)))
		s.sink.failed(err, now)
		s.sink.mu.Unlock()
	}
	s.pour(now, false)
}

// drain waits until the goroutine has seen the end of the pipe, or, where reads
// have deadlines, has emptied it. Called with s.mu held.
func (s *Stream) drain(deadline time.Time) {
	if s.state != attached {
		return
	}
	if s.spool != nil {
		defer func() { s.pour(time.Now(), true) }()
	}
	p := s.pipe
	s.mu.Unlock()
	defer s.mu.Lock()
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		if errors.Is(p.file.SetReadDeadline(deadline), os.ErrNoDeadline) {
			return
		}
		<-p.done
	}
}
