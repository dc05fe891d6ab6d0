package cluster

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"gpm/app"
	"gpm/cluster/sockets"
)

const (
	// quiet is for how long nothing must have come before a socket counts as empty: handshakes that began before
	// it was steered away from end within a round trip of a client.
	quiet = 100 * time.Millisecond
	// emptyLimit is for how long connections may still come to a socket that was steered away from.
	emptyLimit = 5 * time.Second
)

// emptying is a socket whose connections are given to others.
type emptying struct {
	stop  chan struct{} // closed: its own worker takes them again, or the daemon ends
	leave bool          // it is closed afterwards
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// inUse says that a worker in this seat has the address open, or may have.
func (h *hub) inUse(key string, seat int) bool {
	for _, w := range h.workers {
		if _, open := w.keys[key]; open && w.seat == seat && w.duty != offDuty {
			return true
		}
	}
	return false
}

func (h *hub) hasTaker(key string) bool {
	for _, w := range h.workers {
		if w.keys[key] && w.duty == onDuty && w.number > 0 {
			return true
		}
	}
	return false
}

// hasWaiting says that connections wait in the sockets of a process.
func (h *hub) hasWaiting(ref Ref) (waiting bool) {
	err := h.do(h.ctx, func() {
		w := h.workers[ref]
		for key, l := range h.listeners {
			if w == nil || l.IsShared() || !slices.Contains(l.Slots(), w.seat) || !w.keys[key] {
				continue
			}
			n, _, err := l.Queue(w.seat)
			waiting = waiting || err == nil && n > 0
		}
	})
	return waiting && err == nil
}

// handOver gives the connections that wait in the socket of a dead or stuck worker to its siblings. With none they wait
// for the next worker of the seat.
func (h *hub) handOver(key string, seat int) {
	l := h.listeners[key]
	if l == nil || l.IsShared() || !slices.Contains(l.Slots(), seat) || !h.hasTaker(key) {
		return
	}
	h.steer(key)
	if err := h.empty(l, seat, false); err != nil {
		h.log.Warn("Cannot hand connections over", "address", key, "err", err)
	}
}

// vacate closes a seat's socket. What waits in it goes to the siblings first, and so does what still comes
// for a moment after it was steered away from.
func (h *hub) vacate(key string, seat int) {
	l := h.listeners[key]
	if l == nil || h.inUse(key, seat) || !slices.Contains(l.Slots(), seat) {
		return
	}
	if !h.hasTaker(key) || len(l.Slots()) == 1 || l.IsShared() {
		h.leave(l, seat)
		return
	}
	h.steer(key)
	if err := h.empty(l, seat, true); err != nil {
		h.log.Warn("Cannot empty a socket before it is closed", "address", key, "err", err)
		h.leave(l, seat)
	}
}

// tidy is for the sockets whose workers ended while no daemon ran. What waits in them goes to the siblings; the socket
// stays when its slot is going to have another worker.
func (h *hub) tidy(wanted map[int]bool) {
	for key, l := range h.listeners {
		for _, seat := range l.Slots() {
			switch slot := slotOf(seat); {
			case h.inUse(key, seat):
			case wanted[slot] && h.seat(slot) == seat:
				h.handOver(key, seat)
			default:
				h.vacate(key, seat)
			}
		}
	}
}

// empty gives what is in a seat's socket, or still comes, to the siblings, and closes the socket if it is to.
func (h *hub) empty(l *listener, seat int, leave bool) error {
	name := h.socketName(l, seat)
	if e := h.emptying[name]; e != nil {
		e.leave = e.leave || leave
		return nil
	}
	fd, err := l.Socket(seat)
	if err != nil {
		return err
	}
	own, err := sockets.Dup(fd) // the seat may be closed by somebody else meanwhile, and the number used again
	if err != nil {
		return err
	}
	e := &emptying{make(chan struct{}), leave}
	h.emptying[name] = e
	h.work.Go(func() {
		limit := time.AfterFunc(emptyLimit, func() {
			h.box.post(func() { h.cease(e) })
		})
		err := sockets.Retire(own, quiet, e.stop, h.offerer(l.key))
		limit.Stop()
		if err != nil && !errors.Is(err, errOver) {
			h.log.Warn("Cannot empty a socket", "address", l.key, "err", err)
		}
		sockets.CloseConn(own)
		unused := func() bool {
			return e.leave && h.listeners[l.key] == l && slices.Contains(l.Slots(), seat) && !h.inUse(l.key, seat)
		}
		_ = h.do(h.ctx, func() { //nolint:errcheck // a daemon that ends leaves it to the next one
			if unused() {
				h.steady(l, seat)
			}
		})
		sockets.Settle()
		h.box.post(func() {
			delete(h.emptying, name)
			if unused() {
				h.leave(l, seat)
			}
		})
	})
	return nil
}

// steady has connections go where they can also go while the seat leaves. Those of an app whose clients have their places
// go where they belong until the last moment.
func (h *hub) steady(l *listener, seat int) {
	if h.isSticky() {
		return
	}
	if err := l.Steady(seat); err != nil {
		h.log.Warn("Cannot steer connections", "address", l.key, "err", err)
	}
}

func (h *hub) cease(e *emptying) {
	if !isClosed(e.stop) {
		close(e.stop)
	}
}

// ceaseEmptying leaves what comes to a seat to the worker that has begun to serve it.
func (h *hub) ceaseEmptying(l *listener, seat int) {
	if e := h.emptying[h.socketName(l, seat)]; e != nil {
		e.leave = false
		h.cease(e)
	}
}

// offerer gives the owner connections of an address that were accepted elsewhere.
func (h *hub) offerer(key string) func(conn int) error {
	return func(c int) error {
		if !h.box.post(func() { h.offer(conn{fd: c, key: key}) }) {
			return errOver
		}
		return nil
	}
}

// reviewLater gives a new worker the listen timeout to ask for the sockets of its seat, and to listen there. What it has
// not asked for by then belongs to an earlier version of the app.
func (h *hub) reviewLater(w *worker) {
	limit := h.spec().Policy.ListenTimeout
	time.AfterFunc(limit, func() {
		h.box.post(func() {
			if h.workers[w.Ref] != w || w.duty != onDuty {
				return
			}
			for key, l := range h.listeners {
				switch listens, asked := w.keys[key]; {
				case asked && !listens:
					h.event(w.Ref, app.Event{Kind: app.EventPort, Reason: fmt.Sprintf(
						"it has asked for %s, but does not listen there after %s: its event loop may hang", l.String(), limit)})
				case !asked && slices.Contains(l.Slots(), w.seat):
					h.vacate(key, w.seat)
				}
			}
		})
	})
}

// leave closes a seat's socket for good. That is noted before anything else changes in the order of the group, for two
// changes could not be told apart. The keeper's copy goes last: if this daemon ends halfway, its successor finds a socket that
// listens no more, and nobody else has changed the order. A borrowed one is not ended, so that of its copies ours has to be the last.
func (h *hub) leave(l *listener, seat int) {
	h.touchListener(l.key)
	name := h.socketName(l, seat)
	last := len(l.Slots()) == 1
	if last {
		l.stopAccepting()
		delete(h.listeners, l.key)
		delete(h.tickets, l.key)
		h.touchTickets()
	}
	end := l.Leave
	if seat == foreignSeat {
		h.drop(name)
		end = l.Return
	}
	if err := end(seat); err != nil {
		h.log.Warn("Cannot close a socket", "address", l.key, "err", err)
	}
	if seat != foreignSeat && (last || !l.IsShared()) {
		h.drop(name)
	}
	h.keepNotes()
	h.steer(l.key)
	if seat != foreignSeat && l.isForeign() {
		h.leave(l, foreignSeat)
	}
}
