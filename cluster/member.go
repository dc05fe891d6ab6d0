package cluster

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"gpm/app"
	"gpm/proc"
)

// Member is one instance: its place in the group, and the supervisor that stands for it. A reload puts
// another one in its place.
type Member struct {
	ID    int
	Slot  int
	group *Group
	face  atomic.Pointer[face]

	mu sync.Mutex // serialises reports, so that none tells less than the one before
}

// role is what a supervisor is to the outside.
type role uint8

const (
	official role = iota // it is the instance
	hidden               // it is to become the instance
	retired              // it was the instance, and finishes what it has begun
)

// face is one supervisor of an instance.
type face struct {
	*proc.Supervisor
	member *Member
	ref    Ref  // of its latest process; guarded by Group.mu
	role   role // guarded by member.mu

	held []app.Event // of a hidden one: to be told when it takes over; guarded by member.mu
}

// as is the role, for those who do not report.
func (f *face) as() role {
	f.member.mu.Lock()
	defer f.member.mu.Unlock()
	return f.role
}

// report passes on what a supervisor says, as far as it speaks for the instance.
func (f *face) report(st app.Status, events []app.Event) {
	m := f.member
	m.group.observe(f, st)
	m.mu.Lock()
	defer m.mu.Unlock()
	switch f.role {
	case hidden:
		f.held = append(f.held, events...)
	case retired:
		if events = endings(events); len(events) > 0 {
			m.group.cfg.Report(m.Status(), events)
		}
	default:
		m.group.cfg.Report(st, events)
		m.explain(events)
	}
}

// endings picks the events of a retired process that are still worth telling.
func endings(events []app.Event) []app.Event {
	var out []app.Event
	for _, ev := range events {
		switch {
		case ev.Kind == app.EventExit && ev.Exit != nil:
			exit := *ev.Exit
			exit.By = byReload
			ev.Exit = &exit
			out = append(out, ev)
		case ev.Kind == app.EventStuck:
			out = append(out, ev)
		}
	}
	return out
}

// takeOver makes f the instance. What it replaces is retired.
func (m *Member) takeOver(f *face) (old *face) {
	m.mu.Lock()
	defer m.mu.Unlock()
	old = m.face.Load()
	old.role, f.role = retired, official
	m.face.Store(f)
	m.group.cfg.Report(f.Status(), f.held)
	f.held = nil
	return old
}

// lastWords returns the last lines of the last end of a hidden process.
func (f *face) lastWords() (lines []string, exit *app.Exit) {
	f.member.mu.Lock()
	defer f.member.mu.Unlock()
	for _, ev := range f.held {
		if ev.Kind == app.EventExit {
			lines, exit = app.Words{Err: ev.Lines, Out: ev.Out}.Last(), ev.Exit
		}
	}
	return lines, exit
}

// Status returns the latest published status.
func (m *Member) Status() app.Status { return m.face.Load().Status() }

// Start is [proc.Supervisor.Start].
func (m *Member) Start(ctx context.Context, by string) (app.Status, error) {
	return m.face.Load().Start(ctx, by)
}

// Restart is [proc.Supervisor.Restart]. It ends a reload that is under way.
func (m *Member) Restart(ctx context.Context, by string) (app.Status, error) {
	m.group.interrupt("restart by " + by)
	return m.face.Load().Restart(ctx, by)
}

// Stop is [proc.Supervisor.Stop]; the instance's sockets are closed too. It ends a reload that is under way.
func (m *Member) Stop(ctx context.Context, by string) (app.Status, error) {
	m.group.interrupt("stop by " + by)
	st, err := m.face.Load().Stop(ctx, by)
	return st, errors.Join(err, m.endOthers(ctx, by))
}

// Delete is Stop, after which the instance is gone.
func (m *Member) Delete(ctx context.Context, by string) (app.Status, error) {
	m.group.interrupt("delete by " + by)
	st, err := m.face.Load().Delete(ctx, by)
	return st, errors.Join(err, m.endOthers(ctx, by))
}

// endOthers ends the processes that an earlier daemon's reload has left beside the instance, and waits until its
// sockets are closed.
func (m *Member) endOthers(ctx context.Context, by string) error {
	var failed error
	for _, f := range m.group.others(m) {
		if _, err := f.Delete(ctx, by); !errors.Is(err, app.ErrNotFound) { // it may be ending by itself
			failed = errors.Join(failed, err)
		}
	}
	m.group.sync(ctx)
	return failed
}

// others lists the supervisors of an instance besides the official one.
func (g *Group) others(m *Member) []*face {
	g.mu.Lock()
	defer g.mu.Unlock()
	var out []*face
	for _, f := range g.faces {
		if f.member == m && m.face.Load() != f {
			out = append(out, f)
		}
	}
	return out
}

// Remove ends the instance for good: its clients go to the others first. It ends a reload that is under way.
func (m *Member) Remove(ctx context.Context) (app.Status, error) {
	m.group.interrupt("removal by " + byScale)
	f := m.face.Load()
	if st := f.Status(); st.State.HasChild() && m.group.existingHub() != nil {
		policy := m.group.cfg.Spec().Policy
		policy.NoAutorestart = true
		if err := f.SetPolicy(m.group.ctx, policy); err == nil {
			m.group.windDown(m.group.ctx, Ref{st.ID, st.Seq}, policy.KillTimeout)
		}
	}
	st, err := f.Delete(ctx, byScale)
	return st, errors.Join(err, m.endOthers(ctx, byScale))
}

// Reset is [proc.Supervisor.Reset].
func (m *Member) Reset(ctx context.Context) (app.Status, error) { return m.face.Load().Reset(ctx) }

// Hold is [proc.Supervisor.Hold].
func (m *Member) Hold(ctx context.Context, why string) (app.Status, error) {
	return m.face.Load().Hold(ctx, why)
}

// Judge is [proc.Supervisor.Judge].
func (m *Member) Judge(ctx context.Context, seq uint64, wrong error) error {
	return m.face.Load().Judge(ctx, seq, wrong)
}

// SetPolicy is [proc.Supervisor.SetPolicy].
func (m *Member) SetPolicy(ctx context.Context, p app.Policy) error {
	return m.face.Load().SetPolicy(ctx, p)
}

// sync waits until the hub has done what was reported so far, and closed the sockets that it has to.
func (g *Group) sync(ctx context.Context) {
	if h := g.existingHub(); h != nil {
		_ = h.await(ctx, Ref{}, func(*worker) (bool, error) { return len(h.emptying) == 0, nil }) //nolint:errcheck // who has waited long enough goes on
	}
}
