package proc

import (
	"time"

	"gpm/app"
)

// Restore makes the Machine of an instance from its last known status, for a
// daemon that takes over. alive says that its child exists (it may have ended
// meanwhile, as long as nobody has reaped it); the child is the truth about
// what runs, the goal in the status about what is wanted.
func Restore(st app.Status, alive bool, now time.Time, p app.Policy) (Machine, Effect) {
	m := Machine{
		State: st.State, Goal: st.Goal, Since: st.Since, Created: st.Created,
		Seq: st.Seq, Restarts: st.Restarts, Unstable: st.Unstable, Backoff: st.Backoff,
		Reason: st.Reason, Exit: st.Exit,
	}
	if alive {
		return m.adopt(now, p)
	}
	return m.resume(st.Deadline, now)
}

// adopt takes over a child. A stop that was under way is not signalled a second
// time: many programs take a second SIGINT as an order to give up at once.
func (m Machine) adopt(now time.Time, p app.Policy) (Machine, Effect) {
	ready := m.State == app.Online || m.State == app.Unhealthy || !p.AwaitsReady()
	switch {
	case m.State == app.Stopping || m.State == app.Killing:
		m.State, m.Deadline = app.Stopping, now.Add(p.KillTimeout)
		m.By = m.Reason
		return m, None
	case m.Goal != app.Up:
		return m.terminate(Event{Kind: Stop, By: "an earlier daemon"}, now, p), Terminate
	case ready:
		return m.online("", now, p), None
	}
	m.State, m.Deadline = app.Launching, now.Add(p.ReadyWithin())
	return m, None
}

// resume goes on without a child: an app that should run starts at once, or
// when the back-off that an earlier daemon began is over.
func (m Machine) resume(deadline, now time.Time) (Machine, Effect) {
	switch {
	case m.Goal == app.Gone:
		return m.rest(app.Stopped, m.Reason, now), Release
	case m.Goal == app.Down && m.State == app.Stopped, m.Goal == app.Up && m.State == app.Errored:
		return m, None
	case m.Goal == app.Down:
		return m.rest(app.Stopped, m.Reason, now), None
	case m.State == app.Waiting: // without a deadline somebody will start it
		m.Deadline = deadline
		return m, None
	}
	m = m.rest(app.Waiting, "was not running when the daemon took over", now)
	m.Deadline = now
	return m, None
}
