package cluster

import (
	"errors"
	"slices"
	"syscall"
	"time"

	"gpm/app"
	"gpm/cluster/primary"
	"gpm/cluster/sockets"
)

// quiet is for how long nothing must have come before a retired socket is closed: handshakes that began before
// it was steered away from end within a round trip of a client.
const quiet = 100 * time.Millisecond

// listener is a listening address of the app.
type listener struct {
	*sockets.Group
	key  string
	stop chan struct{} // ends the goroutine that accepts for workers which cannot; nil: they can
}

func (l *listener) stopAccepting() {
	if l.stop != nil {
		close(l.stop)
		l.stop = nil
	}
}

// addressOf says where to bind for a query.
func addressOf(q primary.Query) sockets.Address {
	out := sockets.Address{Host: q.Address, Port: q.Port}
	switch q.Type {
	case primary.Unix:
		return sockets.Address{Network: sockets.Unix, Path: q.Address, Readable: q.ReadableAll, Writable: q.WritableAll}
	case primary.UDP4, primary.UDP6:
		out.Network = sockets.UDP
		out.ReuseAddr = q.Flags&primary.FlagUDPReuseAddr != 0
		out.Family = sockets.IPv4
		if q.Type == primary.UDP6 {
			out.Family = sockets.IPv6
		}
	}
	if q.Flags&primary.FlagIPv6Only != 0 {
		out.Family = sockets.IPv6Only
	}
	return out
}

// bind answers a worker's wish to listen.
func (h *hub) bind(w *worker, b primary.Bind) primary.Bound {
	out := primary.Bound{Seq: b.Seq, Key: b.Key, Way: b.Way, Data: h.tickets.Share(b.Key, b.Query.Data)}
	h.touchTickets()
	if out.Way == primary.Own && h.isShared() {
		out.Way = primary.Shared
	}
	sharing := sockets.PerSlot
	if out.Way != primary.Own {
		sharing = sockets.Single
	}
	l, err := h.join(b.Key, addressOf(b.Query), sharing, b.Query.Backlog, w.seat)
	if err != nil {
		out.Errno = primary.ErrnoOf(err)
		if errors.Is(err, syscall.EADDRINUSE) {
			h.portTaken(w, addressOf(b.Query))
		}
		return out
	}
	w.keys[b.Key] = false
	if out.Way == primary.Passed {
		out.Sockname = sockname(l)
		h.acceptFor(l, w.seat)
	}
	return out
}

// maxOwn is for how many slots a steer program can be written, with room to spare.
const maxOwn = 1000

// isShared says that all workers take from one socket.
func (h *hub) isShared() bool {
	spec := h.spec()
	return spec.SharedSocket || spec.Instances > maxOwn
}

func sockname(l *listener) *primary.Sockname {
	at := l.Addr()
	if !at.IsValid() {
		return nil
	}
	family := "IPv6"
	if at.Addr().Is4() {
		family = "IPv4"
	}
	return &primary.Sockname{Address: at.Addr().String(), Family: family, Port: int(at.Port())}
}

// join makes a seat part of a listening address and keeps its socket.
func (h *hub) join(key string, at sockets.Address, sharing sockets.Sharing, backlog, seat int) (*listener, error) {
	l := h.listeners[key]
	if l == nil {
		l = &listener{Group: sockets.NewGroup(at, sharing, backlog), key: key}
	}
	if slices.Contains(l.Slots(), seat) {
		return l, nil
	}
	fd, err := l.Join(seat)
	if err != nil {
		return nil, err
	}
	h.listeners[key] = l
	h.touchListener(key)
	h.hold(h.socketName(l, seat), fd)
	h.steer(key)
	return l, nil
}

// acceptFor accepts connections for workers whose runtime takes them one by one only.
func (h *hub) acceptFor(l *listener, seat int) {
	if l.stop != nil {
		return
	}
	fd, err := l.Socket(seat)
	if err != nil {
		return
	}
	stop := make(chan struct{})
	l.stop = stop
	h.work.Go(func() {
		for {
			_, err := sockets.Retire(fd, quiet/5, func(c int) error {
				if !h.box.post(func() { h.offer(conn{fd: c, key: l.key}) }) {
					return errOver
				}
				return nil
			})
			select {
			case <-stop:
				return
			default:
			}
			if err != nil {
				h.log.Warn("Cannot accept connections", "address", l.key, "err", err)
				return
			}
		}
	})
}

// live lists the seats whose workers serve an address: those on duty; with none of these, those that are leaving
// or not in service yet.
func (h *hub) live(key string) []int {
	var serve, other []int
	for _, w := range h.workers {
		switch {
		case !w.keys[key] || w.duty == offDuty:
		case w.duty == onDuty:
			serve = append(serve, w.seat)
		default:
			other = append(other, w.seat)
		}
	}
	if len(serve) == 0 {
		serve = other
	}
	slices.Sort(serve)
	return slices.Compact(serve)
}

// steer sends new connections of an address to the workers that serve it.
func (h *hub) steer(key string) {
	l := h.listeners[key]
	if l == nil || len(l.Slots()) == 0 {
		return
	}
	policy := sockets.Evenly
	if h.spec().Sticky == app.StickyIP {
		policy = sockets.ByClient
	}
	if err := l.Steer(h.live(key), policy); err != nil {
		h.log.Warn("Cannot steer connections", "address", key, "err", err)
	}
}

func (h *hub) steerAll(w *worker) {
	for key := range w.keys {
		h.steer(key)
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

// handOver gives the connections that wait in a dead worker's socket to its siblings. With none they wait for
// the next worker of the seat.
func (h *hub) handOver(key string, seat int) {
	l := h.listeners[key]
	if l == nil || !slices.Contains(l.Slots(), seat) || h.inUse(key, seat) || !h.hasTaker(key) {
		return
	}
	_, err := l.Drain(seat, func(fd int) error {
		h.offer(conn{fd: fd, key: key})
		return nil
	})
	if err != nil {
		h.log.Warn("Cannot hand connections over", "address", key, "err", err)
	}
}

func (h *hub) hasTaker(key string) bool {
	for _, w := range h.workers {
		if w.keys[key] && w.duty == onDuty && w.number > 0 {
			return true
		}
	}
	return false
}

// reviewLater gives a new worker the listen timeout to ask for the sockets of its seat. What it has not asked for
// by then belongs to an earlier version of the app.
func (h *hub) reviewLater(w *worker) {
	time.AfterFunc(h.spec().Policy.ListenTimeout, func() {
		h.box.post(func() {
			if h.workers[w.Ref] != w || w.duty != onDuty {
				return
			}
			for key, l := range h.listeners {
				if slices.Contains(l.Slots(), w.seat) {
					h.vacate(key, w.seat)
				}
			}
		})
	})
}

// vacate closes a seat's socket. What waits in it goes to the siblings first, and so does what still comes
// for a moment after it was steered away from.
func (h *hub) vacate(key string, seat int) {
	l := h.listeners[key]
	if l == nil || h.inUse(key, seat) {
		return
	}
	fd, err := l.Socket(seat)
	name := h.socketName(l, seat)
	if err != nil || h.emptying[name] {
		return
	}
	if !h.hasTaker(key) || len(l.Slots()) == 1 {
		h.leave(l, seat)
		return
	}
	own, err := sockets.Dup(fd) // the seat may be closed by somebody else meanwhile, and the number used again
	if err != nil {
		h.leave(l, seat)
		return
	}
	h.steer(key)
	h.emptying[name] = true
	h.work.Go(func() {
		h.empty(own, key)
		sockets.CloseConn(own) // before the seat is left: the kernel renumbers the group when the last copy is closed
		h.box.post(func() {
			delete(h.emptying, name)
			if h.listeners[key] == l && slices.Contains(l.Slots(), seat) && !h.inUse(key, seat) {
				h.leave(l, seat)
			}
		})
	})
}

// emptyLimit is for how long connections may still come to a socket that was steered away from.
const emptyLimit = 5 * time.Second

var errLate = errors.New("connections do not cease to come")

// empty gives what is in a socket, or still comes, to the siblings.
func (h *hub) empty(listener int, key string) {
	end := time.Now().Add(emptyLimit)
	_, err := sockets.Retire(listener, quiet, func(c int) error {
		switch {
		case time.Now().After(end):
			return errLate
		case !h.box.post(func() { h.offer(conn{fd: c, key: key}) }):
			return errOver
		}
		return nil
	})
	if err != nil && !errors.Is(err, errOver) {
		h.log.Warn("Cannot empty a socket", "address", key, "err", err)
	}
}

// leave closes a seat's socket for good. The keeper's copy goes first: the kernel renumbers the
// group when the last copy is closed.
func (h *hub) leave(l *listener, seat int) {
	h.touchListener(l.key)
	name := h.socketName(l, seat)
	last := len(l.Slots()) == 1
	if last || !l.IsShared() {
		h.drop(name)
	}
	if last {
		l.stopAccepting()
		delete(h.listeners, l.key)
		delete(h.tickets, l.key)
		h.touchTickets()
	}
	if err := l.Leave(seat); err != nil {
		h.log.Warn("Cannot close a socket", "address", l.key, "err", err)
	}
	h.steer(l.key)
}
