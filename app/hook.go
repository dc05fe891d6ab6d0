package app

import "time"

// Hook is a command or a web address that is to hear of something. Neither gets anything of the app's environment,
// arguments or output.
type Hook struct {
	On      HookEvent     `json:"on"`
	Run     []string      `json:"run,omitempty"`     // a command; a single word is a line for the shell
	URL     string        `json:"url,omitempty"`     // gets a POST with the event as JSON
	Timeout time.Duration `json:"timeout,omitempty"` // of one try; 0 = 10 s
	Retries int           `json:"retries,omitempty"` // after a try that failed
}

// HookEvent is what a hook wants to hear of.
type HookEvent string

// The events of hooks.
const (
	OnStart     HookEvent = "start"     // a process was started
	OnExit      HookEvent = "exit"      // one ended, for whatever reason
	OnErrored   HookEvent = "errored"   // given up
	OnUnhealthy HookEvent = "unhealthy" // the health check fails
	OnLimit     HookEvent = "limit"     // above a limit of memory, or killed for want of it
)

// HookEvents lists them.
func HookEvents() []HookEvent {
	return []HookEvent{OnStart, OnExit, OnErrored, OnUnhealthy, OnLimit}
}
