package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gpm/app"
	"gpm/cluster"
	"gpm/launch"
	"gpm/store"
)

// startParallel bounds how many instances are started at once.
const startParallel = 32

// start answers a start command: whole, or with an error and nothing done.
func (d *Daemon) start(ctx context.Context, req app.StartRequest, out emit) error {
	if len(req.Targets) == 0 {
		return app.Errorf(app.CodeInvalid, "cannot start: no script named").WithHint("gpm start app.js")
	}
	ids, fresh, err := d.admit(req)
	if err != nil {
		return err
	}
	again := app.ActionRequest{Action: app.ActionRestart, Spec: &req.Spec, Set: req.Set}
	old := d.byID(ids)
	if err := d.intend(old, func(rec *store.App) error { return changeRecord(rec, new(app.Up), old, again, d.cfg.Home) }); err != nil {
		return err
	}
	d.applyPolicies(ctx, old)
	d.upkeep.tend(ctx, append(old[:len(old):len(old)], fresh...))
	if err := out(app.Progress{Total: len(old) + len(fresh), Note: startNote(fresh) + whyFork(fresh, req), Existing: existingApps(old, app.ActionRestart)}); err != nil {
		return err
	}
	isNew := map[int]bool{}
	for _, in := range fresh {
		isNew[in.member.ID] = true
	}
	all := append(old, fresh...)
	return forEach(all, max(1, len(all)), func(in instance) app.Progress { // turns bounds how many are started at once
		if isNew[in.member.ID] {
			return started(d.first(ctx, in))
		}
		return in.outcome(d.turns.again(ctx, in))
	}, out)
}

// admit decides what the targets mean and commits the new apps among them. One at a time, so
// that two commands cannot both find that a script is not there yet.
func (d *Daemon) admit(req app.StartRequest) (ids []int, fresh []instance, err error) {
	d.admission.Lock()
	defer d.admission.Unlock()
	list := d.existing()
	var specs []app.Spec
	for _, target := range req.Targets {
		dec, err := decide(target, scriptFile(req.Spec.Cwd, target), req, list)
		if err != nil {
			return nil, nil, err
		}
		if len(dec.ids) > 0 {
			ids = append(ids, dec.ids...)
			continue
		}
		if dec.spec, err = d.startable(dec.spec, req.Set["instances"]); err != nil {
			return nil, nil, err
		}
		specs = append(specs, dec.spec)
		list = append(list, existing{app.Status{ID: -1, Name: dec.spec.Name, State: app.Launching}, dec.spec.Script})
	}
	if err := d.checkOrder(specs...); err != nil {
		return nil, nil, err
	}
	fresh, err = d.commit(specs)
	return ids, fresh, err
}

// startable refuses what cannot work, before anything is committed, and completes the rest. What fails only at
// the last moment becomes an instance in state errored.
func (d *Daemon) startable(spec app.Spec, counted bool) (app.Spec, error) {
	spec = asTask(spec)
	if bounds := spec.Autoscale.WithDefaults(); !spec.Autoscale.IsZero() {
		spec.Instances, counted = max(bounds.Min, min(spec.Instances, bounds.Max)), true
	}
	plan, err := d.resolver.Validate(spec, launch.Instance{Home: d.cfg.Home, HomeHash: d.hash})
	if err := errors.Join(err, checkLogs(d.cfg, spec), checkUpkeep(spec), checkReady(spec)); err != nil {
		return spec, err
	}
	mayCluster := spec.ExecMode == app.Cluster || spec.ExecMode == "" && counted
	if plan.Runtime != "" || !mayCluster || len(spec.Listen) > 0 {
		return withMode(spec, plan.Runtime, counted)
	}
	inner, why := launch.Unwrap(spec) // npm start and its like: the script itself can be a worker
	if why == nil && inner.Interpreter != spec.Interpreter {
		return d.startable(inner, counted)
	}
	spec, err = withMode(spec, "", counted)
	if err != nil && why != nil {
		err = app.Errorf(app.CodeInvalid, "cannot start %q as a cluster: %w", spec.Name, why).WithHint("name the script that listens, or give the address with --listen tcp://:3000")
	}
	return spec, err
}

// whyFork tells who asked for several instances of a package script why they share no port.
func whyFork(fresh []instance, req app.StartRequest) string {
	for _, a := range distinct(fresh) {
		spec := a.spec()
		if !req.Set["instances"] || req.Set["exec_mode"] || spec.ExecMode != app.Fork || len(spec.Listen) > 0 {
			continue
		}
		if _, why := launch.Unwrap(spec); why != nil {
			return fmt.Sprintf("; they share no port, for %s. To share one, start the script that listens, or give its address with --listen tcp://:3000", why)
		}
	}
	return ""
}

// withMode decides how the instances share their ports. As in pm2, a number of instances makes a cluster of a
// JavaScript app. Others can share only what they are given.
func withMode(spec app.Spec, runtime string, counted bool) (app.Spec, error) {
	for _, address := range spec.Listen {
		if _, err := cluster.ParseListen(address); err != nil {
			return spec, err
		}
	}
	switch {
	case spec.ExecMode == app.Cluster && runtime == "" && len(spec.Listen) == 0:
		return spec, app.Errorf(app.CodeInvalid, "cannot start %q as a cluster: its processes would not share a port, for it is not run by node itself", spec.Name).
			WithHint("name the script that listens instead of npm, tsx or the like, or give the address with --listen tcp://:3000")
	case spec.ExecMode == "" && counted && runtime != "" && len(spec.Listen) == 0:
		spec.ExecMode = app.Cluster
	case spec.ExecMode == "":
		spec.ExecMode = app.Fork
	}
	return spec, nil
}

// scriptFile returns the absolute path of a target that is a file, else "".
func scriptFile(cwd, target string) string {
	path := target
	if !filepath.IsAbs(path) {
		path = filepath.Join(cwd, target)
	}
	if info, err := os.Stat(path); err != nil || (info.IsDir() && !strings.ContainsAny(target, `/\`)) {
		return ""
	}
	return path
}

func (d *Daemon) existing() []existing {
	var out []existing
	for _, in := range d.apps.instances() {
		out = append(out, existing{in.app.complete(in.member.Status()), in.app.spec().Script})
	}
	return out
}

func (d *Daemon) byID(ids []int) []instance {
	wanted := map[int]bool{}
	for _, id := range ids {
		wanted[id] = true
	}
	var out []instance
	for _, in := range d.apps.instances() {
		if wanted[in.member.ID] {
			out = append(out, in)
		}
	}
	return out
}

func startNote(fresh []instance) string {
	if len(fresh) == 0 {
		return ""
	}
	spec := fresh[0].app.spec()
	if n := len(distinct(fresh)); n > 1 {
		return fmt.Sprintf("Starting %d apps (%d %s)", n, len(fresh), plural(len(fresh), "instance"))
	}
	return fmt.Sprintf("Starting %s in %s_mode (%d %s)", spec.Script, spec.ExecMode, len(fresh), plural(len(fresh), "instance"))
}

func plural(n int, word string) string {
	if n == 1 {
		return word
	}
	if strings.HasSuffix(word, "s") {
		return word + "es"
	}
	return word + "s"
}

// first starts a new instance, or leaves it stopped when it is not to start by itself.
func (d *Daemon) first(ctx context.Context, in instance) app.Progress {
	if spec := in.app.spec(); spec.NoAutostart || isJob(spec) {
		return app.Progress{Status: new(d.view(in))}
	}
	return in.outcome(d.turns.start(ctx, in, byUser))
}

// outcome is the line of progress of an instance that was to be started, or stopped. One that could not be
// started at all is a failure, also when it is tried again.
func (in instance) outcome(st app.Status, err error) app.Progress {
	switch {
	case err != nil || st.Goal != app.Up:
	case st.State == app.Errored:
		err = app.Errorf(app.CodeInvalid, "%s", in.failure(st))
	case st.State == app.Waiting && st.Exit != nil && st.Exit.SpawnError != "":
		err = app.Errorf(app.CodeConflict, "%s", in.failure(st)).WithHint("it is tried again and again; gpm delete %d ends that", st.ID)
	}
	return in.done(st, err)
}

// failure says why an instance was given up. A start that failed says so itself.
func (in instance) failure(st app.Status) string {
	if st.Exit != nil && st.Exit.SpawnError != "" {
		return st.Exit.SpawnError
	}
	return fmt.Sprintf("cannot start %q: %s", in.app.spec().Name, st.Reason)
}

// done is the line of progress of an instance, whatever state it is in.
func (in instance) done(st app.Status, err error) app.Progress {
	p := app.Progress{Status: new(in.app.complete(st))}
	if err != nil {
		p.Error = app.AsError(err)
	}
	return p
}

// commit writes new apps to disk in one transaction and gives them groups, in which nothing runs yet.
func (d *Daemon) commit(specs []app.Spec) ([]instance, error) {
	if len(specs) == 0 {
		return nil, nil
	}
	var records []store.App
	err := d.db.Update(func(tx *store.Tx) (err error) {
		records, err = createApps(tx, specs)
		return err
	})
	if err != nil {
		return nil, err
	}
	return d.enrollAll(records), nil
}

// enrollAll gives new apps groups, in which nothing runs yet.
func (d *Daemon) enrollAll(records []store.App) []instance {
	var out []instance
	for _, rec := range records {
		a := d.enroll(rec)
		for _, in := range rec.Instances {
			st := freshStatus(rec, in)
			st.Goal = app.Down // until its start, which follows
			out = append(out, instance{a, a.group.Add(st, rec.Spec.Policy, nil)})
		}
	}
	return out
}

func createApps(tx *store.Tx, specs []app.Spec) ([]store.App, error) {
	keys, err := tx.NextKeys(len(specs))
	if err != nil {
		return nil, err
	}
	var records []store.App
	for i, spec := range specs {
		ids, err := tx.NextIDs(spec.Instances)
		if err != nil {
			return nil, err
		}
		rec := store.App{Key: keys[i], Spec: spec, Created: time.Now()}
		goal := app.Up
		if spec.NoAutostart {
			goal = app.Down
		}
		for slot, id := range ids {
			rec.Instances = append(rec.Instances, store.Instance{ID: id, Slot: slot, Goal: goal})
		}
		records = append(records, rec)
	}
	return records, tx.Put(records...)
}

// enroll puts an app into the registry.
func (d *Daemon) enroll(rec store.App) *application {
	a := &application{}
	a.record.Store(&rec)
	a.group = d.newGroup(a)
	d.apps.add(rec.Key, a)
	return a
}

// freshStatus is the status of an instance that never ran.
func freshStatus(rec store.App, in store.Instance) app.Status {
	return app.Status{
		ID: in.ID, App: rec.Key, Name: rec.Spec.Name, Namespace: rec.Spec.Namespace, Slot: in.Slot, Mode: rec.Spec.ExecMode,
		State: app.Stopped, Goal: in.Goal, Created: rec.Created, Since: rec.Created, User: rec.Spec.User,
	}
}
