package cluster

import (
	"context"
	"encoding/json"
	"maps"
	"slices"

	"gpm/app"
)

// maxShown bounds the actions, the metrics and the options of one process.
const maxShown = 1000

// maxSaid bounds what a successor of this daemon has to know: each message about actions and options.
const maxSaid = 64 << 10

// addShown takes a message that tells something about the app. One that tells nothing is forgotten.
func addShown(s *app.Shown, m Heard) {
	if m.Type != typeMetric && len(m.Data) > maxSaid {
		return
	}
	switch m.Type {
	case typeMetric:
		s.Metrics = merged(s.Metrics, m.Data)
	case TypeConfiguration:
		s.Options = merged(s.Options, m.Data)
	case typeNode:
		_ = json.Unmarshal(m.Data, &s.NodeVersion) //nolint:errcheck // classify has made it
	case typeAction:
		var a app.CustomAction
		if json.Unmarshal(m.Data, &a) != nil || a.Name == "" || len(s.Actions) >= maxShown {
			return
		}
		if _, known := s.Action(a.Name); !known {
			s.Actions = append(s.Actions, a)
		}
	}
}

// merged adds the members of an object.
func merged(all map[string]json.RawMessage, object []byte) map[string]json.RawMessage {
	var more map[string]json.RawMessage
	if json.Unmarshal(object, &more) != nil {
		return all
	}
	if all == nil {
		all = map[string]json.RawMessage{}
	}
	for name, value := range more {
		if _, known := all[name]; known || len(all) < maxShown {
			all[name] = value
		}
	}
	return all
}

// Shown returns what an instance's process has told to be shown.
func (m *Member) Shown(ctx context.Context) (s app.Shown) {
	st := m.Status()
	if h := m.group.existingHub(); h != nil {
		_ = h.do(ctx, func() { //nolint:errcheck // nothing to show then
			if w := h.workers[Ref{st.ID, st.Seq}]; w != nil {
				s = w.shown
				s.Actions, s.Metrics, s.Options = slices.Clone(s.Actions), maps.Clone(s.Metrics), maps.Clone(s.Options)
			}
		})
	}
	return s
}
