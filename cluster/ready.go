package cluster

import (
	"context"
	"fmt"
	"time"

	"gpm/app"
	"gpm/probe"
)

const (
	// readyFirst and readyPause are the times between two questions whether a process is ready; they grow.
	readyFirst = 50 * time.Millisecond
	readyPause = time.Second
	// readyAnswer is how long one answer may take.
	readyAnswer = 5 * time.Second
)

// awaited is what makes a process count as up, as its app had it when it was started.
type awaited struct {
	app.Ready
	Said bool       `json:"said,omitempty"` // it says so itself: the message "ready", or READY=1
	Well app.Probe  `json:"well,omitzero"`  // of a replacement: its health check, which it has to pass to take over
	From probe.From `json:"from,omitzero"`  // for the probes
}

// awaitReady begins to find out whether a process is ready, as far as that is not known and the process does not say so itself.
func (h *hub) awaitReady(w *worker) {
	ctx, cancel := context.WithCancel(h.ctx)
	w.giveUp = cancel
	ready, well := w.awaits.Ready, w.awaits.Well
	if !ready.IsZero() && !w.awaits.Said && !w.proved {
		h.work.Go(func() {
			if ready.Delay > 0 && isOver(ctx, ready.Delay) || !ready.Probe.IsZero() && h.untilYes(ctx, w, ready.Probe) {
				h.box.post(func() { h.proved(w) })
			}
		})
	}
	if !well.IsZero() && !w.well {
		h.work.Go(func() {
			if h.untilYes(ctx, w, well) {
				h.box.post(func() { w.well = true })
			}
		})
	}
}

// proved: what the app awaits has come true.
func (h *hub) proved(w *worker) {
	w.proved = true
	h.touchWorker(w.Ref)
	h.ready(w.Ref)
}

// untilYes asks again and again; false: ctx ended before the answer was yes.
func (h *hub) untilYes(ctx context.Context, w *worker, p app.Probe) bool {
	from := w.awaits.From
	from.Dial = h.dialer(w.Ref)
	for wait := readyFirst; isOver(ctx, wait); wait = min(2*wait, readyPause) {
		err := probe.AskFor(ctx, readyAnswer, p, from)
		if err == nil {
			return ctx.Err() == nil
		}
		h.box.post(func() { w.unready = err.Error() })
	}
	return false
}

// explain adds to an error what a process answered last when it was asked whether it is ready.
func (h *hub) explain(ref Ref, err error) error {
	said := ""
	_ = h.do(h.ctx, func() { //nolint:errcheck // nothing to add then
		if w := h.workers[ref]; w != nil && !w.mayTakeOver() {
			said = w.unready
		}
	})
	if said == "" {
		return err
	}
	return fmt.Errorf("%w: %s", err, said)
}

// isOver waits; false: ctx ended first.
func isOver(ctx context.Context, d time.Duration) bool {
	pause(ctx, d)
	return ctx.Err() == nil
}
