package daemon

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"gpm/app"
)

// defaultReply is how long the answers to a trigger are waited for.
const defaultReply = 10 * time.Second

// triggering is a trigger on its way: who has not answered yet.
type triggering struct {
	action  string
	uuid    string // of scoped actions, which repeat it
	waiting map[int]bool
}

// trigger has processes carry out an action that they have announced, and sends their answers on.
func (d *Daemon) trigger(ctx context.Context, req app.TriggerRequest, send func(app.Message) error) error {
	found, err := d.apps.find(req.Selectors)
	if err != nil {
		return err
	}
	now := time.Now()
	c := triggering{action: req.Action, uuid: fmt.Sprintf("%x", now.UnixNano()), waiting: map[int]bool{}}
	l := d.bus.subscribe()
	defer d.bus.leave(l)
	for _, in := range found {
		a, knows := in.member.Shown(ctx).Action(req.Action)
		if !knows {
			continue
		}
		if err := in.member.Send(ctx, c.text(in.member.ID, a, req.Param)); err != nil {
			return err
		}
		c.waiting[in.member.ID] = true
	}
	if len(c.waiting) == 0 {
		return app.Errorf(app.CodeNotFound, "cannot trigger %q: no process has announced this action", req.Action).
			WithHint("gpm describe shows the actions of a process")
	}
	limit := defaultReply
	if req.Timeout > 0 {
		limit = req.Timeout
	}
	return c.collect(ctx, l, limit, send)
}

// text is pm2's message: the bare name, or with what goes with it.
func (c triggering) text(id int, a app.CustomAction, param string) []byte {
	var v any = c.action
	if param != "" || a.Type == app.ScopedAction {
		packet := map[string]any{"msg": c.action, "opts": param, "id": id}
		if a.Type == app.ScopedAction {
			packet["uuid"], packet["action_name"] = c.uuid, c.action
		}
		v = packet
	}
	text, err := json.Marshal(v)
	if err != nil {
		return []byte("null")
	}
	return text
}

// collect passes the answers on until all have answered. Each line of a stream begins the limit anew.
func (c triggering) collect(ctx context.Context, l *busListener, limit time.Duration, send func(app.Message) error) error {
	over := time.NewTimer(limit)
	defer over.Stop()
	for len(c.waiting) > 0 {
		select {
		case m := <-l.messages:
			if !c.waiting[m.ID] || !c.isAnswer(m) {
				continue
			}
			if m.Type != app.AnswerStream {
				delete(c.waiting, m.ID)
			}
			if err := send(m); err != nil {
				return err
			}
			over.Reset(limit)
		case <-over.C:
			return app.Errorf(app.CodeTimeout, "cannot see the answer to %q of %d of the processes: there was none for %s", c.action, len(c.waiting), limit)
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

// isAnswer says that a message belongs to this call. What a scoped action says for another call has another uuid.
func (c triggering) isAnswer(m app.Message) bool {
	var answer struct {
		Action string `json:"action_name"`
		UUID   string `json:"uuid"`
	}
	if json.Unmarshal(m.Data, &answer) != nil {
		return false
	}
	switch m.Type {
	case app.AnswerReply:
		return answer.Action == c.action
	case app.AnswerStream, app.AnswerError, app.AnswerEnd:
		return answer.UUID == c.uuid
	}
	return false
}
