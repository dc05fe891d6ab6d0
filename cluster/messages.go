package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strconv"
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
	typeOption = "axm:option:" // begins other settings of pm2's own agents, which mean nothing here
	typeNode   = "node_version"
)

// TypeConfiguration is of the message by which an app says how it is shown, and may rename itself.
const TypeConfiguration = "axm:option:configuration"

// hear takes a message of an app. It runs in the goroutine of its channel.
func (h *hub) hear(w *worker, text []byte) {
	if !h.listening() && !concernsUs(text) {
		return
	}
	m := classify(text)
	m.Ref = w.Ref
	switch {
	case m.Type == typeAction, m.Type == typeMetric, m.Type == TypeConfiguration, m.Type == typeNode:
		_ = h.do(h.ctx, func() { //nolint:errcheck // the daemon ends
			addShown(&w.shown, m)
			h.touchWorker(w.Ref)
		})
		if m.Type == TypeConfiguration {
			h.heard(m) // a name in it is the daemon's matter
		}
	case m.Type == typeBroadcast:
		_ = h.do(h.ctx, func() { h.broadcast(m) }) //nolint:errcheck // as above
	case strings.HasPrefix(m.Type, typeOption):
	default:
		h.heard(m)
	}
}

// concernsUs says that a message may be one for gpm itself.
func concernsUs(text []byte) bool {
	for _, word := range []string{`"axm:`, typeBroadcast, `"` + typeNode + `"`} {
		if bytes.Contains(text, []byte(word)) {
			return true
		}
	}
	return false
}

// classify tells pm2's packets from other messages: they have a type, and data that JavaScript calls true.
func classify(text []byte) Heard {
	var packet struct {
		Type string          `json:"type"`
		Data json.RawMessage `json:"data"`
		Node string          `json:"node_version"`
	}
	if len(text) > 0 && text[0] == '{' && json.Unmarshal(text, &packet) == nil {
		switch {
		case packet.Type != "" && isTruthy(packet.Data):
			return Heard{Type: packet.Type, Data: bytes.Clone(packet.Data)}
		case packet.Node != "":
			return Heard{Type: typeNode, Data: json.RawMessage(strconv.Quote(packet.Node))}
		}
	}
	return Heard{Type: typeRaw, Data: bytes.Clone(text)}
}

func isTruthy(data json.RawMessage) bool {
	switch string(data) {
	case "", "null", "false", "0", `""`:
		return false
	}
	return true
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
