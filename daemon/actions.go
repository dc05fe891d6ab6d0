package daemon

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"gpm/app"
	"gpm/cluster"
	"gpm/proc"
	"gpm/store"
)

// byUser is the reason recorded for what a command asked for.
const byUser = "user"

// byBoot is the reason recorded for what a daemon that takes over does not find running.
const byBoot = "daemon: it was not running"

// emit sends one line of progress to whoever asked; an error means nobody listens any more.
type emit func(app.Progress) error

// verb is how an action is carried out on one instance.
type verb struct {
	goal     *app.Goal // committed before anything happens; nil leaves the intent
	parallel int       // at most so many at once
	do       func(d *Daemon, ctx context.Context, in instance, req app.ActionRequest) app.Progress
}

// asked makes a verb's work of a supervisor's method.
func asked(method func(*cluster.Member, context.Context, string) (app.Status, error)) func(*Daemon, context.Context, instance, app.ActionRequest) app.Progress {
	return func(_ *Daemon, ctx context.Context, in instance, _ app.ActionRequest) app.Progress {
		return in.outcome(method(in.member, ctx, byUser))
	}
}

func reset(_ *Daemon, ctx context.Context, in instance, _ app.ActionRequest) app.Progress {
	return in.done(in.member.Reset(ctx))
}

// verbOf is the table of actions.
func verbOf(a app.Action) (verb, bool) {
	v, ok := map[app.Action]verb{
		app.ActionStart:   {new(app.Up), 256, (*Daemon).startAgain},
		app.ActionRestart: {new(app.Up), startParallel, restartOne},
		app.ActionStop:    {new(app.Down), 256, asked((*cluster.Member).Stop)},
		app.ActionDelete:  {new(app.Gone), 256, asked((*cluster.Member).Delete)},
		app.ActionReset:   {nil, 256, reset},
		app.ActionReload:  {new(app.Up), 1, restartOne}, // of instances that cannot be replaced
		app.ActionSignal:  {nil, 256, (*Daemon).sendSignal},
	}[a]
	return v, ok
}

// act carries out a request and answers with one line of progress for each instance.
func (d *Daemon) act(ctx context.Context, req app.ActionRequest, out emit) error {
	if len(req.Selectors) == 0 {
		return app.Errorf(app.CodeInvalid, "cannot %s: no process named", req.Action).
			WithHint("name an id, a name, a namespace, /regex/ or all")
	}
	targets, err := d.apps.find(req.Selectors)
	if err != nil {
		return err
	}
	return d.actOn(ctx, targets, req, out)
}

// actOn carries out a request on instances, whatever selectors it has.
func (d *Daemon) actOn(ctx context.Context, targets []instance, req app.ActionRequest, out emit) error {
	v, ok := verbOf(req.Action)
	if !ok {
		return app.Errorf(app.CodeInvalid, "cannot do %q: no such action", req.Action)
	}
	if req.Set["depends_on"] {
		if err := d.checkOrder(changedSpecs(targets, *req.Spec)...); err != nil {
			return err
		}
	}
	before := specsOf(targets)
	if err := d.intend(targets, func(rec *store.App) error { return changeRecord(rec, v.goal, targets, req, d.cfg.Home) }); err != nil {
		return err
	}
	if req.Spec != nil {
		d.applyPolicies(ctx, targets)
	}
	d.upkeep.tend(ctx, targets)
	if err := out(app.Progress{Total: len(targets)}); err != nil {
		return err
	}
	if req.Action == app.ActionReload {
		return d.reload(ctx, targets, req, before, out)
	}
	return forEach(targets, cmp.Or(max(0, req.Parallel), v.parallel), func(in instance) app.Progress { return v.do(d, ctx, in, req) }, out)
}

func restartOne(d *Daemon, ctx context.Context, in instance, _ app.ActionRequest) app.Progress {
	return in.outcome(d.restart(ctx, in))
}

// changedSpecs are the settings of apps with new dependencies.
func changedSpecs(targets []instance, spec app.Spec) []app.Spec {
	var out []app.Spec
	for _, a := range distinct(targets) {
		changed := a.spec()
		changed.DependsOn = spec.DependsOn
		out = append(out, changed)
	}
	return out
}

// applyPolicies gives the owners of instances their app's policy, which a command may have changed. An owner
// that has ended needs none.
func (d *Daemon) applyPolicies(ctx context.Context, targets []instance) {
	for _, in := range targets {
		if err := in.member.SetPolicy(ctx, in.app.spec().Policy); err != nil {
			d.cfg.Log.Debug("Cannot set a policy", "id", in.member.ID, "err", err)
		}
	}
}

// forEach runs work on every target, at most limit at once, and emits each result as it comes. A
// listener that went away does not stop the work.
func forEach(targets []instance, limit int, work func(instance) app.Progress, out emit) error {
	results := make(chan app.Progress)
	gate := make(chan struct{}, limit)
	go func() { // ends when every target has been worked on; the loop below waits for that
		defer close(results)
		var workers sync.WaitGroup
		defer workers.Wait()
		for _, in := range targets {
			gate <- struct{}{}
			workers.Go(func() {
				results <- work(in)
				<-gate
			})
		}
	}()
	var gone error
	for p := range results {
		if gone == nil {
			gone = out(p)
		}
	}
	return gone
}

// intend changes the records of the apps that the targets belong to and returns once all are on
// disk, or changes nothing.
func (d *Daemon) intend(targets []instance, change func(*store.App) error) error {
	apps := distinct(targets)
	for _, a := range apps { // in the order of keys, so that two commands cannot wait for each other
		a.intent.Lock()
		defer a.intent.Unlock()
	}
	var changed []store.App
	for _, a := range apps {
		old := a.record.Load()
		if d.apps.byKey(old.Key) != a {
			continue // deleted while we waited
		}
		rec := store.App{Key: old.Key, Spec: old.Spec.Clone(), Created: old.Created, Instances: slices.Clone(old.Instances)}
		if err := change(&rec); err != nil {
			return err
		}
		if !sameRecord(*old, rec) {
			changed = append(changed, rec)
		}
	}
	if len(changed) == 0 {
		return nil
	}
	if err := d.db.Put(changed...); err != nil {
		return err
	}
	for _, rec := range changed {
		d.apps.byKey(rec.Key).record.Store(&rec)
	}
	return nil
}

func distinct(targets []instance) []*application {
	var out []*application
	seen := map[*application]bool{}
	for _, in := range targets {
		if !seen[in.app] {
			seen[in.app] = true
			out = append(out, in.app)
		}
	}
	slices.SortFunc(out, func(a, b *application) int { return cmp.Compare(a.record.Load().Key, b.record.Load().Key) })
	return out
}

// sendSignal sends a signal to the leader alone, as pm2 does.
func (d *Daemon) sendSignal(ctx context.Context, in instance, req app.ActionRequest) app.Progress {
	st := in.member.Status()
	sig, err := proc.ParseSignal(req.Signal)
	if err == nil && st.PID == 0 {
		err = app.Errorf(app.CodeConflict, "cannot send %s to %q: it does not run", req.Signal, st.Name)
	}
	if err == nil {
		err = d.cfg.Host.Signal(ctx, childKey(st.ID, st.Seq), int(sig), false)
	}
	return in.done(st, err)
}
