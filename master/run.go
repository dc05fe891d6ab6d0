package master

import (
	"log/slog"
	"time"
)

// Config of [Run].
type Config struct {
	Home       string
	Daemon     Command
	Output     string        // file that the daemon's stdout and stderr are appended to
	Trampoline []string      // as in Options
	Heartbeat  time.Duration // between pings; 0: 5 s
	Log        *slog.Logger  // nil: silent

	maxDelay time.Duration // tests: bound on the back-off; 0: none
}

// Command is how to start the daemon, in the words of execve(2).
type Command struct {
	Path string
	Argv []string
	Env  []string
	Dir  string
}

// LinkFD is the descriptor on which a daemon finds the link to its master.
const LinkFD = 3

// Exit codes by which a daemon tells its master more than that it ended.
const (
	ExitAlreadyRunning = 75 // another daemon owns this home (EX_TEMPFAIL of sysexits.h)
	ExitRefused        = 78 // it cannot work here and has said why, a corrupt database for example (EX_CONFIG)
)
