//go:build unix

package channel

import (
	"errors"
	"syscall"
)

// source is what reading from a socket needs.
type source struct{ poll func(fd uintptr) bool }

// fill waits for what the process sends, or for its end; false: Close was called, or nothing can come any more. An
// error of raw means the former: the system call's own is in c.in.err.
func (c *Channel) fill() bool {
	if c.in.from.poll == nil {
		c.in.from.poll = c.receive
	}
	if c.raw.Read(c.in.from.poll) != nil {
		return false
	}
	return !errors.Is(c.in.err, syscall.ECONNRESET) // the process ended without reading what was sent to it
}

// receive is called by the poller; false waits. The buffer goes back before the wait.
func (c *Channel) receive(fd uintptr) bool {
	r := &c.in
	if r.buf == nil {
		r.buf = buffers.Get().(*[chunkSize]byte)
	}
	r.got, r.err = receive(fd, r.buf[:])
	if errors.Is(r.err, syscall.EAGAIN) {
		r.release()
		return false
	}
	return true
}

// consume takes what was peeked at out of the socket.
func (c *Channel) consume(got received) error {
	if !got.peeked {
		return nil
	}
	var err error
	closed := c.raw.Control(func(fd uintptr) { err = discard(fd, c.in.buf[:got.n]) })
	return errors.Join(closed, err)
}
