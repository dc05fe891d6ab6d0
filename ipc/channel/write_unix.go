//go:build unix

package channel

import (
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"
)

// The ends of writeAll besides the kernel's errors.
var (
	errLongBegins = errors.New("a long line is next")
	errLongEnded  = errors.New("a long line is written")
)

// kick writes what the kernel takes at once; a goroutine waits to write the rest, and
// writes long lines. The caller holds mu.
func (c *Channel) kick() {
	if c.write.flushing || c.write.broken != nil {
		return
	}
	if c.write.try == nil {
		c.write.try = func(fd uintptr) { c.write.err = c.writeAll(fd) }
	}
	c.write.err = nil
	if err := c.raw.Control(c.write.try); err != nil {
		c.fail(ErrClosed)
		return
	}
	if c.settle(c.write.err) {
		return
	}
	c.write.flushing = true
	c.helpers.Go(c.flush)
}

// settle takes the end of writeAll; false means that it is to be called again.
func (c *Channel) settle(err error) bool {
	switch {
	case err == nil:
		return true
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, errLongBegins), errors.Is(err, errLongEnded):
		return false
	}
	c.fail(fmt.Errorf("%w: %w", ErrClosed, err))
	return true
}

// writeAll writes until nothing is left or it must stop. The caller holds mu.
func (c *Channel) writeAll(fd uintptr) error {
	for {
		b := c.out.next()
		if len(b.bufs) == 0 {
			return nil
		}
		watched := b.long && c.opts.Long != nil
		if watched && !c.write.longOpen {
			return errLongBegins
		}
		n, err := send(fd, b)
		if err != nil && b.fd >= 0 && refusesHandle(err) {
			c.dropHandle(err)
			continue
		}
		if err != nil {
			return err
		}
		c.stats.Sent += c.out.wrote(n, time.Now())
		if watched && c.out.part.line == nil {
			return errLongEnded
		}
	}
}

// refusesHandle tells errors about the descriptor from those of the channel.
func refusesHandle(err error) bool {
	return slices.ContainsFunc([]error{syscall.EBADF, syscall.ETOOMANYREFS, syscall.EINVAL, syscall.EPERM}, func(e error) bool { return errors.Is(err, e) })
}

// flush waits for room and writes until the queue is empty. It ends with the channel
// at the latest: Serve waits for it.
func (c *Channel) flush() {
	for {
		var err error
		closed := c.raw.Write(func(fd uintptr) bool {
			err = c.flushSome(fd)
			return !errors.Is(err, syscall.EAGAIN)
		})
		if closed != nil || !c.announce(err) {
			return
		}
	}
}

// flushSome is one attempt. Leaving and taking note that nobody flushes any more is
// one step under mu, or a message pushed in between would stay.
func (c *Channel) flushSome(fd uintptr) error {
	c.mu.Lock()
	defer c.unlock()
	if c.write.broken != nil {
		c.write.flushing = false
		return nil
	}
	err := c.writeAll(fd)
	if c.settle(err) {
		c.write.flushing = false
		return nil
	}
	return err
}

// announce calls Long without holding mu, and says whether to go on.
func (c *Channel) announce(err error) bool {
	if err == nil {
		return false
	}
	begins := errors.Is(err, errLongBegins)
	c.opts.Long(begins)
	c.mu.Lock()
	c.write.longOpen = begins
	c.mu.Unlock()
	return true
}
