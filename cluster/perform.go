package cluster

import (
	"errors"
	"math/rand/v2"
	"slices"

	"gpm/cluster/primary"
	"gpm/cluster/sockets"
	"gpm/ipc/channel"
)

// step is one input of a worker's conversation and all that follows from it.
func (h *hub) step(w *worker, in primary.Input) {
	h.touchWorker(w.Ref)
	var effects []primary.Effect
	w.state, effects = w.state.Step(in)
	for _, e := range effects {
		h.perform(w, e)
	}
}

func (h *hub) perform(w *worker, e primary.Effect) {
	switch e := e.(type) {
	case primary.Reply:
		h.sent(w, w.ch.Post(e.JSON))
	case primary.Bind:
		h.answerBind(w, e, false)
	case primary.PassSocket:
		h.passSocket(w, e)
	case primary.PassConn:
		h.passConn(w, e)
	case primary.Settled:
		h.settled(e)
	case primary.CameOnline, primary.SaidReady:
		h.reviewLater(w)
		if w.isUp() {
			h.ready(w.Ref)
		}
	case primary.Listens:
		h.listens(w, e)
	case primary.Closed:
		h.closed(w, e)
	case primary.Leaves:
		h.dismiss(w)
	}
}

// sent notes what could not be sent; a worker that has just gone is no news.
func (h *hub) sent(w *worker, err error) {
	if err != nil && !errors.Is(err, channel.ErrClosed) {
		h.log.Warn("Cannot talk to a process", "process", w.Ref, "err", err)
	}
}

// passSocket hands a listening socket to a worker.
func (h *hub) passSocket(w *worker, e primary.PassSocket) {
	l := h.listeners[e.Key]
	if l == nil {
		return
	}
	fd, err := l.Socket(w.seat)
	if err == nil {
		err = w.ch.Pass(e.JSON, e.Type, fd, func(err error) {
			if err != nil && !errors.Is(err, channel.ErrClosed) {
				h.log.Warn("A process did not take its socket", "process", w.Ref, "address", e.Key, "err", err)
			}
		})
	}
	h.sent(w, err)
}

func (h *hub) listens(w *worker, e primary.Listens) {
	l := h.listeners[e.Key]
	if l == nil {
		e.Query.Index = 0
		w.own[e.Query.Key()] = true
		return
	}
	w.keys[e.Key] = true
	h.ceaseEmptying(l, w.seat)
	h.steer(e.Key)
}

// closed: what the app closes while it runs on is closed; in an ending or dead worker's place comes another,
// for which the socket is kept.
func (h *hub) closed(w *worker, e primary.Closed) {
	delete(w.keys, e.Key)
	h.steer(e.Key)
	if e.Deliberate && w.duty == onDuty {
		h.vacate(e.Key, w.seat)
	}
}

// passing is the connections that are on their way to a worker.
type passing struct {
	conns map[uint64]conn
	last  uint64
}

// conn is a connection that was accepted here for somebody else.
type conn struct {
	fd    int
	key   string
	tried []Ref // who did not take it
	only  bool  // for nobody but the first
}

// offer gives a connection to a worker that has not refused it yet; with none left it is closed.
func (h *hub) offer(c conn) {
	var able []*worker
	for _, w := range h.workers {
		if w.keys[c.key] && w.duty == onDuty && w.number > 0 && !slices.Contains(c.tried, w.Ref) {
			able = append(able, w)
		}
	}
	if len(able) == 0 {
		h.log.Warn("Nobody can take a connection", "address", c.key, "tried", len(c.tried))
		sockets.CloseConn(c.fd)
		return
	}
	w := able[rand.IntN(len(able))]
	c.tried = append(c.tried, w.Ref)
	h.passing.last++
	h.passing.conns[h.passing.last] = c
	h.step(w, primary.Offer{Key: c.key, Token: h.passing.last})
}

func (h *hub) passConn(w *worker, e primary.PassConn) {
	failed := func() { h.step(w, primary.NotPassed{Token: e.Token}) }
	err := w.ch.Pass(e.JSON, "net.Native", h.passing.conns[e.Token].fd, func(err error) {
		if err != nil {
			h.box.post(failed)
		}
	})
	if err != nil {
		h.box.post(failed)
	}
}

func (h *hub) settled(e primary.Settled) {
	c, ok := h.passing.conns[e.Token]
	delete(h.passing.conns, e.Token)
	switch {
	case !ok:
	case e.Accepted, c.only:
		sockets.CloseConn(c.fd)
	default:
		h.offer(c)
	}
}
