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

	// How to go on as another program, see [Host.Upgrade].
	Guard  Command  // calls StandGuard; it has this process's environment
	Argv   []string // how this master was called, less --resume
	Lock   int      // a descriptor that it must have too
	Resume int      // the descriptor of a table that this one goes on with; 0 = none

	maxDelay  time.Duration // tests: bound on the back-off; 0: none
	probation time.Duration // tests: for the first daemon of another program to serve; 0: the usual
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
