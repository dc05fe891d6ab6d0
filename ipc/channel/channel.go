// Package channel is gpm's end of the IPC channel that a Node process finds in
// NODE_CHANNEL_FD: JSON texts, one a line, with open descriptors attached to some, over a
// stream socket; on Windows over a named pipe, in frames of libuv (frames.go). Deno speaks the same; Bun marks its internal lines with a byte.
//
// What is read and what is to be written are decided in lines.go, message.go and
// outbox.go without a system call; channel.go and serve.go do what they say. A channel
// may be taken over while it is alive: it reads so that a line counts as read only after
// it was handled, and writes so that a line is never left half-written.
package channel

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Defaults of Options.
const (
	DefaultMaxLine  = 16 << 20
	DefaultMaxQueue = 8 << 20
)

// The errors of this package.
var (
	ErrClosed      = errors.New("channel closed")
	ErrQueueFull   = errors.New("the process does not read its messages")
	ErrInvalid     = errors.New("not a JSON text")
	ErrReserved    = errors.New(`"cmd" begins with NODE_, which is reserved`)
	ErrRefused     = errors.New("descriptor refused by the process")
	ErrHalfWritten = errors.New("an earlier gpm died in the middle of a long message to this process")
	ErrLineTooLong = errors.New("message too long")
	ErrGarbage     = errors.New("not a message")
)

// Framing is how a runtime marks its internal lines.
type Framing uint8

// The framings.
const (
	Plain Framing = iota // Node and Deno: by "cmd"
	Bun                  // by a byte 0x02 in front
)

// Options of a Channel. The zero value is right for a Node process just started.
type Options struct {
	Framing  Framing
	MaxLine  int // longest line read, in bytes; longer ones are dropped and counted
	MaxQueue int // bytes that may wait to be written; more is refused with ErrQueueFull

	// Resumed says that another process used this end before: what follows up
	// to the first newline may be the end of a line whose start is lost.
	Resumed bool
	// HalfWritten says that the earlier user died between Long(true) and Long(false).
	// Such a channel only reads: whatever was written would be glued to
	// the half line, and a line that is no JSON kills a Node process.
	HalfWritten bool
	// Long, when set, is called with true before a message is written that the kernel
	// may take in parts (over 32 KiB), and with false after its last byte. Keep it where the next user
	// of the channel finds it.
	Long func(begun bool)
}

func (o Options) withDefaults() Options {
	if o.MaxLine <= 0 {
		o.MaxLine = DefaultMaxLine
	}
	if o.MaxQueue <= 0 {
		o.MaxQueue = DefaultMaxQueue
	}
	return o
}

// Stats are the counts of one channel since New.
type Stats struct {
	Received    uint64    // messages delivered
	Sent        uint64    // messages written, each handle once
	TooLong     uint64    // lines dropped because of their length
	Garbage     uint64    // lines dropped because they are no message
	Overflow    uint64    // messages refused because the queue was full
	Queued      int       // bytes waiting
	HandleSince time.Time // a handle was sent then and is not acknowledged yet; zero: none
}

// Channel is one end. Send, Post, Pass, Stats and Close may be called by any goroutine, also
// from within a callback; Serve by one.
type Channel struct {
	file *os.File
	raw  syscall.RawConn
	opts Options
	in   reader // of Serve's goroutine alone

	helpers sync.WaitGroup // the goroutine that waits for room; Serve ends after it

	mu    sync.Mutex // guards what follows; held over non-blocking calls only
	out   outbox
	write writer
	stats Stats
	lost  []lostHandle // told after mu is released
	peer  int          // the process's id; 0: not known yet

	abandoned atomic.Bool
	serving   bool // Serve runs and will close the file
}

// lostHandle is one whose owner is still to be told what became of it.
type lostHandle struct {
	done func(error)
	err  error
}

// New takes over f, one end of a stream socket pair, and makes it non-blocking. Nothing
// is read until Serve.
func New(f *os.File, opts Options) (*Channel, error) {
	file, err := nonblocking(f)
	if err != nil {
		return nil, fmt.Errorf("cannot open the channel: %w", err)
	}
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("cannot open the channel: %w", err)
	}
	opts = opts.withDefaults()
	c := &Channel{file: file, raw: raw, opts: opts}
	c.in.lines = lines{max: opts.MaxLine, resync: opts.Resumed}
	if opts.HalfWritten {
		c.write.broken = ErrHalfWritten
	}
	return c, nil
}

// Send queues an application message, one JSON text. It never waits for the process.
func (c *Channel) Send(json []byte) error {
	line, err := encode(json, Plain)
	if err != nil {
		return err
	}
	if _, internal := command(bytes.TrimSpace(line)); internal && c.opts.Framing == Plain {
		return fmt.Errorf("cannot send: %w", ErrReserved)
	}
	return c.push(item{line: line}, 0)
}

// reserve is what internal messages may use beyond MaxQueue, so that an
// application that floods a worker does not cut the cluster protocol off.
const reserve = 1 << 20

// Post queues an internal message, a JSON object whose cmd begins with NODE_.
func (c *Channel) Post(json []byte) error {
	line, err := encode(json, c.opts.Framing)
	if err != nil {
		return err
	}
	return c.push(item{line: line}, reserve)
}

// Pass queues an internal or application message together with a descriptor, which must be
// non-blocking. Type is Node's name for it: "net.Native", "dgram.Native" and so on. The caller keeps fd
// open until done is called: once, with nil when the process has it, by whichever goroutine uses the
// channel at that moment. When Pass itself fails, done is not called.
func (c *Channel) Pass(json []byte, handleType string, fd int, done func(error)) error {
	line, err := encodeHandle(json, handleType, c.opts.Framing)
	if err != nil {
		return err
	}
	return c.push(item{line: line, handle: &handle{fd: fd, done: done}}, reserve)
}

func (c *Channel) push(it item, extra int) error {
	c.mu.Lock()
	defer c.unlock()
	if c.write.broken != nil {
		return fmt.Errorf("cannot send: %w", c.write.broken)
	}
	if it.cost() > c.opts.MaxQueue {
		c.stats.Overflow++
		return fmt.Errorf("cannot send %d bytes: %w", len(it.line), ErrLineTooLong)
	}
	if c.out.bytes+it.cost() > c.opts.MaxQueue+extra {
		c.stats.Overflow++
		return fmt.Errorf("cannot send: %w", ErrQueueFull)
	}
	c.out.push(it)
	c.kick()
	return nil
}

// Started says which process has the other end. On Windows descriptors are passed from then on: they are
// copied for one process.
func (c *Channel) Started(pid int) {
	c.mu.Lock()
	defer c.unlock()
	if c.peer = pid; c.write.broken == nil {
		c.kick()
	}
}

// unlock releases mu and then tells the owners of handles, who may well use the channel.
func (c *Channel) unlock() {
	lost := c.lost
	c.lost = nil
	c.mu.Unlock()
	for _, l := range lost {
		l.done(l.err)
	}
}

// Stats returns the counts.
func (c *Channel) Stats() Stats {
	c.mu.Lock()
	defer c.unlock()
	s := c.stats
	s.Queued = c.out.bytes
	s.HandleSince = c.out.since
	return s
}

// Close ends the channel: Serve returns soon after and closes this end; messages not written are lost,
// handles not acknowledged get their done with ErrClosed. Whatever was delivered is consumed, so a
// successor does not get it again. The process sees the end of its channel only when no
// duplicate of this end is left (the master keeps one).
func (c *Channel) Close() error {
	c.mu.Lock()
	defer c.unlock()
	c.fail(ErrClosed)
	if !c.serving {
		return c.closeFile()
	}
	// Not the file itself: Serve may be between handling a message and consuming it.
	return c.file.SetDeadline(time.Unix(1, 0))
}

// Abandon is for a deliver function that cannot act upon a message any more, because its program ends: Serve returns
// without consuming it, so that the successor gets it, where the platform can (Linux).
func (c *Channel) Abandon() { c.abandoned.Store(true) }

func (c *Channel) closeFile() error {
	if err := c.file.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return fmt.Errorf("cannot close the channel: %w", err)
	}
	return nil
}
