package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"slices"
	"strings"

	"gpm/app"
	"gpm/cluster/primary"
	"gpm/cluster/sockets"
	"gpm/ipc/channel"
)

// Names under which descriptors are kept.
func channelName(r Ref) string { return "chan/" + r.String() }
func agentName(r Ref) string   { return "agent/" + r.String() }

// lentName is the name of a descriptor that is a child's, for the moment of its start.
func lentName(name string) string { return "lent/" + name }

// socketName names the socket of a slot, or the one of all.
func (h *hub) socketName(l *listener, slot int) string {
	if l.IsShared() {
		slot = -1
	}
	return fmt.Sprintf("sock/%d/%s/%d", h.app, l.key, slot)
}

// notePrefix begins the names of the notes of an app.
func notePrefix(app uint64) string { return fmt.Sprintf("cluster/%d/", app) }

// hold gives the keeper a copy of a descriptor.
func (h *hub) hold(name string, fd int) {
	f, err := sockets.File(fd, name)
	if err == nil {
		err = h.call(func(ctx context.Context) error { return h.keeper.Hold(ctx, name, f) })
		f.Close()
	}
	if err != nil && !errors.Is(err, errors.ErrUnsupported) { // on Windows nothing outlives the daemon
		h.log.Error("Cannot keep a descriptor beyond this daemon", "name", name, "err", err)
	}
}

func (h *hub) drop(names ...string) {
	if err := h.call(func(ctx context.Context) error { return h.keeper.Drop(ctx, names...) }); err != nil {
		h.log.Error("Cannot drop descriptors", "names", names, "err", err)
	}
}

// savedWorker is a worker as it is noted.
type savedWorker struct {
	Ref    Ref             `json:"ref"`
	Slot   int             `json:"slot"`
	Seat   int             `json:"seat"`
	Number int             `json:"number"`
	PID    int             `json:"pid"`
	Duty   duty            `json:"duty"`
	State  primary.Worker  `json:"state"`
	Keys   map[string]bool `json:"keys,omitempty"`
	Shown  app.Shown       `json:"shown,omitzero"` // but for the metrics, which it tells again
	Own    map[string]bool `json:"own,omitempty"`
	Awaits awaited         `json:"awaits,omitzero"`
	Proved bool            `json:"proved,omitempty"`
}

// savedListener is a listening address as it is noted; its sockets are kept by name.
type savedListener struct {
	Key  string       `json:"key"`
	Held sockets.Held `json:"held"`
}

const (
	ticketsNote = "tickets"
	seatsNote   = "seats"
)

// touchWorker and its siblings note that something has changed which has to outlive this daemon.
func (h *hub) touchWorker(r Ref)        { h.touched["worker/"+r.String()] = r }
func (h *hub) touchListener(key string) { h.touched["listener/"+key] = key }
func (h *hub) touchTickets()            { h.touched[ticketsNote] = h.tickets }
func (h *hub) touchSeats()              { h.touched[seatsNote] = h.seats }

// present returns what is to be noted of something; nil: it is no more.
func (h *hub) present(of any) any {
	switch of := of.(type) {
	case Ref:
		if w := h.workers[of]; w != nil {
			return w.saved()
		}
	case string:
		if l := h.listeners[of]; l != nil {
			return savedListener{of, l.Held()}
		}
	case primary.Tickets:
		if len(of) > 0 {
			return of
		}
	case map[int]int:
		if len(of) > 0 {
			return of
		}
	}
	return nil
}

func (w *worker) saved() savedWorker {
	state := w.state
	state.Seq, state.Passing = 0, nil // a successor numbers anew, and nobody holds the connections
	shown := w.shown
	shown.Metrics = nil
	return savedWorker{
		Ref: w.Ref, Slot: w.slot, Seat: w.seat, Number: w.number, PID: w.pid, Duty: w.duty, State: state, Keys: w.keys, Own: w.own, Shown: shown,
		Awaits: w.awaits, Proved: w.proved,
	}
}

// keepNotes gives the keeper what has changed.
func (h *hub) keepNotes() {
	if len(h.touched) == 0 {
		return
	}
	changed := map[string][]byte{}
	for name, of := range h.touched {
		name = notePrefix(h.app) + name
		var text []byte
		if v := h.present(of); v != nil {
			var err error
			if text, err = json.Marshal(v); err != nil {
				h.log.Error("Cannot note", "name", name, "err", err)
				continue
			}
		}
		if !bytes.Equal(h.notes[name], text) {
			changed[name], h.notes[name] = text, text
		}
		if text == nil {
			delete(h.notes, name)
		}
	}
	clear(h.touched)
	if len(changed) == 0 {
		return
	}
	if err := h.call(func(ctx context.Context) error { return h.keeper.Note(ctx, changed) }); err != nil {
		h.log.Error("Cannot keep notes", "err", err)
	}
}

// longNote says, while it exists, that a long message to a process is half written.
func (h *hub) longNote(r Ref) string { return "halfway/" + r.String() }

func (h *hub) halfway(r Ref) func(bool) {
	name := h.longNote(r)
	return func(begun bool) {
		var text []byte
		if begun {
			text = []byte("1")
		}
		err := h.call(func(ctx context.Context) error { return h.keeper.Note(ctx, map[string][]byte{name: text}) })
		if err != nil {
			h.log.Error("Cannot note", "name", name, "err", err)
		}
	}
}

// restore takes over from an earlier daemon: all that it noted about the app. alive says which processes
// there are; what belongs to others is dropped.
func (h *hub) restore(notes map[string][]byte, alive func(Ref) bool) {
	for name, text := range notes {
		rest, ok := strings.CutPrefix(name, notePrefix(h.app))
		if !ok {
			continue
		}
		h.notes[name] = text
		var err error
		switch kind, _, _ := strings.Cut(rest, "/"); kind {
		case "listener":
			err = h.restoreListener(text)
		case "worker":
			err = h.restoreWorker(text, notes, alive)
		case seatsNote:
			err = json.Unmarshal(text, &h.seats)
		case ticketsNote:
			err = json.Unmarshal(text, &h.tickets)
		}
		if err != nil {
			h.log.Error("Cannot take over", "name", name, "err", err)
		}
	}
	for key := range h.listeners {
		h.steer(key)
	}
}

// resume begins to listen to the processes taken over; their owners exist now.
func (h *hub) resume() {
	for _, w := range h.workers {
		h.listen(w)
		h.awaitReady(w)
		h.acceptAgain(w)
		if w.isUp() {
			h.ready(w.Ref)
		}
	}
}

// holds lists the names that the keeper has for this app.
func (h *hub) holds() []string {
	var names []string
	for ref := range h.workers {
		names = append(names, channelName(ref), agentName(ref), notifyName(ref))
	}
	for _, l := range h.listeners {
		for _, slot := range l.Slots() {
			names = append(names, h.socketName(l, slot))
		}
	}
	return names
}

func (h *hub) restoreListener(text []byte) error {
	var saved savedListener
	if err := json.Unmarshal(text, &saved); err != nil {
		return err
	}
	l := &listener{Group: sockets.NewGroup(saved.Held.Address, saved.Held.Sharing, 0), key: saved.Key}
	fds := map[int]int{}
	var shared *int
	for _, slot := range saved.Held.Order {
		if shared != nil {
			fds[slot] = *shared
			continue
		}
		fd, err := h.take(h.socketName(l, slot))
		if errors.Is(err, fs.ErrNotExist) {
			continue // the earlier daemon ended while it closed it
		}
		if err != nil {
			return err
		}
		if fds[slot] = fd; l.IsShared() {
			shared = &fd
		}
	}
	var err error
	l.Group, err = sockets.Adopt(saved.Held, fds)
	if err != nil && !errors.Is(err, sockets.ErrNotOpen) {
		return err
	}
	h.touchListener(saved.Key)
	if err == nil {
		h.listeners[saved.Key] = l
	}
	return nil
}

func (h *hub) take(name string) (int, error) {
	f, err := h.takeFile(name)
	if err != nil {
		return -1, err
	}
	return sockets.Descriptor(f)
}

func (h *hub) takeFile(name string) (f *os.File, err error) {
	err = h.call(func(ctx context.Context) (err error) {
		f, err = h.keeper.Take(ctx, name)
		return err
	})
	return f, err
}

func (h *hub) restoreWorker(text []byte, notes map[string][]byte, alive func(Ref) bool) error {
	var saved savedWorker
	if err := json.Unmarshal(text, &saved); err != nil {
		return err
	}
	if !alive(saved.Ref) {
		h.touchWorker(saved.Ref)
		h.drop(channelName(saved.Ref), agentName(saved.Ref), notifyName(saved.Ref))
		return nil
	}
	w := &worker{
		Ref: saved.Ref, slot: saved.Slot, seat: saved.Seat, number: saved.Number, pid: saved.PID, duty: saved.Duty,
		state: primary.Resume(saved.State, rand.Uint64()), keys: saved.Keys, own: saved.Own,
		shown: saved.Shown, awaits: saved.Awaits, proved: saved.Proved,
	}
	w.state.Online = saved.State.Online // which Resume does not know
	if w.keys == nil {
		w.keys = map[string]bool{}
	}
	if w.own == nil {
		w.own = map[string]bool{}
	}
	h.number = max(h.number, w.number)
	h.workers[w.Ref] = w
	return errors.Join(h.resumeChannel(w, notes[h.longNote(w.Ref)] != nil), h.resumeAgent(w), h.resumeNotify(w))
}

func (h *hub) resumeChannel(w *worker, halfWritten bool) error {
	f, err := h.takeFile(channelName(w.Ref))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it never had one
	}
	if err != nil {
		return err
	}
	w.ch, err = channel.New(f, channel.Options{
		Framing: w.state.Runtime.Framing(), Resumed: true, HalfWritten: halfWritten, Long: h.halfway(w.Ref),
	})
	return err
}

func (h *hub) resumeAgent(w *worker) error {
	f, err := h.takeFile(agentName(w.Ref))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		w.agent = h.newAgent(w, f)
	}
	return err
}

// isOurs says whether a kept name is one of this package's.
func isOurs(name string) bool {
	kind, _, _ := strings.Cut(name, "/")
	return slices.Contains([]string{"chan", "agent", "notify", "sock", "lent"}, kind)
}
