package agent

import "errors"

var (
	// ErrGone: the app ended, or the connection was closed.
	ErrGone = errors.New("the app's agent is gone")
	// ErrRefused: the agent could not do it; the text that follows is Node's.
	ErrRefused = errors.New("the app's agent refused")
	// ErrNoInspector: the inspector of this process may not or cannot be opened.
	ErrNoInspector = errors.New("no inspector to ask")
)
