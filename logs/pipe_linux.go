package logs

import (
	"bytes"
	"errors"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// batchLimit is what one stream may move before the others have their turn.
	batchLimit = 1 << 20
	// maxPipe is the largest pipe asked for. Twice as much is slower: it leaves the processor's cache.
	maxPipe = 256 << 10
	// spliceSize is asked for at once: more than any pipe of ours holds.
	spliceSize = 1 << 20
)

// pipe is the read end of one worker's output.
type pipe struct {
	fd    int
	token uint64
	size  int64     // capacity in bytes
	rate  float64   // bytes per second, as last seen
	last  time.Time // the last look
}

func pipeSize(fd int) int64 {
	n, err := unix.FcntlInt(uintptr(fd), unix.F_GETPIPE_SZ, 0)
	if err != nil {
		return 64 << 10
	}
	return int64(n)
}

// grow enlarges a pipe that was seen full. Beyond the user's budget of pipe pages
// the kernel refuses (EPERM), and the pipe stays as it is.
func (p *pipe) grow() {
	if p.size >= maxPipe {
		return
	}
	n, err := unix.FcntlInt(uintptr(p.fd), unix.F_SETPIPE_SZ, int(min(p.size*4, maxPipe)))
	if err == nil {
		p.size = int64(n)
	}
}

// pipeEnd says how a batch ended.
type pipeEnd uint8

const (
	pipeEmpty pipeEnd = iota // nothing more in the pipe
	pipeMore                 // the limit was reached
	pipeEnded                // end of file
	pipeWaits                // the file fails
	pipeHeld                 // another stream is in the middle of a line
)

// moved is the outcome of a batch.
type moved struct {
	n     int64 // bytes taken out of the pipe
	first int64 // by the first call: what had gathered
	end   pipeEnd
	owes  bool // there will be something to write also if nothing comes
}

// rate estimates the stream's speed after this batch. It falls slowly, so that one
// quiet look does not make a fast stream wait; a full pipe hides the true speed, which
// then counts as unbounded until the next look.
func (m moved) rate(p pipe, now time.Time) float64 {
	if m.first >= p.size*3/4 && p.rate < float64(p.size)/fineTick.Seconds() {
		return float64(p.size) / fineTick.Seconds()
	}
	dt := max(now.Sub(p.last), time.Microsecond).Seconds()
	return max(float64(m.n)/dt, p.rate/2)
}

// rest is how long the pipe may fill: until it is about half full, at most the
// tick of a crowd. 0 = wait for the kernel to report the next byte.
func (m moved) rest(p pipe) time.Duration {
	switch m.end {
	case pipeWaits:
		return slowTick
	case pipeHeld:
		return fineTick
	}
	if m.n == 0 && m.owes {
		return slowTick
	}
	if m.n == 0 || m.end == pipeMore {
		return 0
	}
	fill := time.Duration(float64(p.size) / 2 / p.rate * float64(time.Second))
	if fill < fineTick && !m.owes {
		return 0
	}
	return min(max(fill, fineTick), crowdTick)
}

// move takes a batch out of the pipe of s. Called with s.mu held.
func (e *engine) move(s *Stream, now time.Time, limit int64) moved {
	k := s.sink
	if s.spool != nil {
		return e.moveFramed(s, now, limit)
	}
	if k.path == "" {
		return e.discard(s, limit)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.heldFrom(s, now) {
		return moved{end: pipeHeld}
	}
	if k.ready(now) != nil {
		return e.overflow(s)
	}
	k.index.stamp(now, k.off)
	m, goOn := e.toLineEnd(s, now)
	if goOn {
		m = e.fill(s, now, k.room(limit))
	}
	if k.file != nil {
		k.holdLine(s, now)
	}
	return m
}

// toLineEnd comes first when the file is due to be rotated or another stream waits
// for it: only the rest of the present line is moved. goOn says that a whole batch
// may follow, in the new file after a rotation.
func (e *engine) toLineEnd(s *Stream, now time.Time) (m moved, goOn bool) {
	k := s.sink
	due := k.due(now)
	if !due && (k.hold.by != s || k.hold.next == nil) {
		return m, true
	}
	if k.midLine() {
		m, ended := e.finishLine(s, now)
		if m.end != pipeEmpty || !due || !ended && !k.overdue() {
			return m, false
		}
	}
	if !due {
		return m, true
	}
	k.rotate(now)
	if err := k.ready(now); err != nil {
		m.end = pipeWaits
		return m, false
	}
	return m, m.n == 0
}

// finishLine moves exactly the rest of a line, as far as it is in the pipe.
func (e *engine) finishLine(s *Stream, now time.Time) (m moved, ended bool) {
	for {
		n, ended, err := peekLine(s.pipe.fd)
		if err != nil {
			s.sink.failed(err, now)
			m.end = pipeWaits
		}
		if n == 0 || err != nil {
			return m, false
		}
		part := e.fill(s, now, n)
		m.n, m.end = m.n+part.n, part.end
		if part.n == n {
			m.end = pipeEmpty // fill met its limit, no more
		}
		if ended = ended && part.n == n; ended || m.end != pipeEmpty || m.n > batchLimit {
			return m, ended
		}
	}
}

// peekLine tells how many bytes there are up to and including the first newline in
// the pipe, or up to the end of what can be seen at once. tee(2) copies without taking, so
// that a kill here changes nothing.
func peekLine(fd int) (n int64, ended bool, err error) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return 0, false, err
	}
	defer func() { _, _ = unix.Close(p[0]), unix.Close(p[1]) }()
	got, err := unix.Tee(fd, p[1], 64<<10, unix.SPLICE_F_NONBLOCK)
	if errors.Is(err, unix.EAGAIN) || err == nil && got == 0 {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	b := buffers.Get().(*[64 << 10]byte)
	defer buffers.Put(b)
	seen, err := readPipe(p[0], b[:got])
	if i := bytes.IndexByte(b[:max(seen, 0)], '\n'); i >= 0 {
		return int64(i) + 1, true, nil
	}
	return int64(seen), false, err
}

// fill moves bytes to the open file until the pipe is empty or the limit reached.
func (e *engine) fill(s *Stream, now time.Time, limit int64) (m moved) {
	k := s.sink
	for m.n < limit {
		n, err := k.take(s.pipe.fd, min(limit-m.n, spliceSize))
		if m.n == 0 {
			m.first = n
		}
		m.n += n
		s.noteWritten(n)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return m
		case err != nil:
			k.failed(err, now)
			m.end = pipeWaits
			return m
		case n == 0:
			m.end = pipeEnded
			return m
		case n < s.pipe.size/2:
			return m // a moment ago it was empty; epoll tells of more
		}
	}
	m.end = pipeMore
	return m
}

// take moves up to limit bytes from the pipe to the file at its offset. The kernel
// takes from the pipe exactly what it has written, whatever happens to us meanwhile.
func (k *sink) take(fd int, limit int64) (int64, error) {
	if k.plain {
		return k.takePlain(fd, limit)
	}
	n, err := spliceTo(fd, k.fd, k.off, limit)
	if errors.Is(err, unix.EINVAL) { // this file system cannot splice
		k.plain = true
		return k.takePlain(fd, limit)
	}
	k.wrote(n)
	return n, err
}

// spliceTo moves what is in a pipe, at most limit bytes, to a place in a file.
func spliceTo(pipe, file int, off, limit int64) (int64, error) {
	for {
		to := off
		n, err := unix.Splice(pipe, nil, file, &to, int(limit), unix.SPLICE_F_NONBLOCK|unix.SPLICE_F_MOVE)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		return max(0, int64(n)), err
	}
}

// buffers are for file systems that cannot splice.
var buffers = sync.Pool{New: func() any { return new([64 << 10]byte) }}

// takePlain reads and writes: a kill in between loses what was read.
func (k *sink) takePlain(fd int, limit int64) (int64, error) {
	b := buffers.Get().(*[64 << 10]byte)
	defer buffers.Put(b)
	n, err := readPipe(fd, b[:min(limit, int64(len(b)))])
	if n <= 0 || err != nil {
		return 0, err
	}
	w, err := k.write(b[:n])
	if err != nil {
		k.lost(int64(n - w))
	}
	return int64(w), err
}

func readPipe(fd int, b []byte) (int, error) {
	for {
		n, err := unix.Read(fd, b)
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}

// overflow keeps what the pipe can hold while the file fails, and drops when it is
// half full: the process at the other end must not block.
func (e *engine) overflow(s *Stream) moved {
	waiting, err := unix.IoctlGetInt(s.pipe.fd, unix.TIOCINQ) // FIONREAD
	if err == nil && waiting > 0 && int64(waiting) < s.pipe.size/2 {
		return moved{end: pipeWaits}
	}
	m := e.discard(s, batchLimit)
	s.sink.lost(m.n)
	if m.end != pipeEnded {
		m.end = pipeWaits
	}
	return m
}

// discard throws away what is in the pipe.
func (e *engine) discard(s *Stream, limit int64) (m moved) {
	for m.n < limit {
		n, err := unix.Splice(s.pipe.fd, nil, e.null, nil, spliceSize, unix.SPLICE_F_NONBLOCK)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return m
		case n == 0:
			m.end = pipeEnded
			return m
		}
		m.n += int64(n)
	}
	m.end = pipeMore
	return m
}

// drain empties the pipe until deadline. Called with s.mu held.
func (s *Stream) drain(deadline time.Time) {
	s.lastChance()
	if s.state == attached {
		s.state = draining
		s.drainPipe(deadline)
	}
	if s.spool != nil {
		s.pour(time.Now(), true)
	}
}

// lastChance makes a failing file be tried again at once, if only to note in it
// how much was lost.
func (s *Stream) lastChance() {
	for _, k := range []*sink{s.sink, s.also} {
		if k == nil || k.path == "" {
			continue
		}
		k.mu.Lock()
		if k.fault.retry = (time.Time{}); k.fault.err != nil {
			_ = k.ready(time.Now()) // it has noted its failure
		}
		k.mu.Unlock()
	}
}

func (s *Stream) drainPipe(deadline time.Time) {
	e, k := s.pump.engine, s.sink
	for {
		now := time.Now()
		m := e.move(s, now, batchLimit)
		if m.end == pipeWaits {
			lost := e.discard(s, batchLimit)
			k.mu.Lock()
			k.lost(lost.n)
			k.mu.Unlock()
			m = lost
		}
		if m.end == pipeEnded || m.n == 0 || now.After(deadline) {
			return
		}
	}
}
