package channel

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/windows"
)

// source is what reading from a pipe needs.
type source struct{ frames frames }

// fill waits for data of the process, or for its end; false: Close was called, or nothing can come any more.
func (c *Channel) fill() bool {
	r := &c.in
	if r.buf == nil {
		r.buf = buffers.Get().(*[chunkSize]byte)
	}
	for {
		n, err := c.file.Read(r.buf[:])
		if errors.Is(err, io.EOF) || errors.Is(err, windows.ERROR_BROKEN_PIPE) ||
			errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, os.ErrClosed) {
			return false
		}
		r.got, r.err = received{}, err
		if err != nil {
			return true
		}
		data, err := r.from.frames.feed(r.buf[:n], func(socket []byte) { r.got.fds = append(r.got.fds, adopt(socket)) })
		r.got.n, r.err = len(data), err
		if err != nil || len(data) > 0 {
			return true
		}
		c.handle(r.got) // a socket whose message is still to come
	}
}

// consume: what was read is gone.
func (c *Channel) consume(received) error { return nil }
