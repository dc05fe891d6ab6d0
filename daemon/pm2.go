package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"sync"

	"gpm/app"
	"gpm/ipc"
	"gpm/pm2"
	"gpm/store"
)

// backend is the daemon as pm2's clients see it; they know processes by their ids only.
type backend struct {
	d    *Daemon
	tell func(topic string, payload *pm2.Object) // on the bus
	hear func(context.Context)                   // returns when the bus hears the apps
}

var _ pm2.Backend = backend{}

// Daemon implements pm2.Backend.
func (b backend) Daemon(ctx context.Context) (app.DaemonStatus, error) {
	return b.d.getStatus(ctx, ipc.None{})
}

// List implements pm2.Backend.
func (b backend) List(ctx context.Context) ([]pm2.Process, error) {
	all := b.d.apps.instances()
	return b.d.processes(ctx, all), nil
}

// Host implements pm2.Backend.
func (b backend) Host(ctx context.Context) (app.Host, error) { return b.d.getHost(ctx, ipc.None{}) }

// NotifyKill implements pm2.Backend.
func (b backend) NotifyKill() { b.tell(pm2.TopicKill, pm2.KillEvent()) }

// Start implements pm2.Backend.
func (b backend) Start(ctx context.Context, c pm2.Config) ([]pm2.Process, error) {
	wanted := wantedOf([]pm2.Config{c})[0]
	wanted.spec.Instances = max(1, c.Spec.Instances)
	if goal := wanted.goals[0]; goal == app.Down { // so is it in a dump that a client brings back
		wanted.goals = slices.Repeat([]app.Goal{goal}, wanted.spec.Instances)
	} else {
		wanted.goals = nil // autostart decides
	}
	defaults, missing, err := pm2.Defaults(os.Getenv)
	if err != nil {
		return nil, err
	}
	for field := range c.Set {
		delete(missing, field)
	}
	wanted.spec = app.Merge(wanted.spec, defaults, missing)
	if wanted.spec, err = b.d.startable(wanted.spec, false); err != nil {
		return nil, err
	}
	b.d.admission.Lock()
	_, fresh, err := b.d.commitPlan(plan{fresh: []wantedApp{wanted}})
	b.d.admission.Unlock()
	if err != nil {
		return nil, err
	}
	b.d.upkeep.tend(ctx, fresh)
	var got outcomes
	err = forEach(fresh, max(1, len(fresh)), func(in instance) app.Progress { return b.d.bringUp(ctx, in) }, got.take)
	return b.d.processes(ctx, fresh), errors.Join(err, got.err())
}

// StartID implements pm2.Backend.
func (b backend) StartID(ctx context.Context, id int) (pm2.Process, error) {
	return b.act(ctx, id, app.ActionRequest{Action: app.ActionStart})
}

// Stop implements pm2.Backend.
func (b backend) Stop(ctx context.Context, id int) (pm2.Process, error) {
	return b.act(ctx, id, app.ActionRequest{Action: app.ActionStop})
}

// Restart implements pm2.Backend.
func (b backend) Restart(ctx context.Context, id int, c pm2.Config) (pm2.Process, error) {
	return b.act(ctx, id, changing(app.ActionRestart, c))
}

// Reload implements pm2.Backend.
func (b backend) Reload(ctx context.Context, id int, c pm2.Config) (pm2.Process, error) {
	return b.act(ctx, id, changing(app.ActionReload, c))
}

func changing(action app.Action, c pm2.Config) app.ActionRequest {
	req := app.ActionRequest{Action: action, UpdateEnv: c.Set["env"]}
	if len(c.Set) > 0 {
		req.Spec, req.Set = &c.Spec, c.Set
		delete(req.Set, "instances") // a restart changes neither
		delete(req.Set, "exec_mode")
	}
	return req
}

// Delete implements pm2.Backend.
func (b backend) Delete(ctx context.Context, id int) (pm2.Process, error) {
	return b.act(ctx, id, app.ActionRequest{Action: app.ActionDelete})
}

// Duplicate implements pm2.Backend.
func (b backend) Duplicate(ctx context.Context, id int) (pm2.Process, error) {
	found := b.d.byID([]int{id})
	if len(found) == 0 {
		return pm2.Process{}, noProcess(id)
	}
	fresh, _, err := b.d.rescale(found[0].app, "+1")
	if err != nil {
		return pm2.Process{}, err
	}
	var got outcomes
	err = forEach(fresh, max(1, len(fresh)), func(in instance) app.Progress { return b.d.bringUp(ctx, in) }, got.take)
	return b.d.processes(ctx, fresh)[0], errors.Join(err, got.err())
}

func noProcess(id int) error {
	return app.Errorf(app.CodeNotFound, "cannot find a process with id %d", id)
}

// Reset implements pm2.Backend.
func (b backend) Reset(ctx context.Context, id int) error {
	_, err := b.act(ctx, id, app.ActionRequest{Action: app.ActionReset})
	return err
}

// Watch implements pm2.Backend: what was watched before is not remembered.
func (b backend) Watch(ctx context.Context, id int, w pm2.Watch) error {
	found := b.d.byID([]int{id})
	if len(found) == 0 {
		return noProcess(id)
	}
	err := b.d.intend(found, func(rec *store.App) error {
		on := w == pm2.WatchOn || w == pm2.WatchToggle && len(rec.Spec.Watch) == 0
		switch {
		case !on:
			rec.Spec.Watch = nil
		case len(rec.Spec.Watch) == 0:
			rec.Spec.Watch = []string{"."}
		}
		return nil
	})
	b.d.upkeep.tend(ctx, found)
	return err
}

// Signal implements pm2.Backend.
func (b backend) Signal(ctx context.Context, id int, signal string) error {
	_, err := b.act(ctx, id, app.ActionRequest{Action: app.ActionSignal, Signal: signal})
	return err
}

// SendData implements pm2.Backend.
func (b backend) SendData(ctx context.Context, id int, packet json.RawMessage) error {
	found := b.d.byID([]int{id})
	if len(found) == 0 {
		return noProcess(id)
	}
	return found[0].member.Send(ctx, packet)
}

// SendLine implements pm2.Backend.
func (b backend) SendLine(ctx context.Context, id int, text string) error {
	_, err := b.d.postInput(ctx, app.InputRequest{ID: id, Text: text})
	return err
}

// Trigger implements pm2.Backend. As pm2, a process that is named by its id must know the action; of those with a
// name, the ones that know it are counted.
func (b backend) Trigger(ctx context.Context, t pm2.Trigger) (int, func(), error) {
	var takers []instance
	for _, in := range b.d.apps.instances() {
		named := in.member.ID == t.ID || t.ID < 0 && in.app.spec().Name == t.Name
		if _, knows := in.member.Shown(ctx).Action(t.Action); named && knows {
			takers = append(takers, in)
		}
	}
	if len(takers) == 0 && t.ID >= 0 {
		return 0, nil, app.Errorf(app.CodeNotFound, "cannot trigger %q: process %d has not announced this action", t.Action, t.ID)
	}
	b.hear(ctx)
	return len(takers), func() {
		for _, in := range takers {
			if err := in.member.Send(ctx, t.Message(in.member.ID)); err != nil {
				b.d.cfg.Log.Warn("Cannot trigger", "action", t.Action, "id", in.member.ID, "err", err)
			}
		}
	}, nil
}

// ReloadLogs implements pm2.Backend.
func (b backend) ReloadLogs(ctx context.Context) error {
	b.d.reopenNow(ctx)
	return nil
}

// Kill implements pm2.Backend.
func (b backend) Kill(ctx context.Context) error {
	return b.d.postKill(ctx, ipc.None{}, func(app.Progress) error { return nil })
}

// act carries out an action on one process and returns what became of it.
func (b backend) act(ctx context.Context, id int, req app.ActionRequest) (pm2.Process, error) {
	found := b.d.byID([]int{id})
	if len(found) == 0 {
		return pm2.Process{}, noProcess(id)
	}
	before := b.d.process(found[0])
	var got outcomes
	err := b.d.actOn(ctx, found, req, got.take)
	if err = errors.Join(err, got.err()); err != nil {
		return pm2.Process{}, err
	}
	if after := b.d.processes(ctx, found); len(after) == 1 && req.Action != app.ActionDelete {
		return after[0], nil
	}
	return before, nil
}

// outcomes collects the progress of an action.
type outcomes struct {
	mu   sync.Mutex // guards errs
	errs []error
}

func (o *outcomes) take(p app.Progress) error {
	if p.Error != nil {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.errs = append(o.errs, p.Error)
	}
	return nil
}

func (o *outcomes) err() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return errors.Join(slices.Clone(o.errs)...)
}

// processes are instances as pm2's clients see them, with their usage.
func (d *Daemon) processes(ctx context.Context, list []instance) []pm2.Process {
	statuses := make([]app.Status, len(list))
	for i, in := range list {
		statuses[i] = d.view(in)
	}
	d.addUsage(ctx, statuses, 0)
	out := make([]pm2.Process, len(list))
	for i, in := range list {
		out[i] = d.process(in)
		out[i].Usage = statuses[i].Usage
		out[i].Shown = in.member.Shown(ctx)
	}
	return out
}
