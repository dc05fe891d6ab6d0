package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"gpm/app"
	"gpm/proc"
)

// byReload is recorded as the reason of what a reload starts and ends.
const byReload = "reload"

// byScale is recorded as the reason of the end of an instance that is one too many.
const byScale = "scale"

const (
	// stride keeps the numbers of a replacement apart from those that the old process's own restarts take
	// meanwhile.
	stride = 1000
	// drainTime is how long clients have to hear that their connection ends with the next answer.
	drainTime = 500 * time.Millisecond
	// exitTime is how long a process that has nothing left to serve may take to end by itself, before it gets the
	// stop signal, which it may need to close what keeps it alive.
	exitTime = 200 * time.Millisecond
	// endLimit is what a failed replacement or a retired process gets beyond its kill timeout.
	endLimit = 15 * time.Second
)

// Replaced is how the reload of one instance ended.
type Replaced struct {
	Member *Member
	Status app.Status
	Err    error
	Lines  []string // last words of a replacement that failed
}

// reloading is a reload that goes on.
type reloading struct {
	cancel context.CancelCauseFunc
	done   chan struct{}
}

// Reload replaces the processes of instances: first one, which has to prove itself, then the others, at most parallel at
// once. A new process serves before the old one is asked to end. The first that fails ends the reload: it is
// removed, and the instances which are not replaced yet keep the processes they have. One reload at a time.
func (g *Group) Reload(members []*Member, parallel int, done func(Replaced)) error {
	ctx, end, err := g.beginReload()
	if err != nil || len(members) == 0 {
		return err
	}
	defer end()
	if r := g.replace(ctx, members[0], true); r.Err != nil {
		done(r)
		return skipped(members[1:], done)
	} else {
		done(r)
	}
	return g.replaceAll(ctx, members[1:], max(1, parallel), done)
}

// replaceAll goes on after the first.
func (g *Group) replaceAll(ctx context.Context, members []*Member, parallel int, done func(Replaced)) error {
	var failed error
	for len(members) > 0 && failed == nil {
		batch := members[:min(parallel, len(members))]
		members = members[len(batch):]
		results := make([]Replaced, len(batch))
		var all sync.WaitGroup
		for i, m := range batch {
			all.Go(func() { results[i] = g.replace(ctx, m, false) })
		}
		all.Wait()
		for _, r := range results {
			done(r)
			failed = errors.Join(failed, r.Err)
		}
	}
	if failed != nil {
		return skipped(members, done)
	}
	return nil
}

// skipped reports the instances that a failed reload did not get to.
func skipped(members []*Member, done func(Replaced)) error {
	for _, m := range members {
		st := m.Status()
		done(Replaced{Member: m, Status: st, Err: app.Errorf(app.CodeConflict, "not reloaded, because another instance failed: its old process goes on")})
	}
	return nil
}

func (g *Group) beginReload() (context.Context, func(), error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.reload != nil {
		return nil, nil, app.Errorf(app.CodeConflict, "cannot reload %q: a reload of it is under way", g.cfg.Spec().Name).
			WithHint("wait for its end; a restart or stop ends it")
	}
	ctx, cancel := context.WithCancelCause(g.ctx)
	r := &reloading{cancel, make(chan struct{})}
	g.reload = r
	return ctx, func() {
		cancel(nil)
		g.mu.Lock()
		g.reload = nil
		g.mu.Unlock()
		close(r.done)
	}, nil
}

// interrupt ends a reload that is under way: somebody wants something else.
func (g *Group) interrupt(why string) {
	g.mu.Lock()
	r := g.reload
	g.mu.Unlock()
	if r != nil {
		r.cancel(errors.New(why))
		<-r.done
	}
}

// replace gives an instance a new process. One that does not run is started.
func (g *Group) replace(ctx context.Context, m *Member, canary bool) Replaced {
	old := m.Status()
	if old.State != app.Online && old.State != app.Unhealthy && old.State != app.Launching {
		st, err := m.face.Load().Restart(ctx, byReload)
		return Replaced{Member: m, Status: st, Err: err}
	}
	h := g.theHub()
	wanted, err := h.serving(Ref{m.ID, old.Seq})
	if err != nil {
		return Replaced{Member: m, Status: old, Err: err}
	}
	next := g.successor(m, old)
	g.run(next)
	err = g.prove(ctx, next, wanted, canary)
	if err == nil {
		err = next.SetPolicy(ctx, g.cfg.Spec().Policy)
	}
	if err == nil && next.Status().State != app.Online {
		err = errEnded
	}
	if err != nil {
		return g.giveUp(m, next, err)
	}
	if err := g.promote(next); err != nil {
		return g.giveUp(m, next, err)
	}
	g.retire(ctx, m.takeOver(next))
	return Replaced{Member: m, Status: m.Status()}
}

// promote has a replacement get connections.
func (g *Group) promote(f *face) error {
	h := g.theHub()
	st := f.Status()
	return h.do(g.ctx, func() { h.promote(Ref{st.ID, st.Seq}) })
}

// successor makes the supervisor of a replacement. It does not restart a process that ends before it has taken over.
func (g *Group) successor(m *Member, old app.Status) *face {
	policy := g.cfg.Spec().Policy
	policy.NoAutorestart = true
	return g.newFace(m, hidden, app.Status{
		ID: m.ID, App: old.App, Name: old.Name, Namespace: old.Namespace, Slot: m.Slot, Mode: old.Mode,
		State: app.Stopped, Goal: app.Down, Created: old.Created, Since: time.Now(),
		Restarts: old.Restarts + 1, Seq: g.lastSeq(m, old.Seq) + stride, Exit: old.Exit,
	}, policy, nil)
}

// lastSeq is the highest number of the instance's processes, of which an earlier daemon's reload may have left some that
// are still ending.
func (g *Group) lastSeq(m *Member, seq uint64) uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	for ref := range g.faces {
		if ref.ID == m.ID {
			seq = max(seq, ref.Seq)
		}
	}
	return seq
}

// prove starts a replacement and returns once it can take over. A canary must also live on for a while.
func (g *Group) prove(ctx context.Context, next *face, wanted []string, canary bool) error {
	policy := g.cfg.Spec().Policy
	deadline := time.Now().Add(policy.ReadyWithin())
	st, err := next.Start(ctx, byReload)
	switch {
	case err != nil:
		return err
	case st.State != app.Online:
		return errors.New(st.Reason)
	}
	ref := Ref{st.ID, st.Seq}
	late := app.Errorf(app.CodeTimeout, "it does not %s within %s", expected(g.cfg.Spec(), wanted), policy.ReadyWithin()).
		WithHint("if it needs more time, give it more by --listen-timeout")
	limit, cancel := context.WithDeadlineCause(ctx, deadline, late)
	defer cancel()
	if err := g.theHub().awaitServing(limit, ref, wanted); err != nil {
		return g.theHub().explain(ref, err)
	}
	if !canary && !g.isSilent(ref) {
		return nil
	}
	return g.survives(ctx, ref, policy.MinUptime*3/2)
}

// expected is what a replacement has to do.
func expected(spec app.Spec, wanted []string) string {
	var all []string
	if spec.Policy.AwaitsReady() {
		all = append(all, sign(spec.Policy))
	}
	if check := spec.Health.Probe(); !check.IsZero() {
		all = append(all, "pass its health check ("+check.String()+")")
	}
	if len(wanted) > 0 {
		all = append(all, "listen where the old process does")
	}
	if len(all) == 0 {
		return "come up"
	}
	return strings.Join(all, " and ")
}

// sign is what a process has to do to be ready.
func sign(policy app.Policy) string {
	switch {
	case policy.Ready.Notify:
		return "say READY=1"
	case !policy.Ready.Probe.IsZero():
		return "get ready (" + policy.Ready.String() + ")"
	case policy.Ready.Delay > 0:
		return "run for " + policy.Ready.String()
	}
	return `say "ready"`
}

// isSilent says that a process does not tell when it serves: all that can be had is that it lives on.
func (g *Group) isSilent(ref Ref) (silent bool) {
	h := g.theHub()
	err := h.do(g.ctx, func() {
		w := h.workers[ref]
		silent = w != nil && w.number == 0 && !w.awaits.Said && w.awaits.IsZero()
	})
	return silent && err == nil
}

// survives returns nil when the process still runs after d.
func (g *Group) survives(ctx context.Context, ref Ref, d time.Duration) error {
	over := errors.New("enough")
	limit, cancel := context.WithTimeoutCause(ctx, d, over)
	defer cancel()
	switch err := g.theHub().awaitEnd(limit, ref); {
	case err == nil:
		return errEnded
	case errors.Is(err, over):
		return nil
	default:
		return err
	}
}

// giveUp removes a replacement that failed. When the daemon itself ends it is left to the next one.
func (g *Group) giveUp(m *Member, next *face, why error) Replaced {
	if g.ctx.Err() != nil {
		return Replaced{Member: m, Status: m.Status(), Err: errOver}
	}
	ctx, cancel := context.WithTimeout(g.ctx, g.cfg.Spec().Policy.KillTimeout+endLimit)
	defer cancel()
	if _, err := next.Delete(ctx, byReload); err != nil {
		g.cfg.Log.Error("Cannot end a replacement that failed", "id", m.ID, "err", err)
	}
	lines, exit := next.lastWords()
	if errors.Is(why, errEnded) && exit != nil {
		why = errors.New(exit.String())
	}
	reason := fmt.Sprintf("the new process failed: %s; the old one goes on", why)
	m.report(app.Event{Kind: app.EventReload, Reason: reason, Exit: exit, Lines: lines})
	failed := app.Errorf(app.CodeConflict, "cannot reload: %s", reason)
	if late, ok := errors.AsType[*app.Error](why); ok && late.Hint != "" {
		failed = failed.WithHint("%s", late.Hint)
	}
	return Replaced{Member: m, Status: m.Status(), Err: failed, Lines: lines}
}

// report tells something about the instance that changes nothing in it: about its process, unless it names an earlier one.
func (m *Member) report(ev app.Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	st := m.Status()
	ev.At, ev.ID, ev.Name, ev.PID = time.Now(), st.ID, st.Name, cmp.Or(ev.PID, st.PID)
	m.group.cfg.Report(st, []app.Event{ev})
}

// retire ends a process that has been replaced, or is to be without a replacement: its clients are told to come again, it is asked to finish and to
// end, and made to when its kill timeout is over.
func (g *Group) retire(ctx context.Context, old *face) {
	policy := g.cfg.Spec().Policy
	policy.NoAutorestart = true
	err := old.SetPolicy(ctx, policy)
	st := old.Status() // only now: before, it could still have been given another process, which then ended without a drain
	if err == nil && st.State.HasChild() {
		g.windDown(ctx, Ref{st.ID, st.Seq}, policy.KillTimeout)
	}
	if g.ctx.Err() != nil {
		return // the next daemon goes on
	}
	limit, cancel := context.WithTimeout(g.ctx, policy.KillTimeout+endLimit)
	defer cancel()
	if _, err := old.Delete(limit, byReload); err != nil {
		g.cfg.Log.Error("Cannot end a process that was replaced", "id", st.ID, "pid", st.PID, "err", err)
	}
}

// windDown returns when the process has no connections any more, or after limit.
func (g *Group) windDown(ctx context.Context, ref Ref, limit time.Duration) {
	h := g.theHub()
	if err := h.do(ctx, func() { h.dismiss(h.workers[ref]) }); err != nil {
		return
	}
	if h.drain(ctx, ref) {
		pause(ctx, drainTime)
	}
	talks := false
	err := h.do(ctx, func() {
		w := h.workers[ref]
		talks = w != nil && w.number > 0 && w.duty != offDuty
		h.disconnect(ref)
	})
	if err != nil {
		return
	}
	grace, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if !talks { // what waits for it is taken while nothing new comes
		for pause(ctx, drainTime); grace.Err() == nil && h.hasWaiting(ref); {
			pause(grace, quiet)
		}
		return
	}
	if h.awaitEnd(grace, ref) != nil {
		return
	}
	rest, cancel := context.WithTimeout(ctx, exitTime)
	defer cancel()
	_ = h.await(rest, ref, func(w *worker) (bool, error) { return w == nil, nil }) //nolint:errcheck // it is made to end now
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// Finish ends a process that an earlier daemon's reload has left beside the official one.
func (g *Group) Finish(m *Member, st app.Status, child proc.Child) {
	policy := g.cfg.Spec().Policy
	policy.NoAutorestart = true
	st.State, st.Goal = app.Online, app.Up
	f := g.newFace(m, retired, st, policy, child)
	g.run(f)
	g.owners.Go(func() { g.retire(g.ctx, f) })
}
