package cluster

import (
	"context"
	"errors"
	"slices"
	"time"

	"gpm/agent"
	"gpm/app"
)

// Modules returns the files that an instance's Node process has loaded, sorted.
func (m *Member) Modules(ctx context.Context) (files []string, err error) {
	err = m.inspect(ctx, func(c *agent.Conn) (err error) {
		files, err = c.Modules(ctx)
		return err
	})
	slices.Sort(files)
	return files, err
}

// HeapSnapshot is [agent.Conn.HeapSnapshot].
func (m *Member) HeapSnapshot(ctx context.Context, file string) error {
	return m.inspect(ctx, func(c *agent.Conn) error { return c.HeapSnapshot(ctx, file) })
}

// CPUProfile is [agent.Conn.CPUProfile].
func (m *Member) CPUProfile(ctx context.Context, file string, d time.Duration) error {
	return m.inspect(ctx, func(c *agent.Conn) error { return c.CPUProfile(ctx, file, d) })
}

// HeapProfile is [agent.Conn.HeapProfile].
func (m *Member) HeapProfile(ctx context.Context, file string, d time.Duration) error {
	return m.inspect(ctx, func(c *agent.Conn) error { return c.HeapProfile(ctx, file, d) })
}

// HasAgent says whether an instance's process can be inspected.
func (m *Member) HasAgent(ctx context.Context) bool {
	w, err := m.agentOf(ctx)
	return err == nil && w != nil
}

// inspect talks with the agent of an instance's process. Meanwhile its event loop may stand still, which
// is not a hang.
func (m *Member) inspect(ctx context.Context, ask func(*agent.Conn) error) error {
	st := m.Status()
	w, err := m.agentOf(ctx)
	if err != nil {
		return err
	}
	if w == nil {
		return app.Errorf(app.CodeConflict, "cannot inspect %q (%d): it has no agent", st.Name, st.ID).
			WithHint("processes of Node that run have one, unless they were started with --no-agent or as another user")
	}
	w.inspections.Add(1)
	defer w.inspections.Add(-1)
	err = ask(w.agent)
	if errors.Is(err, agent.ErrGone) || errors.Is(err, agent.ErrRefused) {
		return app.Errorf(app.CodeConflict, "cannot inspect %q (%d): %w", st.Name, st.ID, err)
	}
	return err
}

// agentOf finds an instance's process if it has an agent, nil if not.
func (m *Member) agentOf(ctx context.Context) (found *worker, err error) {
	h := m.group.existingHub()
	if h == nil {
		return nil, nil
	}
	st := m.Status()
	err = h.do(ctx, func() {
		if w := h.workers[Ref{st.ID, st.Seq}]; w != nil && w.agent != nil && w.duty != offDuty {
			found = w
		}
	})
	return found, err
}
