package proc

import (
	"slices"
	"testing"
	"time"

	"gpm/app"
)

func TestRestore(t *testing.T) {
	now := time.Unix(1e9, 0)
	soon := now.Add(5 * time.Second)
	p := app.DefaultPolicy()
	ready := p
	ready.WaitReady = true
	for _, c := range []struct {
		name     string
		state    app.State
		goal     app.Goal
		alive    bool
		policy   app.Policy
		want     app.State
		deadline time.Time
		effect   Effect
	}{
		{"online", app.Online, app.Up, true, p, app.Online, time.Time{}, None},
		{"unhealthy", app.Unhealthy, app.Up, true, ready, app.Online, time.Time{}, None},
		{"launching", app.Launching, app.Up, true, ready, app.Launching, now.Add(p.ListenTimeout), None},
		{"launching without readiness", app.Launching, app.Up, true, p, app.Online, time.Time{}, None},
		{"started unseen", app.Waiting, app.Up, true, p, app.Online, time.Time{}, None},
		{"stopping", app.Stopping, app.Down, true, p, app.Stopping, now.Add(p.KillTimeout), None},
		{"killing", app.Killing, app.Gone, true, p, app.Stopping, now.Add(p.KillTimeout), None},
		{"in a restart", app.Stopping, app.Up, true, p, app.Stopping, now.Add(p.KillTimeout), None},
		{"unwanted", app.Online, app.Down, true, p, app.Stopping, now.Add(p.KillTimeout), Terminate},
		{"deleted", app.Online, app.Gone, true, p, app.Stopping, now.Add(p.KillTimeout), Terminate},
		{"died online", app.Online, app.Up, false, p, app.Waiting, now, None},
		{"died in a restart", app.Stopping, app.Up, false, p, app.Waiting, now, None},
		{"waiting", app.Waiting, app.Up, false, p, app.Waiting, soon, None},
		{"new and wanted", app.Stopped, app.Up, false, p, app.Waiting, now, None},
		{"errored", app.Errored, app.Up, false, p, app.Errored, time.Time{}, None},
		{"stopped", app.Stopped, app.Down, false, p, app.Stopped, time.Time{}, None},
		{"died in a stop", app.Stopping, app.Down, false, p, app.Stopped, time.Time{}, None},
		{"died in a delete", app.Stopping, app.Gone, false, p, app.Stopped, time.Time{}, Release},
	} {
		t.Run(c.name, func(t *testing.T) {
			st := app.Status{
				State: c.state, Goal: c.goal, Since: now.Add(-time.Hour), Deadline: soon,
				Seq: 7, Restarts: 3, Unstable: 2, Backoff: 1, Exit: &app.Exit{Code: 4},
			}
			m, effect := Restore(st, c.alive, now, c.policy)
			if m.State != c.want || m.Goal != c.goal || effect != c.effect || !m.Deadline.Equal(c.deadline) {
				t.Errorf("got %s, goal %s, until %s, effect %q; want %s, %s, %s, %q",
					m.State, m.Goal, m.Deadline, effect, c.want, c.goal, c.deadline, c.effect)
			}
			if m.Seq != 7 || m.Restarts != 3 || m.Backoff != 1 || m.Exit.Code != 4 {
				t.Errorf("counters are lost: %+v", m)
			}
			if c.alive && !m.Since.Equal(st.Since) {
				t.Error("a living child got a new start time")
			}
		})
	}
}

func TestAdoption(t *testing.T) {
	bubble(t, func(t *testing.T) {
		child := newFakeChild(4)
		adopt := func(goal app.Goal) func(*Config, *rig) {
			return func(c *Config, r *rig) {
				c.Status.State, c.Status.Goal, c.Status.Seq, c.Status.Since = app.Online, goal, 4, time.Now().Add(-time.Hour)
				c.Child, r.child = child, child
			}
		}
		r := newRig(t, adopt(app.Up))
		if st := r.expect(app.Online); st.PID != child.pid || st.Seq != 4 || !slices.Equal(r.kinds(), []app.EventKind{app.EventAdopted}) {
			t.Errorf("unexpected status %+v or events %v", st, r.kinds())
		}
		r.cancel()
		<-r.over
		r = newRig(t, adopt(app.Down))
		r.expect(app.Stopped)
		if got := child.got(); !slices.Equal(got, []string{"SIGINT"}) {
			t.Errorf("got signals %v, want one SIGINT", got)
		}
	})
}

// TestDiedUnseen is a child that ended while no daemon ran.
func TestDiedUnseen(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, func(c *Config, r *rig) {
			c.Status = app.Status{State: app.Online, Goal: app.Up, Seq: 4, Since: time.Now().Add(-time.Hour)}
			r.child = newFakeChild(4)
			r.child.end(app.Exit{Code: 42})
			c.Child = r.child
		})
		if st := r.expect(app.Online); st.Seq != 5 || st.Restarts != 1 || st.Exit.Code != 42 || st.Exit.Uptime != time.Hour {
			t.Errorf("unexpected status: %+v, %+v", st, st.Exit)
		}
	})
}
