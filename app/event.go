package app

import "time"

// EventKind names what happened.
type EventKind string

// The kinds of event. Those that a process's owner reports carry ID and Name.
const (
	EventStart     EventKind = "start"       // a child was started
	EventOnline    EventKind = "online"      // it is ready
	EventExit      EventKind = "exit"        // it ended; Exit says how
	EventStop      EventKind = "stop"        // the instance is stopped as wanted
	EventRestart   EventKind = "restart"     // a restart was asked for
	EventWaiting   EventKind = "waiting"     // back-off before the next start
	EventErrored   EventKind = "errored"     // given up
	EventDelete    EventKind = "delete"      // removed from the list
	EventAdopted   EventKind = "adopted"     // taken over alive by a new daemon
	EventStuck     EventKind = "stuck"       // still alive after SIGKILL
	EventLog       EventKind = "log"         // a log file cannot be written, or can again; ID is -1
	EventHung      EventKind = "hung"        // its event loop did not turn; Lines is where
	EventReload    EventKind = "reload"      // a replacement took over, or could not: Reason
	EventScale     EventKind = "scale"       // another number of instances: Reason
	EventPort      EventKind = "port"        // what it wants to listen on cannot be had: Reason says whose it is
	EventUnhealthy EventKind = "unhealthy"   // its health check fails: Reason
	EventSchedule  EventKind = "schedule"    // a run of a job was left out, or made up for: Reason
	EventLimit     EventKind = "limit"       // above a limit of the machine, or killed for want of memory: Reason
	EventHook      EventKind = "hook"        // a hook could not be carried out: Reason
	EventHealthy   EventKind = "healthy"     // it passes, for the first time or again
	EventUpgrade   EventKind = "upgrade"     // gpm itself becomes another version, or could not: Reason; ID is -1
	EventDaemonUp  EventKind = "daemon up"   // a daemon took over; ID is -1
	EventDaemonDn  EventKind = "daemon down" // it ended in good order; ID is -1
)

// Event is one entry of the event log. Seq rises by one for each entry and is
// never used twice in one home.
type Event struct {
	Seq    uint64    `json:"seq"`
	At     time.Time `json:"at"`
	Kind   EventKind `json:"kind"`
	ID     int       `json:"id"` // -1: the daemon itself
	Name   string    `json:"name,omitempty"`
	PID    int       `json:"pid,omitempty"`
	Reason string    `json:"reason,omitempty"`
	Exit   *Exit     `json:"exit,omitempty"`
	Lines  []string  `json:"lines,omitempty"` // last stderr lines of an exit
	Out    []string  `json:"out,omitempty"`   // last stdout lines of an exit
}

// Words are the last lines that a process printed.
type Words struct{ Err, Out []string }

// Last returns the lines that tell most about a failure: those on stderr, else those on stdout.
func (w Words) Last() []string {
	if len(w.Err) > 0 {
		return w.Err
	}
	return w.Out
}
