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
	Said bool     `json:"said,omitempty"` // it says so itself: the message "ready", or READY=1
	Dir  string   `json:"dir,omitempty"`  // for a probe
	Env  []string `json:"env,omitempty"`  // for a probe: the variables that it names
}

// await begins to find out whether a process is ready, unless it is known or the process says so itself.
func (h *hub) awaitReady(w *worker) {
	if w.awaits.Ready.IsZero() || w.awaits.Said || w.proved {
		return
	}
	ctx, cancel := context.WithCancel(h.ctx)
	w.giveUp = cancel
	h.work.Go(func() {
		if h.untilReady(ctx, w) {
			h.box.post(func() {
				w.proved = true
				h.touchWorker(w.Ref)
				h.ready(w.Ref)
			})
		}
	})
}

// untilReady returns true when the process is ready, and false when ctx ends before.
func (h *hub) untilReady(ctx context.Context, w *worker) bool {
	if w.awaits.Delay > 0 {
		return isOver(ctx, w.awaits.Delay)
	}
	from := probe.From{Dir: w.awaits.Dir, Env: w.awaits.Env, Dial: h.dialer(w.Ref)}
	for wait := readyFirst; ; wait = min(2*wait, readyPause) {
		if !isOver(ctx, wait) {
			return false
		}
		err := probe.AskFor(ctx, readyAnswer, w.awaits.Probe, from)
		if err == nil {
			return ctx.Err() == nil
		}
		h.box.post(func() { w.unready = err.Error() })
	}
}

// explain adds to an error what a process answered last when it was asked whether it is ready.
func (h *hub) explain(ref Ref, err error) error {
	said := ""
	_ = h.do(h.ctx, func() { //nolint:errcheck // nothing to add then
		if w := h.workers[ref]; w != nil && !w.proved {
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
