package app

import "encoding/json"

// Shown is what an app has told to be shown about it, with pm2's messages.
type Shown struct {
	Actions     []CustomAction             `json:"actions,omitempty"`      // that it has announced, for trigger
	Metrics     map[string]json.RawMessage `json:"metrics,omitempty"`      // that it reports, as it does
	Options     map[string]json.RawMessage `json:"options,omitempty"`      // settings of its instrumentation, as it says them
	NodeVersion string                     `json:"node_version,omitempty"` // of an app that says it
}

// CustomAction is something that an app does when it is asked to. The keys are pm2's.
type CustomAction struct {
	Name  string         `json:"action_name"`
	Type  string         `json:"action_type"` // ScopedAction, or another
	Arity int            `json:"arity"`
	Opts  map[string]any `json:"opts,omitempty"`
}

// ScopedAction is the type of actions that answer by a stream with an end; others answer once.
const ScopedAction = "scoped"

// The types of the messages by which an app answers: once, or as a scoped action that goes on until its end or an error.
const (
	AnswerReply  = "axm:reply"
	AnswerStream = "axm:scoped_action:stream"
	AnswerError  = "axm:scoped_action:error"
	AnswerEnd    = "axm:scoped_action:end"
)

// Action returns the action of a name.
func (s Shown) Action(name string) (a CustomAction, ok bool) {
	for _, a := range s.Actions {
		if a.Name == name {
			return a, true
		}
	}
	return CustomAction{}, false
}
