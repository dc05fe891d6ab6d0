package daemon

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"gpm/app"
)

// message sends a JSON text to processes.
func (d *Daemon) message(ctx context.Context, req app.MessageRequest, out emit) error {
	targets, err := d.apps.find(req.Selectors)
	if err != nil {
		return err
	}
	if !json.Valid(req.Data) {
		return app.Errorf(app.CodeInvalid, "cannot send %.40q: no JSON", req.Data).WithHint(`quote it for the shell: gpm send web '{"level":"debug"}'`)
	}
	if err := out(app.Progress{Total: len(targets)}); err != nil {
		return err
	}
	return forEach(targets, startParallel, func(in instance) app.Progress {
		return in.done(in.member.Status(), in.member.Send(ctx, req.Data))
	}, out)
}

// defaultReply is how long the answers to a trigger are waited for.
const defaultReply = 10 * time.Second

// trigger has processes carry out an action that they have announced, and sends their answers on.
func (d *Daemon) trigger(ctx context.Context, req app.TriggerRequest, send func(app.Message) error) error {
	found, err := d.apps.find(req.Selectors)
	if err != nil {
		return err
	}
	targets := slices.DeleteFunc(found, func(in instance) bool {
		return !slices.Contains(in.member.Shown(ctx).Actions, req.Action)
	})
	if len(targets) == 0 {
		return app.Errorf(app.CodeNotFound, "cannot trigger %q: no process has announced this action", req.Action).
			WithHint("gpm describe shows the actions of a process")
	}
	l := d.bus.subscribe()
	defer d.bus.leave(l)
	waiting := map[int]bool{}
	for _, in := range targets {
		if err := in.member.Send(ctx, triggerText(in, req)); err != nil {
			return err
		}
		waiting[in.member.ID] = true
	}
	limit := defaultReply
	if req.Timeout > 0 {
		limit = req.Timeout
	}
	return collectReplies(ctx, l, req.Action, waiting, time.After(limit), send)
}

// triggerText is pm2's message: the bare name, or with its parameter.
func triggerText(in instance, req app.TriggerRequest) []byte {
	var v any = req.Action
	if req.Param != "" {
		v = map[string]any{"msg": req.Action, "opts": req.Param, "id": in.member.ID}
	}
	text, err := json.Marshal(v)
	if err != nil {
		return []byte("null")
	}
	return text
}

func collectReplies(ctx context.Context, l *busListener, action string, waiting map[int]bool, limit <-chan time.Time, send func(app.Message) error) error {
	for len(waiting) > 0 {
		select {
		case m := <-l.messages:
			if m.Type != "axm:reply" || !waiting[m.ID] || !isReplyTo(m.Data, action) {
				continue
			}
			delete(waiting, m.ID)
			if err := send(m); err != nil {
				return err
			}
		case <-limit:
			return app.Errorf(app.CodeTimeout, "cannot see the answer to %q of %s", action, fmt.Sprintf("%d of the processes", len(waiting)))
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

func isReplyTo(data []byte, action string) bool {
	var reply struct {
		Action string `json:"action_name"`
	}
	return json.Unmarshal(data, &reply) == nil && reply.Action == action
}
