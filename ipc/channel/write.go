package channel

import (
	"errors"
	"fmt"
)

// writer is the state of writing, guarded by Channel.mu.
type writer struct {
	broken   error // why nothing can be written any more
	flushing bool  // a goroutine writes what is there; nobody else does
	longOpen bool  // Long(true) was called for the line that is next
	err      error // what try found; both of a socket only
	try      func(fd uintptr)
}

func (c *Channel) lose(h *handle, err error) {
	c.lost = append(c.lost, lostHandle{h.done, err})
}

// dropHandle gives up the handle that is first in the queue.
func (c *Channel) dropHandle(err error) {
	it := c.out.queue.pop()
	c.out.bytes -= it.cost()
	c.lose(it.handle, fmt.Errorf("cannot pass the descriptor: %w", err))
}

// fail ends the writing side. The caller holds mu and releases it by unlock.
func (c *Channel) fail(why error) {
	if c.write.broken == nil || errors.Is(c.write.broken, ErrHalfWritten) {
		c.write.broken = why
	}
	for _, h := range c.out.clear() {
		c.lose(h, fmt.Errorf("cannot pass the descriptor: %w", why))
	}
}
