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

// portPause is the time between two tries to get a port that is in use.
const portPause = 5 * time.Millisecond

// answerBind answers a worker's wish to listen: at once, or while the app moves here when the port is free, unless
// it can be shared until then.
func (h *hub) answerBind(w *worker, b primary.Bind, again bool) {
	out := h.bind(w, b, !again && h.isMoving())
	if out.Errno == primary.ErrnoOf(syscall.EADDRINUSE) {
		if !again {
			h.portTaken(w, addressOf(b.Query))
		}
		if h.isMoving() {
			time.AfterFunc(portPause, func() {
				h.box.post(func() {
					if h.workers[w.Ref] == w {
						h.answerBind(w, b, true)
					}
				})
			})
			return
		}
	}
	h.step(w, out)
}

// isMoving says that the app comes from another process manager, which may still run it.
func (h *hub) isMoving() bool { return time.Now().Before(h.spec().AwaitPort) }

// bind gives a worker the socket of an address, if need be beside one that another program has.
func (h *hub) bind(w *worker, b primary.Bind, borrow bool) primary.Bound {
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
	if borrow && sharing == sockets.PerSlot && errors.Is(err, syscall.EADDRINUSE) {
		if mine, no := h.borrow(b.Key, addressOf(b.Query), b.Query.Backlog, w.seat); no == nil {
			l, err = mine, nil
		} else {
			h.log.Info("A port is awaited, it cannot be shared", "address", b.Key, "err", no)
		}
	}
	if err != nil {
		out.Errno = primary.ErrnoOf(err)
		if at := addressOf(b.Query); errors.Is(err, syscall.EACCES) && at.Network != sockets.Unix {
			h.event(w.Ref, app.Event{Kind: app.EventPort, Reason: portReason(at, true)})
		}
		return out
	}
	if slices.Contains(l.Slots(), foreignSeat) {
		h.event(w.Ref, app.Event{Kind: app.EventPort, Reason: sharedReason(addressOf(b.Query))})
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
	own, err := sockets.Dup(fd) // the seat is closed while this goroutine still ends, and the number used again
	if err != nil {
		h.log.Warn("Cannot accept connections", "address", l.key, "err", err)
		return
	}
	stop := make(chan struct{})
	l.stop = stop
	h.work.Go(func() {
		defer sockets.CloseConn(own)
		for !isClosed(stop) {
			if err := sockets.Retire(own, quiet/5, stop, h.offerer(l.key)); err != nil {
				if !errors.Is(err, errOver) {
					h.log.Warn("Cannot accept connections", "address", l.key, "err", err)
				}
				return
			}
		}
	})
}

// acceptAgain goes on with what an earlier daemon did for a worker that takes connections one by one.
func (h *hub) acceptAgain(w *worker) {
	for key, o := range w.state.Open {
		if l := h.listeners[key]; l != nil && w.state.Runtime.Way(o.Query.Type) == primary.Passed {
			h.acceptFor(l, w.seat)
		}
	}
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
	if l := h.listeners[key]; len(serve) == 0 && l != nil && slices.Contains(l.Slots(), foreignSeat) {
		return []int{foreignSeat}
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
	if h.isSticky() {
		policy = sockets.ByClient
	}
	if err := l.Steer(h.live(key), policy); err != nil {
		h.log.Warn("Cannot steer connections", "address", key, "err", err)
	}
}

func (h *hub) isSticky() bool { return h.spec().Sticky == app.StickyIP }

func (h *hub) steerAll(w *worker) {
	for key := range w.keys {
		h.steer(key)
	}
}
