package master

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"

	"gpm/ipc/frame"
)

// Link is the daemon's end of the connection to its master. It implements [Host].
type Link struct {
	conn     *frame.Conn
	copy     *estate // of what the master keeps for this daemon; all of it, once that has taken over
	healthy  func()
	exits    *exitQueue
	stopping chan struct{}
	hello    chan struct{} // closed when pid is known
	gone     chan struct{} // closed when the master is gone
	reader   sync.WaitGroup
	asking   chan struct{} // holds a token while healthy runs

	mu      sync.Mutex // guards what follows
	pid     int
	next    uint64
	waiting map[uint64]chan reply
}

var _ Host = (*Link)(nil)

// Dial takes over conn. At each heartbeat of the master it calls healthy in a
// goroutine of its own and answers once that returns: a daemon that cannot make
// progress should block there, and is then replaced. nil is always healthy.
func Dial(conn *frame.Conn, healthy func()) *Link {
	l := &Link{
		conn: conn, copy: newEstate(), healthy: healthy, exits: newExitQueue(nil),
		stopping: make(chan struct{}), hello: make(chan struct{}), gone: make(chan struct{}),
		asking: make(chan struct{}, 1), waiting: map[uint64]chan reply{},
	}
	l.reader.Go(l.receive)
	return l
}

// Close cuts the connection. A call on its way fails with ErrGone.
func (l *Link) Close() error {
	err := l.conn.Close()
	l.reader.Wait()
	l.exits.leave()
	l.copy.close()
	return err
}

// Gone is closed when the master is gone.
func (l *Link) Gone() <-chan struct{} { return l.gone }

func (l *Link) receive() {
	for {
		r, err := l.read()
		if err != nil {
			break
		}
		if r.ID == 0 {
			l.event(r)
			closeFDs(r.fds...)
			continue
		}
		l.deliver(r)
	}
	l.conn.Close()
	close(l.gone)
	l.exits.finish()
}

func (l *Link) read() (reply, error) {
	m, err := l.conn.Read()
	lost := errors.Is(err, frame.ErrFDsLost)
	if err != nil && !lost {
		return reply{}, err
	}
	var r reply
	if err := json.Unmarshal(m.Payload, &r); err != nil {
		closeFDs(m.FDs...)
		return reply{}, fmt.Errorf("cannot read an answer: %w", err)
	}
	r.fds, r.lost = m.FDs, lost
	return r, nil
}

// event handles what the master says unasked. The reader is its only caller.
func (l *Link) event(r reply) {
	switch r.Op {
	case opHello:
		l.mu.Lock()
		first := l.pid == 0
		l.pid = r.PID
		l.mu.Unlock()
		if first {
			close(l.hello)
		}
	case opExit:
		if r.Exit != nil {
			l.exits.push(*r.Exit)
		}
	case opStopping:
		if !isClosed(l.stopping) {
			close(l.stopping)
		}
	case opPing:
		l.pong()
	}
}

// pong answers a ping as soon as healthy allows. While that hangs, further pings wait with it.
func (l *Link) pong() {
	select {
	case l.asking <- struct{}{}:
	default:
		return
	}
	go func() { // ends with healthy; one that hangs ends with the process
		if l.healthy != nil {
			l.healthy()
		}
		_ = send(l.conn, request{Op: opPong}, nil)
		<-l.asking
	}()
}

func (l *Link) deliver(r reply) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.waiting[r.ID]
	delete(l.waiting, r.ID)
	if c == nil { // nobody waits any more
		closeFDs(r.fds...)
		return
	}
	c <- r // has room for the one answer
}

// call sends a request and waits for its answer, whose descriptors the caller owns.
func (l *Link) call(ctx context.Context, q request, fds ...int) (reply, error) {
	c := make(chan reply, 1)
	l.mu.Lock()
	l.next++
	q.ID = l.next
	l.waiting[q.ID] = c
	l.mu.Unlock()
	err := send(l.conn, q, fds)
	if err == nil {
		select {
		case r := <-c:
			return r, r.Error.error()
		case <-ctx.Done():
			err = context.Cause(ctx)
		case <-l.gone:
			err = ErrGone
		}
	} else if isGone(err) {
		err = ErrGone
	}
	l.forget(q.ID, c)
	return reply{}, fmt.Errorf("cannot ask the master to %s: %w", q.Op, err)
}

// forget gives up waiting. An answer that came meanwhile is thrown away.
func (l *Link) forget(id uint64, c chan reply) {
	l.mu.Lock()
	delete(l.waiting, id)
	l.mu.Unlock()
	select {
	case r := <-c:
		closeFDs(r.fds...)
	default:
	}
}

// do is a call whose answer has no content.
func (l *Link) do(ctx context.Context, q request, fds ...int) error {
	r, err := l.call(ctx, q, fds...)
	closeFDs(r.fds...)
	return err
}

// start is a call that is answered with a process.
func (l *Link) start(ctx context.Context, q request) (Spawned, error) {
	r, err := l.call(ctx, q)
	if err != nil {
		closeFDs(r.fds...)
		return Spawned{}, err
	}
	return r.spawned().public(), nil
}

// List implements [Host].
func (l *Link) List(ctx context.Context) (Inventory, error) {
	r, err := l.call(ctx, request{Op: opList})
	closeFDs(r.fds...)
	if err != nil || r.List == nil {
		return Inventory{}, err
	}
	l.copy.note(r.List.Notes)
	return *r.List, nil
}

// Spawn implements [Host].
func (l *Link) Spawn(ctx context.Context, s Spawn) (Spawned, error) {
	if err := s.check(); err != nil { // zero bytes would not survive the way
		return Spawned{}, fmt.Errorf("cannot start %q: %w", s.Path, err)
	}
	return l.start(ctx, request{Op: opSpawn, Spawn: toWireSpawn(s)})
}

// Adopt implements [Host].
func (l *Link) Adopt(ctx context.Context, key string, pid int, start uint64) (Spawned, error) {
	return l.start(ctx, request{Op: opAdopt, Key: key, PID: pid, Start: start})
}

// Attach implements [Host].
func (l *Link) Attach(ctx context.Context, key string) (Spawned, error) {
	return l.start(ctx, request{Op: opAttach, Key: key})
}

// Signal implements [Host].
func (l *Link) Signal(ctx context.Context, key string, sig int, group bool) error {
	return l.do(ctx, request{Op: opSignal, Key: key, Sig: sig, Group: group})
}

// Release implements [Host].
func (l *Link) Release(ctx context.Context, key string) error {
	return l.do(ctx, request{Op: opRelease, Key: key})
}

// Hold implements [Host].
func (l *Link) Hold(ctx context.Context, name string, f *os.File) error {
	fd, err := dupFile(f) // as the file may be closed meanwhile
	if err != nil {
		return fmt.Errorf("cannot hold %q: %w", name, err)
	}
	if err := l.kept(l.do(ctx, request{Op: opHold, Key: name}, fd)); err != nil {
		closeFDs(fd)
		return err
	}
	l.copy.hold(name, fd)
	return nil
}

// kept forgives that the master is gone: what it was to keep goes to the next one with the copy.
func (l *Link) kept(err error) error {
	if errors.Is(err, ErrGone) {
		return nil
	}
	return err
}

// Take implements [Host].
func (l *Link) Take(ctx context.Context, name string) (*os.File, error) {
	r, err := l.call(ctx, request{Op: opTake, Key: name})
	if err == nil && len(r.fds) != 1 {
		err = fmt.Errorf("cannot take %q: %w", name, syscall.EMFILE)
	}
	if err != nil {
		closeFDs(r.fds...)
		return nil, err
	}
	if fd, err := dup(r.fds[0]); err == nil { // else too many are open: there is one less for the next master
		l.copy.hold(name, fd)
	}
	return os.NewFile(uintptr(r.fds[0]), name), nil
}

// Drop implements [Host].
func (l *Link) Drop(ctx context.Context, names ...string) error {
	l.copy.drop(names...)
	return l.kept(l.do(ctx, request{Op: opDrop, Names: names}))
}

// Note implements [Host]. It does not wait: what is in the socket reaches the master even if the daemon dies
// now, and requests are done in their order. The data belong to the link then.
func (l *Link) Note(_ context.Context, notes map[string][]byte) error {
	l.copy.note(notes)
	err := send(l.conn, request{Op: opNote, Notes: notes}, nil)
	if isGone(err) {
		err = ErrGone
	}
	if err := l.kept(err); err != nil {
		return fmt.Errorf("cannot leave a note with the master: %w", err)
	}
	return nil
}

// isGone says that a message could not be sent because nobody is there.
func isGone(err error) bool { return errors.Is(err, os.ErrClosed) || errors.Is(err, syscall.EPIPE) }

// Shutdown implements [Host].
func (l *Link) Shutdown(ctx context.Context) error {
	return l.do(ctx, request{Op: opShutdown})
}

// Serving implements [Host].
func (l *Link) Serving(ctx context.Context) error { return l.do(ctx, request{Op: opServing}) }

// Upgrade implements [Host].
func (l *Link) Upgrade(ctx context.Context, path string) error {
	return l.do(ctx, request{Op: opUpgrade, Key: path})
}

// Exits implements [Host].
func (l *Link) Exits() <-chan Exit { return l.exits.c }

// Stopping implements [Host].
func (l *Link) Stopping() <-chan struct{} { return l.stopping }

// PID implements [Host]. It waits for the master's greeting; 0 when the master is gone.
func (l *Link) PID() int {
	select {
	case <-l.hello:
	case <-l.gone:
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pid
}
