package logs

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Tokens of the engine's own descriptors in the epoll set; streams follow.
const (
	tokenStop uint64 = iota
	tokenTimer
	tokenFirst
)

// engine is the Linux way: one epoll, a few threads, no goroutine per pipe. A
// stream is always in exactly one place: armed in the epoll set (one shot), resting in
// the wheel, in the hands of one worker, or ended.
type engine struct {
	epoll, stop, timer, null int

	wg       sync.WaitGroup // the workers
	wheel    wheel
	stopping atomic.Bool

	mu      sync.Mutex // guards the rest
	streams map[uint64]*Stream
	next    uint64
}

func newEngine() (*engine, error) {
	e := &engine{epoll: -1, stop: -1, timer: -1, null: -1, streams: map[uint64]*Stream{}, next: tokenFirst}
	if err := e.open(); err != nil {
		e.closeFiles()
		return nil, err
	}
	e.wheel.start = time.Now()
	for range max(2, runtime.GOMAXPROCS(0)) {
		e.wg.Go(e.work)
	}
	return e, nil
}

func (e *engine) open() (err error) {
	if e.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return fmt.Errorf("epoll_create1: %w", err)
	}
	if e.stop, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return fmt.Errorf("eventfd: %w", err)
	}
	if e.timer, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK); err != nil {
		return fmt.Errorf("timerfd_create: %w", err)
	}
	if e.null, err = unix.Open(os.DevNull, unix.O_WRONLY|unix.O_CLOEXEC, 0); err != nil {
		return fmt.Errorf("open %s: %w", os.DevNull, err)
	}
	if err = e.control(unix.EPOLL_CTL_ADD, e.stop, unix.EPOLLIN, tokenStop); err != nil {
		return err
	}
	// Edge-triggered: each expiry wakes one worker, not all of them.
	return e.control(unix.EPOLL_CTL_ADD, e.timer, unix.EPOLLIN|unix.EPOLLET, tokenTimer)
}

func (e *engine) control(op, fd int, events uint32, token uint64) error {
	ev := unix.EpollEvent{Events: events, Fd: int32(token), Pad: int32(token >> 32)}
	if err := unix.EpollCtl(e.epoll, op, fd, &ev); err != nil {
		return fmt.Errorf("epoll_ctl: %w", err)
	}
	return nil
}

// add takes over the pipe: on success r is closed and a duplicate of it is ours,
// outside the Go runtime's own poller.
func (e *engine) add(s *Stream, r *os.File) error {
	fd, err := duplicate(r)
	if err != nil {
		return err
	}
	if err := e.enter(s, fd); err != nil {
		_ = unix.Close(fd)
		return err
	}
	return r.Close()
}

// enter makes the stream known and arms it. Under the lock, so that close cannot
// come in between and leave us with descriptor numbers that are somebody else's.
func (e *engine) enter(s *Stream, fd int) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stopping.Load() {
		return ErrClosed
	}
	s.pipe = pipe{fd: fd, token: e.next, size: pipeSize(fd)}
	if err := e.control(unix.EPOLL_CTL_ADD, fd, unix.EPOLLIN|unix.EPOLLONESHOT, e.next); err != nil {
		return err
	}
	e.streams[e.next] = s
	e.next++
	return nil
}

func duplicate(r *os.File) (fd int, err error) {
	raw, err := r.SyscallConn()
	if err != nil {
		return -1, err
	}
	fd = -1
	if cerr := raw.Control(func(old uintptr) { fd, err = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 3) }); cerr != nil {
		return -1, cerr
	}
	if err != nil {
		return -1, fmt.Errorf("fcntl: %w", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		_ = unix.Close(fd)
		return -1, fmt.Errorf("fcntl: %w", err)
	}
	return fd, nil
}

// remove is called with the stream's mu held, once. Closing the descriptor does
// not take it out of the epoll set, for the master has the same pipe open.
func (e *engine) remove(s *Stream) {
	_ = unix.EpollCtl(e.epoll, unix.EPOLL_CTL_DEL, s.pipe.fd, nil)
	_ = unix.Close(s.pipe.fd) // a pipe's read end has nothing to flush
	e.mu.Lock()
	delete(e.streams, s.pipe.token)
	e.mu.Unlock()
}

// work is one thread of the pool: it serves one stream after another until close.
func (e *engine) work() {
	var events [1]unix.EpollEvent // one: what a slow disk delays must be free for the other workers
	for {
		n, err := unix.EpollWait(e.epoll, events[:], -1)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return
		}
		if n < 1 {
			continue
		}
		switch token := uint64(uint32(events[0].Fd)) | uint64(uint32(events[0].Pad))<<32; token {
		case tokenStop:
			return
		case tokenTimer:
			e.tick()
		default:
			e.mu.Lock()
			s := e.streams[token]
			e.mu.Unlock()
			if s != nil {
				e.serve(s)
			}
		}
	}
}

// tick serves the streams whose rest is over. The timer is set again first, so
// that a worker stuck in a slow disk leaves the others of this tick to the next.
func (e *engine) tick() {
	var expiries [8]byte
	_, _ = unix.Read(e.timer, expiries[:]) // only resets the edge
	e.wheel.collect(time.Now(), e.setTimer)
	for s := e.wheel.pop(); s != nil && !e.stopping.Load(); s = e.wheel.pop() {
		e.serve(s)
	}
}

func (e *engine) setTimer(d time.Duration) {
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(max(d, time.Microsecond)))}
	_ = unix.TimerfdSettime(e.timer, 0, &spec, nil) // fails only for bad arguments
}

// serve moves a batch and decides where the stream waits for the next.
func (e *engine) serve(s *Stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != attached {
		return
	}
	now := time.Now()
	m := e.move(s, now, batchLimit)
	s.pipe.last, s.pipe.rate = now, m.rate(s.pipe, now)
	if m.end == pipeEnded {
		s.state = ended
		return
	}
	if m.first >= s.pipe.size*3/4 {
		s.pipe.grow()
	}
	if m.n == 0 && s.spool != nil {
		s.spool.park()
	}
	if d := m.rest(s.pipe); d > 0 {
		e.wheel.rest(s, now, d, e.setTimer)
		return
	}
	if err := e.control(unix.EPOLL_CTL_MOD, s.pipe.fd, unix.EPOLLIN|unix.EPOLLONESHOT, s.pipe.token); err != nil {
		e.wheel.rest(s, now, slowTick, e.setTimer) // out of kernel memory: look again without epoll
	}
}

// close ends the workers, waits for them and closes the pipes.
func (e *engine) close() error {
	e.mu.Lock()
	e.stopping.Store(true)
	e.mu.Unlock()
	if _, err := unix.Write(e.stop, []byte{1, 0, 0, 0, 0, 0, 0, 0}); err != nil {
		return fmt.Errorf("cannot stop the log pump: %w", err)
	}
	e.wg.Wait()
	e.mu.Lock()
	streams := e.streams
	e.streams = map[uint64]*Stream{}
	e.mu.Unlock()
	for _, s := range streams {
		s.mu.Lock()
		if s.state != detached {
			s.state = detached
			_ = unix.Close(s.pipe.fd)
			if s.spool != nil {
				s.spool.close()
			}
		}
		s.mu.Unlock()
	}
	e.closeFiles()
	return nil
}

func (e *engine) closeFiles() {
	for _, fd := range []int{e.epoll, e.stop, e.timer, e.null} {
		if fd >= 0 {
			_ = unix.Close(fd)
		}
	}
}
