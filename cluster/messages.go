package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"

	"gpm/app"
	"gpm/ipc/channel"
)

// Heard is a message of an app, as its bus tells it on: pm2's packets have a type and data, everything else is
// of the type process:msg.
type Heard struct {
	Ref  Ref
	Type string
	Data json.RawMessage
}

// The types of messages that are for gpm itself.
const (
	typeAction = "axm:action"
	typeMetric = "axm:monitor"
	typeRaw    = "process:msg"
	typeOption = "axm:option:" // begins settings of pm2's own agents, which mean nothing here
)

// Shown is what an app has told to be shown about it, with pm2's messages.
type Shown struct {
	Actions []string                   `json:"actions,omitempty"`
	Metrics map[string]json.RawMessage `json:"metrics,omitempty"`
}

// hear takes a message of an app. It runs in the goroutine of its channel.
func (h *hub) hear(w *worker, text []byte) {
	if !h.listening() && !bytes.Contains(text, []byte(`"axm:`)) && !bytes.Contains(text, []byte(typeBroadcast)) {
		return
	}
	m := classify(text)
	m.Ref = w.Ref
	switch {
	case m.Type == typeAction, m.Type == typeMetric:
		_ = h.do(h.ctx, func() { //nolint:errcheck // the daemon ends
			w.shown.add(m)
			h.touchWorker(w.Ref)
		})
	case m.Type == typeBroadcast:
		_ = h.do(h.ctx, func() { h.broadcast(m) }) //nolint:errcheck // as above
	case strings.HasPrefix(m.Type, typeOption):
	default:
		h.heard(m)
	}
}

// classify tells pm2's packets from other messages.
func classify(text []byte) Heard {
	var packet struct {
		Type string          `json:"type"`
		Data json.RawMessage `json:"data"`
	}
	if len(text) > 0 && text[0] == '{' && json.Unmarshal(text, &packet) == nil && packet.Type != "" && packet.Data != nil {
		return Heard{Type: packet.Type, Data: bytes.Clone(packet.Data)}
	}
	return Heard{Type: typeRaw, Data: bytes.Clone(text)}
}

// maxShown bounds the actions and the metrics of one process.
const maxShown = 1000

func (s *Shown) add(m Heard) {
	if m.Type == typeMetric {
		var metrics map[string]json.RawMessage
		if json.Unmarshal(m.Data, &metrics) != nil {
			return
		}
		if s.Metrics == nil {
			s.Metrics = map[string]json.RawMessage{}
		}
		for name, value := range metrics {
			if len(s.Metrics) < maxShown {
				s.Metrics[name] = value
			}
		}
		return
	}
	var action struct {
		Name string `json:"action_name"`
	}
	if json.Unmarshal(m.Data, &action) != nil || action.Name == "" || len(s.Actions) >= maxShown {
		return
	}
	for _, known := range s.Actions {
		if known == action.Name {
			return
		}
	}
	s.Actions = append(s.Actions, action.Name)
}

// Send gives a JSON text to an instance's process as a message.
func (m *Member) Send(ctx context.Context, text []byte) error {
	st := m.Status()
	err := m.group.Tell(ctx, Ref{st.ID, st.Seq}, text)
	if errors.Is(err, errNoChannel) {
		return app.Errorf(app.CodeConflict, "cannot send to %q (%d): it has no channel for messages", st.Name, st.ID).
			WithHint("only programs run by node, bun or deno have one")
	}
	return err
}

var errNoChannel = errors.New("no channel")

// Tell gives a JSON text to a process as a message.
func (g *Group) Tell(ctx context.Context, ref Ref, text []byte) error {
	h := g.existingHub()
	if h == nil {
		return errNoChannel
	}
	result := make(chan error, 1)
	err := h.do(ctx, func() {
		if w := h.workers[ref]; w != nil && w.ch != nil && w.duty != offDuty {
			result <- sendError(w.ch.Send(text))
			return
		}
		result <- errNoChannel
	})
	if err != nil {
		return err
	}
	return <-result
}

func sendError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, channel.ErrInvalid), errors.Is(err, channel.ErrReserved):
		return app.Errorf(app.CodeInvalid, "%w", err)
	}
	return app.Errorf(app.CodeConflict, "%w", err)
}

// Shown returns what an instance's process has told to be shown.
func (m *Member) Shown(ctx context.Context) (s Shown) {
	st := m.Status()
	if h := m.group.existingHub(); h != nil {
		_ = h.do(ctx, func() { //nolint:errcheck // nothing to show then
			if w := h.workers[Ref{st.ID, st.Seq}]; w != nil {
				s = w.shown.clone()
			}
		})
	}
	return s
}

func (s Shown) clone() Shown {
	out := Shown{Actions: append([]string(nil), s.Actions...)}
	if s.Metrics != nil {
		out.Metrics = make(map[string]json.RawMessage, len(s.Metrics))
		for name, value := range s.Metrics {
			out.Metrics[name] = value
		}
	}
	return out
}
