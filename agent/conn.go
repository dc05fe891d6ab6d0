package agent

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"time"
)

const (
	// readBuffer holds one report; a thousand idle connections must be cheap.
	readBuffer = 2048
	// sendLimit is how long a command may wait for room in the socket. It only
	// fills up when the app's loop hangs.
	sendLimit = time.Second
	// maxParts bounds the names of one answer.
	maxParts = 200_000
)

// Handlers are told what the agent says unasked, in order, on Run's goroutine:
// they must not wait for an answer of the same Conn. Nil ones are not called.
type Handlers struct {
	Hello func(Hello) // once, at the app's start; never on a connection taken over later
	Stats func(Stats)
}

// Conn is gpm's end of the connection to one app.
type Conn struct {
	file     *os.File
	handlers Handlers
	gone     chan struct{} // closed when Run ends

	sending sync.Mutex // held for one whole line

	mu       sync.Mutex // guards what follows
	waiting  map[uint64]*answer
	nextID   uint64
	interval time.Duration // of the subscription, 0 without one
	lastPong *Pong
}

// answer collects what comes back for one command.
type answer struct {
	parts []string
	done  chan message
}

// New returns gpm's end over f, which must be in non-blocking mode when it is
// made (os.NewFile notes that), or commands to a hung app may block. Conn owns f.
// Nothing is read before Run.
func New(f *os.File, h Handlers) *Conn {
	// Answers to a former daemon may still be on their way: no small numbers.
	return &Conn{file: f, handlers: h, gone: make(chan struct{}), nextID: rand.Uint64N(1 << 52)}
}

// Run reads until the app is gone or Close is called, and returns nil then.
// It must run for any command to be answered.
func (c *Conn) Run() error {
	defer close(c.gone)
	r := bufio.NewReaderSize(c.file, readBuffer)
	for {
		m, err := readMessage(r)
		if ended(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("cannot read from the app's agent: %w", err)
		}
		c.take(m)
	}
}

// Close ends Run. The app notices nothing but the silence.
func (c *Conn) Close() error { return c.file.Close() }

func ended(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, os.ErrClosed) || isReset(err)
}

func (c *Conn) take(m message) {
	switch {
	case m.Hello != nil:
		if c.handlers.Hello != nil {
			c.handlers.Hello(*m.Hello)
		}
	case m.Stats != nil:
		if c.handlers.Stats != nil {
			c.handlers.Stats(*m.Stats)
		}
		c.renew(m.Stats.Left)
	default:
		c.deliver(m)
	}
}

func (c *Conn) deliver(m message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a, found := c.waiting[m.ID]
	switch {
	case !found: // asked by a former daemon, or no longer awaited
	case m.OK != nil || m.Error != nil:
		delete(c.waiting, m.ID)
		a.done <- m
	case len(a.parts) < maxParts:
		a.parts = append(a.parts, m.Part...)
	}
}

// call sends cmd and waits for its answer, whose OK is decoded into result when
// that is not nil. It returns the parts that came before.
func (c *Conn) call(ctx context.Context, cmd command, result any) ([]string, error) {
	a := &answer{done: make(chan message, 1)}
	cmd.ID = c.await(a)
	defer c.forget(cmd.ID)
	if err := c.send(cmd); err != nil {
		return nil, err
	}
	select {
	case m := <-a.done:
		return a.parts, m.result(result)
	case <-c.gone:
		return nil, ErrGone
	case <-ctx.Done():
		return nil, fmt.Errorf("cannot %s the app's agent: no answer: %w", cmd.Do, ctx.Err())
	}
}

func (m message) result(into any) error {
	if m.Error != nil {
		return fmt.Errorf("%w: %s", ErrRefused, *m.Error)
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(m.OK, into); err != nil {
		return fmt.Errorf("cannot read the agent's answer: %w", err)
	}
	return nil
}

func (c *Conn) await(a *answer) uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting == nil {
		c.waiting = map[uint64]*answer{}
	}
	c.nextID++
	c.waiting[c.nextID] = a
	return c.nextID
}

func (c *Conn) forget(id uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.waiting, id)
}

// send writes one line. It begins with a line end too, because a daemon that
// died, or a write that ran out of time, may have left half a line.
func (c *Conn) send(cmd command) error {
	text, err := json.Marshal(cmd)
	if err != nil {
		return err
	}
	c.sending.Lock()
	defer c.sending.Unlock()
	// A file that knows no deadlines is a blocking one, which is New's caller's choice.
	_ = c.file.SetWriteDeadline(time.Now().Add(sendLimit)) //nolint:errcheck // see above
	_, err = fmt.Fprintf(c.file, "\n%s\n", text)
	if isReset(err) || errors.Is(err, os.ErrClosed) {
		return ErrGone
	}
	if err != nil {
		return fmt.Errorf("cannot send %s to the app's agent: %w", cmd.Do, err)
	}
	return nil
}
