package agent

import "errors"

var (
	// ErrGone says that the app ended, or the connection was closed.
	ErrGone = errors.New("the app's agent is gone")
	// ErrRefused says that the agent could not do it; the text that follows is Node's.
	ErrRefused = errors.New("the app's agent refused")
	// ErrNoInspector says that the inspector of this process may not or cannot be opened.
	ErrNoInspector = errors.New("no inspector to ask")
)
