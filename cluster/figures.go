package cluster

import (
	"context"
	"time"

	"gpm/agent"
	"gpm/app"
)

const (
	// figureInterval is how often a process reports while somebody looks.
	figureInterval = time.Second
	// firstFigure is how often until its first report, for which somebody waits.
	firstFigure = 100 * time.Millisecond
	// interest is for how long after a look reports go on.
	interest = 15 * time.Second
)

// figures is what the agent of a process reports, and who wants to know.
type figures struct {
	last  *agent.Stats
	asked time.Time
	first chan struct{} // closed with the first report
}

// report keeps what the agent says. It runs in the goroutine of its connection.
func (h *hub) report(w *worker, s agent.Stats) {
	h.box.post(func() {
		first := w.figures.last == nil
		w.figures.last = &s
		switch {
		case time.Since(w.figures.asked) > interest:
			w.figures.last = nil // too old by the next look
			w.figures.first = nil
			h.subscribe(w, 0)
		case first:
			close(w.figures.first)
			h.subscribe(w, figureInterval)
		}
	})
}

func (h *hub) subscribe(w *worker, every time.Duration) {
	if err := w.agent.Subscribe(every); err != nil {
		h.log.Debug("Cannot ask an agent for figures", "process", w.Ref, "err", err)
	}
}

// ask begins or prolongs the reports of a process; the channel is closed when there is one. nil: it has no agent.
func (h *hub) ask(ref Ref) <-chan struct{} {
	w := h.workers[ref]
	if w == nil || w.agent == nil || w.duty == offDuty {
		return nil
	}
	w.figures.asked = time.Now()
	if w.figures.first == nil {
		w.figures.first = make(chan struct{})
		h.subscribe(w, firstFigure)
	}
	return w.figures.first
}

// Figures returns what Node says about itself, by instance id. It waits a little for first reports.
func (g *Group) Figures(ctx context.Context, patience time.Duration) map[int]app.NodeUsage {
	h := g.existingHub()
	if h == nil {
		return nil
	}
	refs, out := g.officials(), map[int]app.NodeUsage{}
	var pending []<-chan struct{}
	err := h.do(ctx, func() {
		for _, ref := range refs {
			if first := h.ask(ref); first != nil {
				pending = append(pending, first)
			}
		}
		h.collect(refs, out)
	})
	if err != nil || patience <= 0 || len(out) == len(pending) {
		return out
	}
	limit, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for _, first := range pending {
		select {
		case <-first:
		case <-limit.Done():
		}
	}
	_ = h.do(ctx, func() { h.collect(refs, out) }) //nolint:errcheck // no figures then
	return out
}

func (h *hub) collect(refs []Ref, out map[int]app.NodeUsage) {
	for _, ref := range refs {
		if w := h.workers[ref]; w != nil && w.figures.last != nil {
			out[ref.ID] = nodeUsage(*w.figures.last)
		}
	}
}

// officials lists the processes that stand for the instances.
func (g *Group) officials() []Ref {
	var out []Ref
	for _, m := range g.Members() {
		if st := m.Status(); st.State.HasChild() {
			out = append(out, Ref{st.ID, st.Seq})
		}
	}
	return out
}

func nodeUsage(s agent.Stats) app.NodeUsage {
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	u := app.NodeUsage{
		Version: s.Node, HeapUsed: s.Memory.HeapUsed, HeapTotal: s.Memory.HeapTotal, HeapLimit: s.HeapLimit,
		External: s.Memory.External, ArrayBuffers: s.Memory.ArrayBuffers,
		NewSpace: s.NewSpace.Used, OldSpace: s.OldSpace.Used,
		LoopP50: ms(s.Loop.P50), LoopP95: ms(s.Loop.P95), LoopP99: ms(s.Loop.P99), LoopMax: ms(s.Loop.Max), Utilization: s.Loop.Utilization,
		Handles: s.Handles, Requests: s.Requests,
	}
	for kind, p := range s.GC {
		if kind == agent.Scavenge {
			u.Scavenges, u.ScavengeMS = p.Count, ms(p.Total)
		}
		if kind == agent.MarkSweep {
			u.MarkSweeps, u.MarkSweepMS = p.Count, ms(p.Total)
		}
	}
	return u
}
