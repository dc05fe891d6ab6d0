package channel

import (
	"fmt"
	"time"
)

// kick has a goroutine write what is there: a write to a pipe is begun and waited for. The
// caller holds mu.
func (c *Channel) kick() {
	if c.write.flushing || c.write.broken != nil {
		return
	}
	c.write.flushing = true
	c.helpers.Go(c.flush)
}

// flush writes until nothing is left. It ends with the channel at the latest: Close ends what it waits for.
func (c *Channel) flush() {
	for {
		frame := c.nextFrame()
		if frame == nil {
			return
		}
		if _, err := c.file.Write(frame); err != nil {
			c.mu.Lock()
			c.fail(fmt.Errorf("%w: %w", ErrClosed, err))
			c.write.flushing = false
			c.unlock()
			return
		}
	}
}

// nextFrame takes what is next out of the queue, as it is never written in parts; nil: nothing is to be written now,
// and nobody flushes any more.
func (c *Channel) nextFrame() []byte {
	c.mu.Lock()
	defer c.unlock()
	for c.write.broken == nil {
		b := c.out.next()
		if len(b.bufs) == 0 || b.fd >= 0 && c.peer == 0 {
			break
		}
		var socket []byte
		if b.fd >= 0 {
			var err error
			if socket, err = export(b.fd, c.peer); err != nil {
				c.dropHandle(err)
				continue
			}
		}
		size := 0
		for _, line := range b.bufs {
			size += len(line)
		}
		frame := appendFrame(nil, socket, b.bufs...)
		c.stats.Sent += c.out.wrote(size, time.Now())
		return frame
	}
	c.write.flushing = false
	return nil
}
