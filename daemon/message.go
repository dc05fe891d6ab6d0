package daemon

import (
	"context"
	"encoding/json"

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
