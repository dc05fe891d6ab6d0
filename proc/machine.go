// Package proc supervises one process.
//
// [Step] is its life as a pure function over a [Machine]; [Supervisor] is the
// one goroutine that owns a Machine, its [Child] and its single deadline. The
// real child lives under a master ([NewChild]) and is stopped with its whole
// tree ([Trees]).
package proc

import (
	"fmt"
	"strings"
	"time"

	"gpm/app"
)

// killLimit is how long a killed tree may take to vanish before the callers
// are told that it is stuck. SIGKILL works at once unless the kernel itself waits.
const killLimit = 10 * time.Second

// notReady begins the reason of a process that is online although nobody said that it is ready.
const notReady = "not ready within "

// IsLate says that a reason is that of a process which did not become ready in time.
func IsLate(reason string) bool { return strings.HasPrefix(reason, notReady) }

// Machine is the life of one process as a value. Every state waits for at most
// one instant, and entering a state sets or clears it: no timer can outlive the
// state that it was set for.
type Machine struct {
	State    app.State
	Goal     app.Goal
	Since    time.Time // start of the present child, or entry into the state without one
	Deadline time.Time // what this state waits for; zero = nothing
	Created  time.Time // first start
	Seq      uint64    // children started or tried; names the present one
	Restarts int       // starts after the first that the user did not ask for by Start
	Unstable int       // unstable runs in a row
	Backoff  int       // level of the next back-off; 0 = restart at once
	By       string    // who asked for the stop that is under way
	Reason   string    // why it is in this state, for people
	Exit     *app.Exit // how the last child ended; never changed in place
}

// Kind is what happened to a process.
type Kind uint8

// The events. The first six are commands, the others are facts; By tells of Unwell what is wrong.
const (
	Start Kind = iota
	Restart
	Stop
	Delete
	Reset
	Hold        // wanted up, but not yet: By says what it waits for
	Spawned     // the child exists
	Ready       // the child said that it is ready
	Unwell      // its health check fails
	Well        // its health check passes again
	SpawnFailed // there is no child; Exit.SpawnError says why
	Exited      // the child and the rest of its tree are gone
	Tick        // time has passed
)

var kindNames = [...]string{"start", "restart", "stop", "delete", "reset", "hold", "spawned", "ready", "unwell", "well", "spawn failed", "exited", "tick"}

// String returns the name used in reasons and in the table.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", k)
}

// Event is one input of [Step].
type Event struct {
	Kind      Kind
	By        string   // of a command: who asks
	Exit      app.Exit // of Exited and SpawnFailed; Step fills Uptime and By
	Permanent bool     // of SpawnFailed: trying again cannot help
	Awaited   bool     // of Spawned: the child itself will say when it is ready
	Rand      float64  // of SpawnFailed and Exited: in [0,1), the jitter
}

// Effect is what the owner must do after a step, before it reads anything else.
type Effect uint8

// The effects.
const (
	None      Effect = iota
	Spawn            // start a child; the outcome is the next event
	Terminate        // send the stop signal
	Kill             // SIGKILL to all
	Release          // the instance is gone: forget it
)

var effectNames = [...]string{"", "Spawn", "Terminate", "Kill", "Release"}

// String returns the name used in the table; None is empty.
func (e Effect) String() string {
	if int(e) < len(effectNames) {
		return effectNames[e]
	}
	return fmt.Sprintf("effect(%d)", e)
}

// Step says what follows from an event: the next value and at most one effect.
// It is pure; an event that means nothing in the present state changes nothing.
func Step(m Machine, ev Event, now time.Time, p app.Policy) (Machine, Effect) {
	if m.isGone() {
		return m, None
	}
	switch ev.Kind {
	case Start:
		return m.start(ev, now, p)
	case Restart:
		return m.restart(ev, now, p)
	case Stop:
		return m.stop(ev, now, p)
	case Delete:
		return m.remove(ev, now, p)
	case Reset:
		m.Restarts, m.Unstable, m.Backoff = 0, 0, 0
		return m, None
	case Hold:
		return m.hold(ev, now), None
	case Spawned:
		return m.spawned(ev, now, p), None
	case Ready:
		switch {
		case m.State == app.Launching:
			m = m.online("", now, p)
		case m.State == app.Online && IsLate(m.Reason):
			m.Reason = ""
		}
		return m, None
	case Unwell, Well:
		return m.judged(ev, now, p), None
	case SpawnFailed, Exited:
		return m.ended(ev, now, p)
	case Tick:
		return m.tick(now, p)
	}
	return m, None
}

// isGone says that the user deleted it and nothing is left: the end.
func (m Machine) isGone() bool { return m.Goal == app.Gone && !m.State.HasChild() }

// isStuck says that SIGKILL did not help within its limit.
func (m Machine) isStuck() bool { return m.State == app.Killing && m.Deadline.IsZero() }

func (m Machine) start(ev Event, now time.Time, p app.Policy) (Machine, Effect) {
	m = m.want(app.Up, ev)
	switch m.State {
	case app.Stopped, app.Errored:
		m.Unstable, m.Backoff = 0, 0
		return m.spawn(asked(ev), now, p), Spawn
	case app.Waiting:
		m.Unstable, m.Backoff = 0, 0
		return m.respawn(asked(ev), now, p), Spawn
	}
	return m, None
}

func (m Machine) restart(ev Event, now time.Time, p app.Policy) (Machine, Effect) {
	m = m.want(app.Up, ev)
	m.Unstable, m.Backoff = 0, 0
	switch m.State {
	case app.Stopped, app.Waiting, app.Errored: // as in pm2, only what runs is restarted; this is started
		return m.spawn(asked(ev), now, p), Spawn
	case app.Launching, app.Online, app.Unhealthy:
		return m.terminate(ev, now, p), Terminate
	}
	return m, None
}

func (m Machine) stop(ev Event, now time.Time, p app.Policy) (Machine, Effect) {
	m = m.want(app.Down, ev)
	switch m.State {
	case app.Launching, app.Online, app.Unhealthy:
		return m.terminate(ev, now, p), Terminate
	case app.Waiting, app.Errored:
		return m.rest(app.Stopped, asked(ev), now), None
	}
	return m, None
}

// hold waits without a deadline for a Start.
func (m Machine) hold(ev Event, now time.Time) Machine {
	m = m.want(app.Up, ev)
	switch m.State {
	case app.Stopped, app.Waiting, app.Errored:
		return m.rest(app.Waiting, ev.By, now)
	}
	return m
}

func (m Machine) remove(ev Event, now time.Time, p app.Policy) (Machine, Effect) {
	m = m.want(app.Gone, ev)
	switch m.State {
	case app.Launching, app.Online, app.Unhealthy:
		return m.terminate(ev, now, p), Terminate
	case app.Stopped, app.Waiting, app.Errored:
		return m.rest(app.Stopped, asked(ev), now), Release
	}
	return m, None
}

func (m Machine) spawned(ev Event, now time.Time, p app.Policy) Machine {
	if m.State != app.Launching {
		return m
	}
	if p.AwaitsReady() || ev.Awaited {
		m.Deadline = now.Add(p.ReadyWithin())
		return m
	}
	return m.online("", now, p)
}

// judged follows the health check. What becomes of a child that is not well is decided elsewhere.
func (m Machine) judged(ev Event, now time.Time, p app.Policy) Machine {
	switch {
	case ev.Kind == Unwell && m.State == app.Online:
		m.State, m.Deadline, m.Reason = app.Unhealthy, time.Time{}, ev.By
	case ev.Kind == Well && m.State == app.Unhealthy:
		return m.online("", now, p)
	}
	return m
}

// ended takes what is left of the child's life into account; a final exit also
// clears the goal, so that a later daemon does not run a finished job again.
func (m Machine) ended(ev Event, now time.Time, p app.Policy) (Machine, Effect) {
	if !m.State.HasChild() || ev.Kind == SpawnFailed && m.State != app.Launching {
		return m, None
	}
	exit := m.account(ev.Exit, now)
	m.Exit = &exit
	if m.Goal == app.Up && m.State != app.Stopping && m.State != app.Killing {
		return m.verdict(ev, now, p)
	}
	switch m.Goal {
	case app.Up:
		return m.respawn(m.Reason, now, p), Spawn
	case app.Gone:
		return m.rest(app.Stopped, m.Reason, now), Release
	}
	return m.rest(app.Stopped, m.Reason, now), None
}

func (m Machine) account(exit app.Exit, now time.Time) app.Exit {
	if exit.At.IsZero() {
		exit.At = now
	}
	if exit.SpawnError == "" {
		exit.Uptime = max(0, exit.At.Sub(m.Since))
	}
	exit.By = m.By
	return exit
}

func (m Machine) tick(now time.Time, p app.Policy) (Machine, Effect) {
	if m.Deadline.IsZero() || now.Before(m.Deadline) {
		return m, None
	}
	switch m.State {
	case app.Launching:
		warning := fmt.Sprintf("%s%s, taken as online", notReady, p.ReadyWithin())
		return m.online(warning, now, p), None
	case app.Online:
		m.Unstable, m.Deadline = 0, time.Time{}
	case app.Stopping:
		m.State, m.Deadline = app.Killing, now.Add(killLimit)
		return m, Kill
	case app.Killing:
		m.Deadline, m.Reason = time.Time{}, "still alive after SIGKILL"
	case app.Waiting:
		return m.respawn(m.Reason, now, p), Spawn
	}
	return m, None
}

// want sets the goal; Gone is final. While a stop is under way the command is
// also the reason for what follows it.
func (m Machine) want(g app.Goal, ev Event) Machine {
	if m.Goal == app.Gone {
		return m
	}
	m.Goal = g
	if m.State == app.Stopping || m.State == app.Killing {
		m.Reason = asked(ev)
	}
	return m
}

// online is entered with a deadline only while the run may still be unstable.
func (m Machine) online(reason string, now time.Time, p app.Policy) Machine {
	m.State, m.Reason = app.Online, reason
	m.Deadline = m.Since.Add(p.MinUptime)
	if !m.Deadline.After(now) {
		m.Unstable, m.Deadline = 0, time.Time{}
	}
	return m
}

func (m Machine) terminate(ev Event, now time.Time, p app.Policy) Machine {
	m.State, m.Deadline = app.Stopping, now.Add(p.KillTimeout)
	m.By, m.Reason = ev.By, asked(ev)
	return m
}

// respawn is a spawn that counts as a restart, unless it is the first of all.
func (m Machine) respawn(reason string, now time.Time, p app.Policy) Machine {
	if m.Seq > 0 {
		m.Restarts++
	}
	return m.spawn(reason, now, p)
}

func (m Machine) spawn(reason string, now time.Time, p app.Policy) Machine {
	if m.Created.IsZero() {
		m.Created = now
	}
	m.Seq++
	m.State, m.Since, m.Deadline = app.Launching, now, now.Add(p.ReadyWithin())
	m.By, m.Reason = "", reason
	return m
}

// rest enters a state that has no child and waits for nothing.
func (m Machine) rest(s app.State, reason string, now time.Time) Machine {
	m.State, m.Since, m.Deadline = s, now, time.Time{}
	m.By, m.Reason = "", reason
	return m
}

// asked says in a few words who gave a command.
func asked(ev Event) string {
	if ev.By == "" {
		return ev.Kind.String()
	}
	if strings.Contains(ev.By, ": ") { // a cause, which says it all: "cron: 0 4 * * *"
		return ev.By
	}
	return ev.Kind.String() + " by " + ev.By
}
