package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gpm/agent"
	"gpm/app"
)

const (
	// pulse is the time between two questions whether an event loop turns.
	pulse = time.Second
	// bootLimit is how long a process may take to load its modules, which is one turn of its loop.
	bootLimit = time.Minute
	// stackLimit is how long looking for the place where it hangs may take.
	stackLimit = 5 * time.Second
)

// guard asks a process again and again whether its event loop turns, if its app had a limit for that when it started.
// It ends with the agent's connection.
func (h *hub) guard(w *worker) {
	beat := time.NewTicker(pulse)
	defer beat.Stop()
	for limit := bootLimit; ; limit = h.spec().Policy.HangLimit { // the first answer comes when the app's modules are loaded
		ctx, cancel := context.WithTimeout(h.ctx, limit)
		_, err := w.agent.Ping(ctx)
		cancel()
		switch {
		case errors.Is(err, agent.ErrGone), h.ctx.Err() != nil:
			return
		case errors.Is(err, context.DeadlineExceeded) && w.inspections.Load() == 0:
			h.hung(w, limit)
		}
		select {
		case <-h.ctx.Done():
			return
		case <-beat.C:
		}
	}
}

// hung: the worker gets no more connections, those that wait go to the others; it is unhealthy, and its process is
// killed once it is known where it hangs.
func (h *hub) hung(w *worker, limit time.Duration) {
	pid := 0
	err := h.do(h.ctx, func() {
		if w.duty == offDuty {
			return
		}
		pid = w.pid
		h.dismiss(w)
		for key := range w.keys {
			h.handOver(key, w.seat)
		}
	})
	if err != nil || pid == 0 {
		return
	}
	ev := app.Event{Kind: app.EventHung, Reason: fmt.Sprintf("its event loop did not turn for %s", limit)}
	h.unwell(w.Ref, errors.New(ev.Reason))
	ctx, cancel := context.WithTimeout(h.ctx, stackLimit)
	frames, err := w.agent.Stack(ctx, pid)
	cancel()
	if err != nil {
		ev.Reason += "; where it hangs is not known: " + err.Error()
	}
	for _, f := range frames {
		ev.Lines = append(ev.Lines, f.String())
	}
	h.event(w.Ref, ev)
	h.kill(w.Ref)
}
