package app

import (
	"fmt"
	"strings"
)

// Dependency says what of another app an app waits for before it is started.
type Dependency struct {
	App       string    `json:"app"` // its name; all instances of it count
	Condition Condition `json:"condition,omitempty"`
}

// Condition is how far the other app must be.
type Condition string

// The conditions. Without one it is Started.
const (
	Started   Condition = "started"   // it is online
	Listening Condition = "listening" // one of its processes listens on a TCP port
	Healthy   Condition = "healthy"   // its health check passes
	Completed Condition = "completed" // it has ended by itself with exit code 0
)

// String is "db:healthy", as on a command line.
func (d Dependency) String() string {
	if d.Condition == "" {
		return d.App
	}
	return d.App + ":" + string(d.Condition)
}

// ParseDependency reads "db" or "db:healthy". A name may contain colons itself.
func ParseDependency(text string) (Dependency, error) {
	d := Dependency{App: text}
	if i := strings.LastIndexByte(text, ':'); i >= 0 {
		switch c := Condition(text[i+1:]); c {
		case Started, Listening, Healthy, Completed:
			d = Dependency{text[:i], c}
		}
	}
	if strings.TrimSpace(d.App) == "" {
		return d, fmt.Errorf("%q names no app", text)
	}
	return d, nil
}
