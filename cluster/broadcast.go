package cluster

import (
	"context"
	"encoding/json"
	"errors"

	"gpm/app"
	"gpm/ipc/channel"
)

// typeBroadcast is of a message that goes to the other processes of the app: {type: 'gpm:broadcast', data: …}.
const typeBroadcast = "gpm:broadcast"

// relayed is the message as the others get it.
type relayed struct {
	Type string          `json:"type"`
	From int             `json:"from"` // the instance that said it
	Data json.RawMessage `json:"data"`
}

// broadcast gives a message to all other processes of the app. Nobody waits for one that does not read: what its queue
// has no room for is lost to it, and counted.
func (h *hub) broadcast(m Heard) {
	text, err := json.Marshal(relayed{typeBroadcast, m.Ref.ID, m.Data})
	if err != nil {
		h.log.Warn("Cannot pass a message on", "process", m.Ref, "err", err)
		return
	}
	for ref, w := range h.workers {
		if ref == m.Ref || w.ch == nil || w.duty == offDuty {
			continue
		}
		if err := w.ch.Send(text); !errors.Is(err, channel.ErrQueueFull) {
			h.sent(w, err)
		}
	}
}

// Traffic returns the counts of an instance's channel, nil without one.
func (m *Member) Traffic(ctx context.Context) (t *app.Traffic) {
	st := m.Status()
	h := m.group.existingHub()
	if h == nil {
		return nil
	}
	_ = h.do(ctx, func() { //nolint:errcheck // nothing to count then
		if w := h.workers[Ref{st.ID, st.Seq}]; w != nil && w.ch != nil {
			s := w.ch.Stats()
			t = &app.Traffic{Received: s.Received, Sent: s.Sent, Waiting: s.Queued, Overflow: s.Overflow, TooLong: s.TooLong, Garbage: s.Garbage}
		}
	})
	return t
}
