package cluster

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"net"
	"slices"
	"sync/atomic"
	"time"

	"gpm/agent"
	"gpm/app"
	"gpm/cluster/primary"
	"gpm/cluster/sockets"
	"gpm/ipc/channel"
)

// duty says whether a worker is to get connections.
type duty uint8

const (
	onDuty  duty = iota
	leaving      // asked to end: no new ones while others serve
	offDuty      // its channel has ended, or it has
	trial        // to be on duty when it has proved itself
)

// worker is one process that gpm talks with.
type worker struct {
	Ref
	slot    int              // of its instance
	seat    int              // where it listens
	number  int              // cluster.worker.id; 0: no worker of a cluster
	ch      *channel.Channel // nil: it has none
	agent   *agent.Conn      // nil: it has none
	state   primary.Worker
	keys    map[string]bool // addresses it has asked for; true: it listens there
	own     map[string]bool // addresses that it bound by itself
	duty    duty
	pid     int
	figures figures

	awaits  awaited
	proved  bool   // what it awaits, if a question or a time, has come true
	well    bool   // it has passed its health check
	unready string // the last answer to that question, a no
	giveUp  func() // ends the questions; nil: none are asked

	inspections atomic.Int32 // under way; its loop may stand still for them

	notify *net.UnixConn // nil: nothing is awaited from it
	shown  app.Shown
}

// isUp says that the worker counts as online.
func (w *worker) isUp() bool {
	switch {
	case w.awaits.Said:
		return w.state.Ready
	case !w.awaits.IsZero():
		return w.proved
	case w.number > 0:
		return w.state.Online
	}
	return true
}

// mayTakeOver says that a replacement is all that was awaited of it.
func (w *worker) mayTakeOver() bool { return w.isUp() && (w.well || w.awaits.Well.IsZero()) }

// servesAll says that it listens on all these addresses.
func (w *worker) servesAll(addresses []string) bool {
	return !slices.ContainsFunc(addresses, func(a string) bool { return !w.keys[a] && !w.own[a] })
}

// serving lists the addresses that it listens on.
func (w *worker) serving() []string {
	out := slices.Collect(maps.Keys(w.own))
	for key, listens := range w.keys {
		if listens {
			out = append(out, key)
		}
	}
	slices.Sort(out)
	return out
}

// close ends the conversation on this side; the process notices only when the keeper's copies are gone too.
func (w *worker) close() {
	if w.ch != nil {
		_ = w.ch.Close() //nolint:errcheck // closing is all that was wanted
	}
	if w.agent != nil {
		_ = w.agent.Close() //nolint:errcheck // as above
	}
	if w.notify != nil {
		_ = w.notify.Close() //nolint:errcheck // as above
	}
	if w.giveUp != nil {
		w.giveUp()
	}
}

// listen serves a worker's channel and agent, which are set, until they end.
func (h *hub) listen(w *worker) {
	if w.ch != nil {
		h.work.Go(func() {
			if err := w.ch.Serve(func(e channel.Event) { h.deliver(w, e) }); err != nil {
				h.log.Warn("Cannot hear a process", "process", w.Ref, "err", err)
			}
			h.box.post(func() { h.lost(w) })
		})
	}
	if w.notify != nil {
		h.work.Go(func() { h.hearNotify(w) })
	}
	if w.agent != nil {
		h.work.Go(func() {
			if err := w.agent.Run(); err != nil {
				h.log.Warn("Cannot hear the agent of a process", "process", w.Ref, "err", err)
			}
		})
		if h.spec().Policy.HangLimit > 0 {
			h.work.Go(func() { h.guard(w) })
		}
	}
}

// deliver takes what a process says. It runs in the goroutine of its channel and waits for the owner, so that
// one that talks too much waits itself, and a message counts as read only when it was acted upon.
func (h *hub) deliver(w *worker, e channel.Event) {
	if e.FD >= 0 {
		sockets.CloseConn(e.FD) // an app that sends sockets to its primary: nobody here has use for them
	}
	var in primary.Input
	switch e.Kind {
	case channel.Cluster:
		in = primary.FromWorker{JSON: bytes.Clone(e.JSON)}
	case channel.App:
		if string(e.JSON) != `"ready"` {
			h.hear(w, e.JSON) // the hot path of an app that talks much: no copy
			return
		}
		in = primary.FromApp{JSON: bytes.Clone(e.JSON)}
	default:
		h.log.Warn("A process says what is no message", "process", w.Ref, "err", e.Err)
		return
	}
	if err := h.do(context.Background(), func() { h.step(w, in) }); err != nil {
		w.ch.Abandon() // the daemon ends: its successor reads the message again
	}
}

// observe follows the life of an instance's process, as its supervisor reports it.
func (h *hub) observe(st app.Status, slot int, as role) {
	w := h.workers[Ref{st.ID, st.Seq}]
	switch {
	case st.State == app.Stopping || st.State == app.Killing:
		h.dismiss(w)
	case !st.State.HasChild():
		h.remove(w)
		if st.State == app.Stopped || st.State == app.Errored {
			h.seatLeft(w, slot, as)
		}
	default:
		h.remove(h.workers[Ref{st.ID, st.Seq - 1}]) // it ended before this one was started
	}
}

// seatLeft closes the sockets of a process that gets no successor.
func (h *hub) seatLeft(w *worker, slot int, as role) {
	switch {
	case w != nil:
		h.release(w.seat)
	case as == official:
		h.release(h.seat(slot))
	}
}

// dismiss steers new connections away from a worker that is going to end.
func (h *hub) dismiss(w *worker) {
	if w != nil && (w.duty == onDuty || w.duty == trial) {
		w.duty = leaving
		h.touchWorker(w.Ref)
		h.steerAll(w)
	}
}

// disconnect asks a worker to close its servers, finish what it has begun and end.
func (h *hub) disconnect(ref Ref) {
	if w := h.workers[ref]; w != nil && w.number > 0 {
		h.step(w, primary.Stop{})
	}
}

// lost: the channel has ended. What waits for the worker goes to its siblings.
func (h *hub) lost(w *worker) {
	if w.duty == offDuty {
		return
	}
	h.step(w, primary.End{})
	w.duty = offDuty
	h.touchWorker(w.Ref)
	for _, key := range slices.Sorted(maps.Keys(w.keys)) {
		h.steer(key)
		if !h.inUse(key, w.seat) {
			h.handOver(key, w.seat)
		}
	}
}

// remove forgets a process that has ended.
func (h *hub) remove(w *worker) {
	if w == nil {
		return
	}
	h.lost(w)
	w.close()
	delete(h.workers, w.Ref)
	h.touchWorker(w.Ref)
	h.drop(channelName(w.Ref), agentName(w.Ref), notifyName(w.Ref))
}

// drainLimit is how long a process may take to hear that it is to drain.
const drainLimit = 5 * time.Second

// drain has the agent of a worker end keep-alive connections with their next answer, now or when its event loop
// gets to it; false: it has no agent.
func (h *hub) drain(ctx context.Context, ref Ref) bool {
	var conn *agent.Conn
	err := h.do(ctx, func() {
		if w := h.workers[ref]; w != nil {
			conn = w.agent
		}
	})
	if err != nil || conn == nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, drainLimit)
	defer cancel()
	err = conn.Drain(ctx)
	if err != nil && !errors.Is(err, agent.ErrGone) {
		h.log.Info("Cannot drain a process", "process", ref, "err", err)
	}
	return err == nil || errors.Is(err, context.DeadlineExceeded)
}
