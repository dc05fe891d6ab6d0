package channel

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
)

// chunkSize is how much is read at once.
const chunkSize = 64 << 10

// maxLoose is how many descriptors may wait for the line that claims them. Node sends one at
// a time; more are closed.
const maxLoose = 8

// buffers lends the read buffers: a channel has one only while it has something to read.
var buffers = sync.Pool{New: func() any { return new([chunkSize]byte) }}

// reader is the state of Serve.
type reader struct {
	lines   lines
	deliver func(Event)
	loose   []int // descriptors received, not claimed by a line yet

	buf  *[chunkSize]byte
	got  received
	err  error
	from source
}

// received is what one receive call brought.
type received struct {
	n      int
	peeked bool // the bytes are still in the socket
	fds    []int
}

// Serve delivers what the process sends, in order, until the channel ends: nil when the
// process or Close closed it. It ends the channel in any case. A message is
// consumed after deliver returns, so that one which was being handled when gpm died is read again by
// its successor: at least once, where the platform can (Linux); those that bring a descriptor at most once.
func (c *Channel) Serve(deliver func(Event)) error {
	c.in.deliver = deliver
	if !c.setServing(true) {
		return nil // closed before it began
	}
	err := c.serve()
	c.in.release()
	for _, fd := range c.in.loose {
		closeFD(fd)
	}
	c.setServing(false)
	closeErr := c.Close()
	c.helpers.Wait()
	if err != nil {
		return fmt.Errorf("cannot read the channel: %w", err)
	}
	return closeErr
}

func (c *Channel) setServing(on bool) bool {
	c.mu.Lock()
	defer c.unlock()
	c.serving = on && !errors.Is(c.write.broken, ErrClosed)
	return c.serving
}

// serve reads until the end.
func (c *Channel) serve() error {
	for {
		if !c.fill() {
			return nil
		}
		if c.in.err != nil || c.in.got.n == 0 {
			return c.in.err
		}
		c.handle(c.in.got)
		if c.abandoned.Load() {
			return nil
		}
		if err := c.consume(c.in.got); err != nil {
			return err
		}
	}
}

func (r *reader) release() {
	if r.buf != nil {
		buffers.Put(r.buf)
		r.buf = nil
	}
}

// handle delivers the lines of one chunk.
func (c *Channel) handle(got received) {
	for _, fd := range got.fds {
		if len(c.in.loose) == maxLoose {
			closeFD(fd)
			continue
		}
		c.in.loose = append(c.in.loose, fd)
	}
	c.in.lines.feed(c.in.buf[:got.n], c)
}

// line implements sink.
func (c *Channel) line(b []byte, first bool) {
	p := parse(b, c.opts.Framing)
	switch p.class {
	case classApp:
		c.emit(&c.stats.Received, Event{Kind: App, JSON: p.body, FD: -1})
	case classCluster:
		c.emit(&c.stats.Received, Event{Kind: Cluster, JSON: p.body, FD: -1})
	case classHandle:
		c.takeHandle(p)
	case classAck, classNack:
		c.answered(p.class == classAck)
	case classGarbage:
		if !first { // else it is the end of a line whose start is lost
			c.emit(&c.stats.Garbage, Event{Kind: Dropped, JSON: p.body[:min(len(p.body), headSize)], FD: -1, Err: ErrGarbage})
		}
	}
}

// emit counts first: whoever acts on the event may look at the counts.
func (c *Channel) emit(count *uint64, e Event) {
	c.mu.Lock()
	*count++
	c.unlock()
	c.in.deliver(e)
}

// tooLong implements sink. A handle must be answered even when its message is dropped.
func (c *Channel) tooLong(head []byte) {
	if bytes.HasPrefix(bytes.TrimLeft(head, "\x02"), []byte(prefixHandle+`,`)) {
		if fd := c.claim(); fd >= 0 {
			closeFD(fd)
			c.answer(ackLine)
		}
	}
	c.emit(&c.stats.TooLong, Event{Kind: Dropped, JSON: head, FD: -1, Err: ErrLineTooLong})
}

// takeHandle answers and delivers a message that came with a descriptor; without one the
// process is asked to send it again.
func (c *Channel) takeHandle(p parsed) {
	fd := c.claim()
	if fd < 0 {
		c.answer(nackLine)
		return
	}
	c.answer(ackLine)
	kind := App
	if cmd, internal := command(p.body); internal && cmd == "NODE_CLUSTER" {
		kind = Cluster
	}
	c.emit(&c.stats.Received, Event{Kind: kind, JSON: p.body, FD: fd, Type: p.typ})
}

// claim takes the oldest descriptor received; -1: there is none.
func (c *Channel) claim() int {
	if len(c.in.loose) == 0 {
		return -1
	}
	fd := c.in.loose[0]
	c.in.loose = c.in.loose[1:]
	return fd
}

func (c *Channel) answer(line []byte) {
	if c.opts.Framing == Bun {
		line = append([]byte{bunMark}, line...)
	}
	line = append(bytes.Clone(line), '\n')
	c.mu.Lock()
	defer c.unlock()
	if c.write.broken == nil {
		c.out.answer(line)
		c.kick()
	}
}

// answered takes an ACK or NACK. One that nothing waits for was meant for an earlier gpm.
func (c *Channel) answered(ack bool) {
	c.mu.Lock()
	defer c.unlock()
	if ack {
		if h := c.out.acked(); h != nil {
			c.lose(h, nil)
		}
	} else if h := c.out.nacked(); h != nil {
		c.lose(h, fmt.Errorf("cannot pass the descriptor: %w", ErrRefused))
	}
	c.kick()
}
