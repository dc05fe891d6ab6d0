package daemon

import (
	"context"
	"sync"

	"gpm/app"
	"gpm/cluster"
	"gpm/proc"
	"gpm/store"
)

// reload replaces the processes of clustered apps without a gap, and restarts others. Apps are done at the
// same time, the instances of one in order.
func (d *Daemon) reload(ctx context.Context, targets []instance, req app.ActionRequest, before map[*application]app.Spec, out emit) error {
	var all sync.WaitGroup
	results := make(chan app.Progress)
	for _, a := range distinct(targets) {
		var mine []instance
		for _, in := range targets {
			if in.app == a {
				mine = append(mine, in)
			}
		}
		all.Go(func() {
			if done := d.reloadApp(ctx, a, mine, req, results); done == 0 && req.Spec != nil {
				d.revert(a, mine, before[a])
			}
		})
	}
	go func() { // ends when all apps are done, for which the loop below waits
		all.Wait()
		close(results)
	}()
	var gone error
	for p := range results {
		if gone == nil {
			gone = out(p)
		}
	}
	return gone
}

func (d *Daemon) reloadApp(ctx context.Context, a *application, targets []instance, req app.ActionRequest, results chan<- app.Progress) (done int) {
	if !replaceable(a.spec()) {
		d.restartInOrder(ctx, targets, results)
		return len(targets)
	}
	members := make([]*cluster.Member, len(targets))
	for i, in := range targets {
		members[i] = in.member
	}
	err := a.group.Reload(members, req.Parallel, func(r cluster.Replaced) {
		if r.Err == nil {
			done++
		}
		d.writePID(a.spec(), r.Status)
		p := instance{a, r.Member}.outcome(r.Status, r.Err)
		p.Lines = r.Lines
		results <- p
	})
	if err != nil {
		results <- app.Progress{Error: app.AsError(err)}
	}
	return done
}

// restartInOrder restarts instances that cannot serve beside their successors. One that does not come up ends it: the
// others go on as they are.
func (d *Daemon) restartInOrder(ctx context.Context, targets []instance, results chan<- app.Progress) {
	failed := false
	for _, in := range targets {
		if failed {
			err := app.Errorf(app.CodeConflict, "not reloaded, because another instance failed: its old process goes on")
			results <- in.done(in.member.Status(), err)
			continue
		}
		st, err := d.restart(ctx, in)
		if err == nil && proc.IsLate(st.Reason) {
			err = app.Errorf(app.CodeTimeout, "cannot see it ready: %s", st.Reason)
		}
		p := in.outcome(st, err)
		failed = p.Error != nil
		results <- p
	}
}

func specsOf(targets []instance) map[*application]app.Spec {
	out := map[*application]app.Spec{}
	for _, a := range distinct(targets) {
		out[a] = a.spec()
	}
	return out
}

// revert takes settings back that no process has: those that serve on were started with the ones before, and
// a restart of theirs must be able to succeed.
func (d *Daemon) revert(a *application, targets []instance, spec app.Spec) {
	err := d.intend(targets, func(rec *store.App) error {
		spec.Instances = rec.Spec.Instances // their number is no setting that a version can be wrong about
		rec.Spec = spec
		return nil
	})
	if err != nil {
		d.cfg.Log.Error("Cannot take back the settings of a reload that failed", "app", spec.Name, "err", err)
	}
}

// replaceable says that two processes of an instance can serve at a time, because they share the sockets that
// gpm keeps.
func replaceable(spec app.Spec) bool { return spec.ExecMode == app.Cluster || len(spec.Listen) > 0 }
