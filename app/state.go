package app

import "fmt"

// State is where one process is now. The text forms are pm2's.
type State uint8

// The seven states of a process and the one that only a health check adds.
const (
	Stopped   State = iota // no child, none wanted
	Launching              // child exists, not ready yet
	Online                 // child exists and is ready
	Stopping               // asked to stop, within its kill timeout
	Killing                // kill timeout over, SIGKILL sent
	Waiting                // no child; back-off runs
	Errored                // no child; given up
	Unhealthy              // child exists, its health check fails
)

var stateNames = [...]string{"stopped", "launching", "online", "stopping", "stopping", "waiting restart", "errored", "unhealthy"}

// String returns the name users see; Stopping and Killing share one.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return fmt.Sprintf("state(%d)", s)
}

// HasChild says whether a process exists in this state.
func (s State) HasChild() bool {
	return s == Launching || s == Online || s == Stopping || s == Killing || s == Unhealthy
}

// MarshalText implements encoding.TextMarshaler.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler; "stopping" reads back as Stopping.
func (s *State) UnmarshalText(b []byte) error {
	for i, name := range stateNames {
		if name == string(b) {
			*s = State(i)
			return nil
		}
	}
	return fmt.Errorf("cannot read state %q: unknown", b)
}

// Goal is where a process should be.
type Goal uint8

// The goals. Gone is final: later commands cannot revive what the user deleted.
const (
	Down Goal = iota
	Up
	Gone
)

var goalNames = [...]string{"down", "up", "gone"}

// String returns "down", "up" or "gone".
func (g Goal) String() string {
	if int(g) < len(goalNames) {
		return goalNames[g]
	}
	return fmt.Sprintf("goal(%d)", g)
}

// MarshalText implements encoding.TextMarshaler.
func (g Goal) MarshalText() ([]byte, error) { return []byte(g.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (g *Goal) UnmarshalText(b []byte) error {
	for i, name := range goalNames {
		if name == string(b) {
			*g = Goal(i)
			return nil
		}
	}
	return fmt.Errorf("cannot read goal %q: unknown", b)
}
