package app

import (
	"fmt"
	"time"
)

// Exit is how a child ended, or why it never started.
type Exit struct {
	Code       int           `json:"code"`                  // exit code; -1 when a signal ended it or it is not known
	Signal     string        `json:"signal,omitempty"`      // "SIGSEGV" when a signal ended it
	CoreDumped bool          `json:"core_dumped,omitempty"` //
	OOM        bool          `json:"oom,omitempty"`         // the kernel's out-of-memory killer
	SpawnError string        `json:"spawn_error,omitempty"` // it never ran: "cannot start …: why"
	Unknown    bool          `json:"unknown,omitempty"`     // it ended unseen: code and signal are not known
	At         time.Time     `json:"at"`
	Uptime     time.Duration `json:"uptime"`             // 0 for a spawn error
	PeakRSS    int64         `json:"peak_rss,omitempty"` // bytes, getrusage(2)
	CPUTime    time.Duration `json:"cpu_time,omitempty"` // user and system
	By         string        `json:"by,omitempty"`       // who asked for it: "user", "restart", "shutdown" …; "" = by itself
}

// String says it in a few words: "exit code 3", "killed by SIGKILL (out of memory)".
func (e Exit) String() string {
	switch {
	case e.SpawnError != "":
		return e.SpawnError
	case e.Unknown:
		return "ended unseen"
	case e.OOM:
		return "killed by " + e.Signal + " (out of memory)"
	case e.Signal != "" && e.CoreDumped:
		return "killed by " + e.Signal + " (core dumped)"
	case e.Signal != "":
		return "killed by " + e.Signal
	}
	return fmt.Sprintf("exit code %d", e.Code)
}
