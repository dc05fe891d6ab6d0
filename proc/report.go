package proc

import (
	"fmt"
	"time"

	"gpm/app"
)

// publish makes the present value visible and reports it with what happened.
func (o *owner) publish(events []app.Event) {
	st := o.snapshot()
	o.status.Store(&st)
	if o.cfg.Report == nil {
		return
	}
	now := time.Now()
	for i := range events {
		events[i].At, events[i].ID, events[i].Name = now, st.ID, st.Name
	}
	o.cfg.Report(st, events)
}

// snapshot is the machine and the child as seen from outside.
func (o *owner) snapshot() app.Status {
	st, m := o.cfg.Status, o.m
	st.State, st.Goal, st.Since, st.Created = m.State, m.Goal, m.Since, m.Created
	st.Restarts, st.Unstable, st.Backoff, st.Seq = m.Restarts, m.Unstable, m.Backoff, m.Seq
	st.Exit, st.Reason = m.Exit, m.Reason
	st.PID, st.Start, st.Deadline = 0, 0, time.Time{}
	if o.child != nil {
		st.PID, st.Start = o.pid, o.start
	}
	if m.State == app.Waiting {
		st.Deadline = m.Deadline
	}
	return st
}

// changes adds to the bare events what only the owner knows.
func (o *owner) changes(before Machine, ev Event) []app.Event {
	events := changes(before, o.m, ev)
	for i := range events {
		switch events[i].Kind {
		case app.EventStart, app.EventOnline, app.EventStuck, app.EventUnhealthy, app.EventHealthy:
			events[i].PID = o.pid
		case app.EventExit:
			events[i].PID, events[i].Lines, events[i].Out = o.pid, o.words.Err, o.words.Out
		}
	}
	if ev.Kind == Exited && o.trouble != nil {
		events = append(events, app.Event{Kind: app.EventStuck, PID: o.pid, Reason: o.trouble.Error()})
	}
	return events
}

// changes says what a step means to people: first what happened, then where it
// led to.
func changes(before, after Machine, ev Event) []app.Event {
	var events []app.Event
	switch {
	case ev.Kind == Restart && after.Goal == app.Up:
		events = append(events, app.Event{Kind: app.EventRestart, Reason: asked(ev)})
	case ev.Kind == Spawned:
		events = append(events, app.Event{Kind: app.EventStart, Reason: before.Reason})
	case after.Exit != before.Exit:
		events = append(events, app.Event{Kind: app.EventExit, Exit: after.Exit})
	}
	if kind := arrival(before, after); kind != "" {
		events = append(events, app.Event{Kind: kind, Reason: reason(after)})
	}
	return events
}

// arrival names the state that a step led to, if that is news.
func arrival(before, after Machine) app.EventKind {
	switch {
	case after.isGone():
		return app.EventDelete
	case after.isStuck() && !before.isStuck():
		return app.EventStuck
	case after.State == before.State:
		return ""
	}
	switch after.State {
	case app.Online:
		if before.State == app.Unhealthy {
			return app.EventHealthy
		}
		return app.EventOnline
	case app.Unhealthy:
		return app.EventUnhealthy
	case app.Waiting:
		return app.EventWaiting
	case app.Errored:
		return app.EventErrored
	case app.Stopped:
		return app.EventStop
	}
	return ""
}

func reason(m Machine) string {
	if m.State != app.Waiting || m.Deadline.IsZero() {
		return m.Reason
	}
	return fmt.Sprintf("%s, in %s", m.Reason, rounded(m.Deadline.Sub(m.Since)))
}
