package daemon

import (
	"context"
	"slices"
	"strconv"

	"gpm/app"
	"gpm/launch"
	"gpm/store"
)

// scale changes how many instances the selected apps have. As in pm2, those with the lowest ids go first.
func (d *Daemon) scale(ctx context.Context, req app.ScaleRequest, out emit) error {
	found, err := d.apps.find([]string{req.Selector})
	if err != nil {
		return err
	}
	var fresh, surplus []instance
	for _, a := range distinct(found) {
		before := len(wantedInstances(*a.record.Load()))
		more, less, err := d.rescale(a, req.Change)
		if err != nil {
			return err
		}
		if len(more)+len(less) > 0 {
			d.scaled(a, byUser, before, before+len(more)-len(less), "")
		}
		fresh, surplus = append(fresh, more...), append(surplus, less...)
	}
	head := app.Progress{Total: len(fresh) + len(surplus), Existing: existingApps(surplus, app.ActionDelete)}
	if len(fresh) > 0 {
		head.Note = "Scaling up application"
	}
	if err := out(head); err != nil {
		return err
	}
	return forEach(append(fresh, surplus...), startParallel, func(in instance) app.Progress {
		return resize(ctx, in, slices.Contains(surplus, in), byUser)
	}, out)
}

// resize starts an instance that is new, or ends one that is one too many.
func resize(ctx context.Context, in instance, surplus bool, by string) app.Progress {
	if surplus {
		return in.outcome(in.member.Remove(ctx))
	}
	return started(in.outcome(in.member.Start(ctx, by)))
}

// rescale commits the new number of instances and returns those that are to be started and to be ended.
func (d *Daemon) rescale(a *application, change string) (fresh, surplus []instance, err error) {
	a.intent.Lock()
	defer a.intent.Unlock()
	rec := *a.record.Load()
	rec.Instances = slices.Clone(rec.Instances)
	here := wantedInstances(rec)
	n, err := newCount(len(here), change)
	if err != nil {
		return nil, nil, app.Errorf(app.CodeInvalid, "cannot scale %q: %w", rec.Spec.Name, err)
	}
	if rec.Spec.Instances <= 1 && rec.Spec.ExecMode != app.Cluster {
		rec.Spec.MergeLogs = true // the files stay where they are, and the new ones write there too, as with pm2
	}
	rec.Spec.Instances = n
	if err := launch.Validate(rec.Spec); err != nil {
		return nil, nil, err
	}
	for _, in := range here[:max(0, len(here)-n)] {
		surplus = append(surplus, instance{a, a.group.Member(in.ID)})
	}
	surplus = slices.DeleteFunc(surplus, func(in instance) bool { return in.member == nil })
	setGoals(&rec, app.Gone, surplus)
	var added []store.Instance
	err = d.db.Update(func(tx *store.Tx) error {
		added, err = addInstances(tx, &rec, n-len(here))
		if err != nil {
			return err
		}
		return tx.Put(rec)
	})
	if err != nil {
		return nil, nil, err
	}
	a.record.Store(&rec)
	for _, in := range added {
		st := freshStatus(rec, in)
		st.Goal = app.Down // until its start, which follows
		fresh = append(fresh, instance{a, a.group.Add(st, rec.Spec.Policy, nil)})
	}
	return fresh, surplus, nil
}

// wantedInstances lists those that nobody has deleted, by id.
func wantedInstances(rec store.App) []store.Instance {
	var out []store.Instance
	for _, in := range rec.Instances {
		if in.Goal != app.Gone {
			out = append(out, in)
		}
	}
	slices.SortFunc(out, func(a, b store.Instance) int { return a.ID - b.ID })
	return out
}

// addInstances gives a record n more instances, in the lowest free slots.
func addInstances(tx *store.Tx, rec *store.App, n int) ([]store.Instance, error) {
	if n <= 0 {
		return nil, nil
	}
	ids, err := tx.NextIDs(n)
	if err != nil {
		return nil, err
	}
	used := map[int]bool{}
	for _, in := range wantedInstances(*rec) {
		used[in.Slot] = true
	}
	var added []store.Instance
	for slot := 0; len(added) < n; slot++ {
		if !used[slot] {
			added = append(added, store.Instance{ID: ids[len(added)], Slot: slot, Goal: app.Up})
		}
	}
	rec.Instances = append(rec.Instances, added...)
	return added, nil
}

// newCount reads "4", "+2" and "-1".
func newCount(now int, change string) (int, error) {
	n, err := strconv.Atoi(change)
	switch {
	case err != nil:
		return 0, app.Errorf(app.CodeInvalid, "%q is no number of instances", change).WithHint("gpm scale <app> 4, +2 or -1")
	case change[0] == '+' || change[0] == '-':
		n += now
	}
	if n > launch.MaxInstances {
		return 0, app.Errorf(app.CodeInvalid, "%d instances are too many: there can be %d", n, launch.MaxInstances)
	}
	if n < 1 {
		return 0, app.Errorf(app.CodeInvalid, "%d instances are left of %d, and one has to stay", n, now).WithHint("gpm stop or gpm delete ends all")
	}
	return n, nil
}
