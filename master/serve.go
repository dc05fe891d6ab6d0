package master

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"gpm/ipc/frame"
)

// server offers a Table to one daemon.
type server struct {
	table  *Table
	conn   *frame.Conn
	exits  *exitQueue
	missed atomic.Int32  // pings without a pong
	hung   atomic.Bool   // it was cut off for that
	pings  chan struct{} // asks the sender for a ping
	done   chan struct{} // the connection has ended
	work   sync.WaitGroup
}

// Serve offers t to the daemon at the other end of conn, until the connection
// ends or ctx is done, and returns why; io.EOF is an orderly end. A daemon that
// leaves pings unanswered is cut off, see [watchdog]; pid is its process, 0 if that is not known.
// When Serve returns, nothing that was asked for is still on its way, and conn is closed.
func Serve(ctx context.Context, conn *frame.Conn, t *Table, pid int, heartbeat time.Duration) error {
	s := &server{
		table: t, conn: conn, exits: t.subscribe(),
		pings: make(chan struct{}, 1), done: make(chan struct{}),
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	s.work.Go(s.sendEvents)
	s.work.Go(func() { s.beat(pid, heartbeat) })
	err := s.receive()
	stop()
	conn.Close()
	close(s.done)
	s.work.Wait()
	t.unsubscribe(s.exits)
	if s.hung.Load() {
		return errHung
	}
	return err
}

// receive reads requests. All but a spawn are done at once, in their order.
func (s *server) receive() error {
	for {
		m, err := s.conn.Read()
		lost := errors.Is(err, frame.ErrFDsLost)
		if err != nil && !lost {
			return err
		}
		var r request
		if err := json.Unmarshal(m.Payload, &r); err != nil {
			closeFDs(m.FDs...)
			return fmt.Errorf("cannot read a request: %w", err)
		}
		switch {
		case r.Op == opPong:
			s.missed.Store(0)
		case r.Op == opSpawn:
			s.work.Go(func() { s.answer(r.ID, s.spawn(r)) })
		case lost:
			s.answer(r.ID, failed(fmt.Errorf("cannot receive a descriptor: %w", syscall.EMFILE)))
		case r.ID == 0: // nobody waits for an answer
			closeFDs(s.handle(r, m.FDs).fds...)
			continue
		default:
			s.answer(r.ID, s.handle(r, m.FDs))
			continue // handle has the descriptors
		}
		closeFDs(m.FDs...)
	}
}

// answer sends a reply and closes its descriptors. A connection that is no more
// shows at the next read.
func (s *server) answer(id uint64, r reply) {
	r.ID = id
	err := send(s.conn, r, r.fds)
	if err != nil && len(r.fds) > 0 { // too many in flight: better without than never
		r.Pipes = ""
		if r.PID == 0 {
			r = failed(fmt.Errorf("cannot pass a descriptor: %w", err))
			r.ID = id
		}
		_ = send(s.conn, r, nil)
	}
	closeFDs(r.fds...)
}

func failed(err error) reply { return reply{Error: toWire(err)} }

func started(p spawned, err error) reply {
	if err != nil {
		return failed(err)
	}
	r := reply{PID: p.pid, Start: p.start}
	r.setPipes(p.pipes)
	return r
}

func (s *server) spawn(r request) reply {
	return started(s.table.spawn(context.Background(), r.Spawn.spawn()))
}

// handle does what a request asks for. It owns fds.
func (s *server) handle(r request, fds []int) reply {
	t, ctx := s.table, context.Background()
	if r.Op == opHold {
		return s.hold(r, fds)
	}
	closeFDs(fds...)
	switch r.Op {
	case opList:
		list, err := t.List(ctx)
		return reply{List: &list, Error: toWire(err)}
	case opAdopt:
		return started(t.adopt(r.Key, r.PID, r.Start))
	case opAttach:
		return started(t.attach(r.Key))
	case opSignal:
		return failed(t.Signal(ctx, r.Key, r.Sig, r.Group))
	case opRelease:
		return failed(t.Release(ctx, r.Key))
	case opTake:
		return s.take(r)
	case opDrop:
		return failed(t.Drop(ctx, r.Names...))
	case opNote:
		return failed(t.Note(ctx, r.Notes))
	case opServing:
		return failed(t.Serving(ctx))
	case opUpgrade:
		return failed(t.Upgrade(ctx, r.Key))
	case opShutdown:
		return failed(t.Shutdown(ctx))
	}
	return failed(fmt.Errorf("cannot do %q: %w", r.Op, errors.ErrUnsupported))
}

func (s *server) hold(r request, fds []int) reply {
	if len(fds) != 1 {
		closeFDs(fds...)
		return failed(fmt.Errorf("cannot hold %q: %d descriptors came: %w", r.Key, len(fds), syscall.EINVAL))
	}
	s.table.keep(r.Key, fds[0])
	return reply{}
}

func (s *server) take(r request) reply {
	fd, err := s.table.kept.lend(r.Key)
	if err != nil {
		return failed(err)
	}
	return reply{fds: []int{fd}}
}

// sendEvents is the only sender of events, so that a daemon which does not read
// blocks nothing else here.
func (s *server) sendEvents() {
	_ = send(s.conn, reply{Op: opHello, PID: s.table.PID()}, nil)
	stopping := s.table.Stopping()
	for {
		var r reply
		select {
		case e, ok := <-s.exits.c:
			if !ok {
				return
			}
			r = reply{Op: opExit, Exit: &e}
		case <-stopping:
			stopping, r = nil, reply{Op: opStopping}
		case <-s.pings:
			r = reply{Op: opPing}
		case <-s.done:
			return
		}
		_ = send(s.conn, r, nil)
	}
}

// beat asks for pings and cuts the connection when they stay unanswered.
func (s *server) beat(pid int, interval time.Duration) {
	w := watchdog{delay: func() time.Duration { return runDelay(pid) }}
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-s.done:
			return
		}
		switch w.judge(int(s.missed.Add(1)), time.Now()) {
		case hung:
			s.hung.Store(true)
			s.conn.Close()
			return
		case starved:
			s.table.log.Warn("The daemon does not answer because it gets no processor; waiting for it")
		}
		select {
		case s.pings <- struct{}{}:
		default:
		}
	}
}
