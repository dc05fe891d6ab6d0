package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"gpm/app"
	"gpm/store"
)

// plan is what a file of apps comes to.
type plan struct {
	changed []changedApp
	fresh   []wantedApp
	failed  []*app.Error // with KeepGoing: what cannot be started
}

// changedApp is an app that exists, and what it is to become.
type changedApp struct {
	app *application
	wantedApp
	count int // of instances that the file asks for; 0 = as many as there are
}

// admitted is what has been committed and is to be done.
type admitted struct {
	old, fresh, surplus []instance
	note                string // on what is new
	failed              []*app.Error
	before              map[*application]app.Spec
}

// wantedApp is a spec and what is wanted of its instances, in the order of their slots; those beyond
// the list are wanted as an app's instances are by default.
type wantedApp struct {
	spec  app.Spec
	goals []app.Goal
	place int // among what was asked for: new apps get their ids in this order
}

// apply starts the apps of a file and gives those that exist their new settings: one commit for all, and
// nothing done if one of them cannot be.
func (d *Daemon) apply(ctx context.Context, req app.ApplyRequest, out emit) error {
	if len(req.Apps) == 0 {
		return app.Errorf(app.CodeInvalid, "cannot apply: no apps given")
	}
	ad, err := d.admitAll(req)
	if err != nil {
		return err
	}
	d.applyPolicies(ctx, ad.old)
	d.upkeep.tend(ctx, slices.Concat(ad.old, ad.fresh))
	head := app.Progress{
		Total: len(ad.old) + len(ad.fresh) + len(ad.surplus), Note: ad.note,
		Existing: append(existingApps(ad.old, cmp.Or(req.Action, app.ActionRestart)), existingApps(ad.surplus, app.ActionDelete)...),
	}
	if err := out(head); err != nil {
		return err
	}
	for _, e := range ad.failed {
		if err := out(app.Progress{Total: 1, Error: e}); err != nil {
			return err
		}
	}
	remade := d.remade(ad)
	endAll(ctx, remade)
	work := map[int]func(instance) app.Progress{}
	for _, in := range ad.fresh {
		work[in.member.ID] = func(in instance) app.Progress { return started(d.bringUp(ctx, in)) }
	}
	for _, in := range ad.surplus {
		work[in.member.ID] = func(in instance) app.Progress { return in.outcome(in.member.Remove(ctx)) }
	}
	others := ad.old
	if req.Action == app.ActionReload {
		again := app.ActionRequest{Action: req.Action, Spec: &app.Spec{}} // the settings are new: a reload that fails takes them back
		isRemade := func(in instance) bool { return slices.Contains(remade, in) }
		others = slices.DeleteFunc(slices.Clone(ad.old), func(in instance) bool { return !isRemade(in) })
		err = d.reload(ctx, slices.DeleteFunc(ad.old, isRemade), again, ad.before, out)
	}
	all := slices.Concat(others, ad.fresh, ad.surplus)
	return errors.Join(err, forEach(all, max(1, len(all)), func(in instance) app.Progress { // turns bounds how many are started at once
		if do := work[in.member.ID]; do != nil {
			return do(in)
		}
		return in.outcome(d.turns.again(ctx, in))
	}, out))
}

// remade lists the instances that will share their ports in another way than they do now: who listens for itself
// and who gets gpm's sockets are in each other's way, so that all of them have to end before one of them starts.
func (d *Daemon) remade(ad admitted) (out []instance) {
	for _, in := range slices.Concat(ad.old, ad.surplus) {
		if ad.before[in.app].ExecMode != in.app.spec().ExecMode {
			out = append(out, in)
		}
	}
	return out
}

// endAll ends the processes of instances that are started again at once. What does not end is told by that start.
func endAll(ctx context.Context, targets []instance) {
	var all sync.WaitGroup
	for _, in := range targets {
		all.Go(func() {
			_, _ = in.member.Stop(ctx, byUser)
		})
	}
	all.Wait()
}

// bringUp starts an instance that is wanted up, and leaves another as it is.
func (d *Daemon) bringUp(ctx context.Context, in instance) app.Progress {
	for _, i := range in.app.record.Load().Instances {
		if i.ID == in.member.ID && i.Goal == app.Up {
			return d.first(ctx, in)
		}
	}
	return app.Progress{Status: new(d.view(in))}
}

// admitAll decides which apps exist and commits everything. Like admit it is done by one command at a time.
func (d *Daemon) admitAll(req app.ApplyRequest) (admitted, error) {
	d.admission.Lock()
	defer d.admission.Unlock()
	p, err := d.plan(req)
	if err != nil {
		return admitted{}, err
	}
	ad := admitted{failed: p.failed, before: map[*application]app.Spec{}}
	for _, c := range p.changed {
		ad.before[c.app] = c.app.spec()
	}
	if ad.old, ad.fresh, err = d.commitPlan(p); err != nil {
		return ad, err
	}
	ad.note = applyNote(ad.fresh)
	err = d.recount(p.changed, &ad)
	return ad, err
}

// recount gives apps the number of instances that the file asks for.
func (d *Daemon) recount(changed []changedApp, ad *admitted) error {
	for _, c := range changed {
		if c.count == 0 || c.count == len(wantedInstances(*c.app.record.Load())) || d.apps.byKey(c.app.record.Load().Key) != c.app {
			continue
		}
		more, less, err := d.rescale(c.app, strconv.Itoa(c.count))
		if err != nil {
			return err
		}
		ad.fresh, ad.surplus = append(ad.fresh, more...), append(ad.surplus, less...)
		if len(more) > 0 && ad.note == "" {
			ad.note = "Scaling up application"
		}
	}
	ad.old = slices.DeleteFunc(ad.old, func(in instance) bool { return slices.Contains(ad.surplus, in) })
	return nil
}

// plan matches the apps of a file with those that exist. Where several have one name the first is the
// first and so on; a single declaration is for all of its name.
func (d *Daemon) plan(req app.ApplyRequest) (plan, error) {
	var p plan
	existing, declared := d.appsByName(), map[string]int{}
	for _, a := range req.Apps {
		declared[a.Spec.Name]++
	}
	if err := d.checkOrder(specsIn(req)...); err != nil && !req.KeepGoing {
		return plan{}, err
	}
	used := map[string]int{}
	for i, a := range req.Apps {
		name := a.Spec.Name
		spec := declaredSpec(a, req.Env)
		spec, err := d.startable(spec, a.Set["instances"])
		if err != nil {
			err = placed(a.Place, err)
			if !req.KeepGoing {
				return plan{}, err
			}
			p.failed = append(p.failed, app.AsError(err))
			continue
		}
		same := existing[name]
		if declared[name] > 1 {
			same = same[min(used[name], len(same)):min(used[name]+1, len(same))]
			used[name]++
		}
		if len(same) == 0 {
			w := wantedApp{spec: spec, place: i}
			if a.Down {
				w.goals = slices.Repeat([]app.Goal{app.Down}, spec.Instances)
			}
			p.fresh = append(p.fresh, w)
		}
		for _, old := range same {
			c := changedApp{app: old, wantedApp: wantedApp{spec: changedSpec(old.spec(), spec, a.Set), place: i}}
			if a.Set["instances"] && declared[name] == 1 && len(same) == 1 {
				c.count = spec.Instances
			}
			p.changed = append(p.changed, c)
		}
	}
	return p, nil
}

// placed puts the place of a declaration before what is wrong with it.
func placed(place string, err error) error {
	if place == "" {
		return err
	}
	e := app.AsError(err)
	return app.Errorf(e.Code, "%s: %w", place, err).WithHint("%s", e.Hint)
}

func specsIn(req app.ApplyRequest) []app.Spec {
	specs := make([]app.Spec, len(req.Apps))
	for i, a := range req.Apps {
		specs[i] = a.Spec
	}
	return specs
}

func (d *Daemon) appsByName() map[string][]*application {
	out := map[string][]*application{}
	for _, a := range d.apps.all() {
		name := a.spec().Name
		out[name] = append(out[name], a)
	}
	return out
}

// declaredSpec completes a declaration.
func declaredSpec(a app.Declared, env map[string]string) app.Spec {
	spec := a.Spec.Clone()
	if a.Inherit {
		all := make(map[string]string, len(env)+len(spec.Env))
		maps.Copy(all, env)
		maps.Copy(all, spec.Env)
		spec.Env = all
	}
	if !a.Set["exec_mode"] {
		spec.ExecMode = "" // by what runs the script
	}
	if spec.Namespace == "" {
		spec.Namespace = "default"
	}
	if file := scriptFile(spec.Cwd, spec.Script); file != "" {
		spec.Script = file
	}
	return spec
}

// changedSpec is the new settings of an app that exists. The number of its instances is changed for itself, and a file
// that speaks neither of that nor of the mode leaves how they share their ports.
func changedSpec(old, spec app.Spec, set app.Fields) app.Spec {
	spec.Instances = old.Instances
	if !set["exec_mode"] && !set["instances"] {
		spec.ExecMode = old.ExecMode
	}
	return spec
}

// commitPlan writes everything to disk in one transaction and returns the instances of what exists and of
// what is new, which have yet to be started.
func (d *Daemon) commitPlan(p plan) (old, fresh []instance, err error) {
	slices.SortFunc(p.changed, func(a, b changedApp) int { // the order in which every command locks
		return cmp.Compare(a.app.record.Load().Key, b.app.record.Load().Key)
	})
	var changed, created []store.App
	var apps []*application
	for _, c := range p.changed {
		c.app.intent.Lock()
		defer c.app.intent.Unlock()
		rec := *c.app.record.Load()
		if d.apps.byKey(rec.Key) != c.app { // deleted while we waited
			p.fresh = append(p.fresh, c.wantedApp)
			continue
		}
		rec.Spec, rec.Instances = c.spec, slices.Clone(rec.Instances)
		want(&rec, app.Up, c.goals)
		apps, changed = append(apps, c.app), append(changed, rec)
	}
	slices.SortStableFunc(p.fresh, func(a, b wantedApp) int { return cmp.Compare(a.place, b.place) })
	err = d.db.Update(func(tx *store.Tx) (err error) {
		if created, err = createWanted(tx, p.fresh); err != nil {
			return err
		}
		return tx.Put(changed...)
	})
	if err != nil {
		return nil, nil, err
	}
	for i, a := range apps {
		a.record.Store(&changed[i])
		for _, m := range a.group.Members() {
			old = append(old, instance{a, m})
		}
	}
	return old, d.enrollAll(created), nil
}

func createWanted(tx *store.Tx, wanted []wantedApp) ([]store.App, error) {
	if len(wanted) == 0 {
		return nil, nil
	}
	specs := make([]app.Spec, len(wanted))
	for i, w := range wanted {
		specs[i] = w.spec
	}
	records, err := createApps(tx, specs)
	if err != nil {
		return nil, err
	}
	for i, w := range wanted {
		if w.goals != nil {
			want(&records[i], app.Up, w.goals)
		}
	}
	return records, tx.Put(records...)
}

// want sets the goals of instances: those given, and for the others one for all. Goal Gone is final.
func want(rec *store.App, goal app.Goal, goals []app.Goal) {
	for i, in := range rec.Instances {
		switch {
		case in.Goal == app.Gone:
		case in.Slot < len(goals):
			rec.Instances[i].Goal = goals[in.Slot]
		default:
			rec.Instances[i].Goal = goal
		}
	}
}

// existingApps names the apps of instances, which are in the order of their ids.
func existingApps(found []instance, action app.Action) []app.Existing {
	var out []app.Existing
	at := map[*application]int{}
	for _, in := range found {
		i, seen := at[in.app]
		if !seen {
			i = len(out)
			at[in.app], out = i, append(out, app.Existing{App: in.app.spec().Name, Action: action})
		}
		out[i].IDs = append(out[i].IDs, in.member.ID)
	}
	return out
}

// started marks what a new app's instance came to.
func started(p app.Progress) app.Progress {
	p.Started = true
	return p
}

func applyNote(fresh []instance) string {
	apps := distinct(fresh)
	if len(apps) == 0 {
		return ""
	}
	var names []string
	for _, a := range apps[:min(len(apps), 5)] {
		names = append(names, a.spec().Name)
	}
	if more := len(apps) - len(names); more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return fmt.Sprintf("Applications %s not running, starting...", strings.Join(names, ", "))
}
