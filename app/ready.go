package app

import (
	"strings"
	"time"
)

// Ready is what makes a started process count as online, beyond that it runs. At most one of the ways is given;
// none leaves it to what the process is: a worker of a cluster is online when it says so.
type Ready struct {
	Probe                // answered with yes
	Notify bool          `json:"notify,omitempty"` // it says READY=1, sd_notify(3)
	Delay  time.Duration `json:"delay,omitempty"`  // it has lived for so long
}

// IsZero says that nothing is given.
func (r Ready) IsZero() bool { return r.Probe.IsZero() && !r.Notify && r.Delay == 0 }

// String is the readiness in a few words.
func (r Ready) String() string {
	switch {
	case r.Notify:
		return "notify"
	case r.Delay > 0:
		return r.Delay.String()
	}
	return r.Probe.String()
}

// ParseReady reads a readiness as it is typed: notify, a time, an address, a URL or its path, a command.
func ParseReady(text string) (Ready, error) {
	text = strings.TrimSpace(text)
	command, isCommand := strings.CutPrefix(text, "exec:")
	address, isAddress := strings.CutPrefix(text, "tcp:")
	delay, err := time.ParseDuration(text)
	switch {
	case text == "notify":
		return Ready{Notify: true}, nil
	case isCommand:
		return Ready{Probe: Probe{Exec: []string{strings.TrimSpace(command)}}}, nil
	case isAddress:
		return Ready{Probe: Probe{TCP: strings.TrimPrefix(address, "//")}}, nil
	case strings.HasPrefix(text, "unix://"):
		return Ready{Probe: Probe{TCP: text}}, nil
	case strings.HasPrefix(text, "/"), strings.HasPrefix(text, "http://"), strings.HasPrefix(text, "https://"):
		return Ready{Probe: Probe{HTTP: text}}, nil
	case err == nil && delay > 0:
		return Ready{Delay: delay}, nil
	}
	return Ready{}, Errorf(CodeInvalid, "cannot tell by %q when a process is ready", text).
		WithHint("give notify, a time (5s), tcp:PORT, an http URL or its path (/health), or exec:COMMAND")
}

// AwaitsReady says that a process is not online as soon as it runs.
func (p Policy) AwaitsReady() bool { return p.WaitReady || !p.Ready.IsZero() }

// ReadyWithin is how long a process has to become ready.
func (p Policy) ReadyWithin() time.Duration { return p.Ready.Delay + p.ListenTimeout }
