package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"gpm/app"
	"gpm/ipc"
	"gpm/launch"
	"gpm/pm2"
	"gpm/store"
)

// savedList is the name of the snapshot that save makes and resurrect reads.
const savedList = "saved"

// postSave keeps the list under its name in the database, and as dump.pm2 for those who look for it there.
func (d *Daemon) postSave(ctx context.Context, req app.SaveRequest) (app.Saved, error) {
	apps, entries := []store.App{}, []*pm2.Object{}
	if !req.Clear {
		apps, entries = d.snapshot(), d.dumpEntries()
	}
	if len(apps) == 0 && !req.Force && !req.Clear {
		return app.Saved{}, nil
	}
	files := d.files()
	if err := pm2.WriteDump(files, entries); err != nil {
		return app.Saved{}, app.Errorf(app.CodeStorage, "%w", err)
	}
	// After the file: a file that is younger than the snapshot was put there by somebody else.
	return app.Saved{Processes: len(entries), File: files.Dump}, d.db.SaveSnapshot(savedList, apps)
}

// files are pm2's files in our home.
func (d *Daemon) files() pm2.Files {
	getenv := func(string) string { return "" }
	if d.cfg.DropIn {
		getenv = os.Getenv
	}
	return pm2.Locate(d.cfg.Home, getenv)
}

// snapshot returns what the user wants, without what is being deleted.
func (d *Daemon) snapshot() []store.App {
	var out []store.App
	for _, a := range d.apps.all() {
		rec := *a.record.Load()
		rec.Instances = slices.DeleteFunc(slices.Clone(rec.Instances), func(in store.Instance) bool { return in.Goal == app.Gone })
		if len(rec.Instances) > 0 {
			out = append(out, rec)
		}
	}
	return out
}

func (d *Daemon) dumpEntries() []*pm2.Object {
	entries := []*pm2.Object{}
	for _, in := range d.apps.instances() {
		entries = append(entries, pm2.DumpEntry(d.process(in), pm2.View{Home: d.cfg.Home}))
	}
	return entries
}

// process is an instance as pm2's clients see it, without what only asking the system would tell.
func (d *Daemon) process(in instance) pm2.Process {
	st, spec := d.view(in), in.app.spec()
	p := pm2.Process{Detail: app.Detail{Status: st, Spec: spec, Program: spec.Script, PidFile: launch.PidPath(d.cfg.Home, spec, st.ID)}}
	p.OutLog, p.ErrLog = launch.LogPaths(d.cfg.Home, spec, st.ID)
	p.AllLog = launch.CombinedLogPath(d.cfg.Home, spec, st.ID)
	if plan, err := d.resolver.Resolve(spec, launch.Instance{ID: st.ID, Slot: st.Slot, Home: d.cfg.Home, HomeHash: d.hash}); err == nil {
		p.Program, p.Argv = plan.Program, plan.Spawn.Argv
	}
	p.Spec.Interpreter = p.Interpreter()
	return p
}

// postResurrect starts what was saved and is not running, by name.
func (d *Daemon) postResurrect(ctx context.Context, _ ipc.None, send func(app.Progress) error) error {
	saved, err := d.readSaved()
	if err != nil {
		return err
	}
	d.admission.Lock()
	p := d.missing(saved)
	old, fresh, err := d.commitPlan(p)
	d.admission.Unlock()
	if err != nil {
		return err
	}
	d.applyPolicies(ctx, old)
	all := append(old, fresh...)
	d.upkeep.tend(ctx, all)
	if err := send(app.Progress{Total: len(all), Note: resurrectNote(saved, all)}); err != nil {
		return err
	}
	for _, e := range p.failed {
		if err := send(app.Progress{Total: 1, Error: e}); err != nil {
			return err
		}
	}
	return forEach(all, max(1, len(all)), func(in instance) app.Progress { return d.bringUp(ctx, in) }, send)
}

func resurrectNote(saved []wantedApp, all []instance) string {
	if len(saved) > 0 && len(all) == 0 {
		return "Everything that was saved is running already"
	}
	return fmt.Sprintf("Restoring %d %s", len(all), plural(len(all), "process"))
}

// missing is the part of what was saved that does not run. What cannot be started is left out: at the
// start of a machine the others must not wait for it.
func (d *Daemon) missing(saved []wantedApp) plan {
	var p plan
	existing := d.appsByName()
	for i, w := range saved {
		w.place = i
		same := existing[w.spec.Name]
		if slices.ContainsFunc(same, running) {
			continue
		}
		spec, err := d.startable(w.spec, false)
		if err != nil {
			p.failed = append(p.failed, app.AsError(err))
			continue
		}
		w.spec = spec
		if len(same) == 0 {
			p.fresh = append(p.fresh, w)
			continue
		}
		existing[w.spec.Name] = same[1:]
		w.spec = changedSpec(same[0].spec(), w.spec, nil)
		p.changed = append(p.changed, changedApp{app: same[0], wantedApp: w})
	}
	return p
}

func running(a *application) bool {
	for _, m := range a.group.Members() {
		if st := m.Status().State; st.HasChild() || st == app.Waiting {
			return true
		}
	}
	return false
}

// readSaved returns what was saved last: the snapshot, or dump.pm2 if somebody put another there since.
func (d *Daemon) readSaved() ([]wantedApp, error) {
	snapshot, err := d.db.Snapshot(savedList)
	if err != nil && !errors.Is(err, app.ErrNotFound) {
		return nil, err
	}
	files := d.files()
	if err != nil || changedSince(files.Dump, snapshot.Saved) {
		configs, dumpErr := pm2.ReadDump(files)
		if errors.Is(dumpErr, fs.ErrNotExist) {
			return nil, app.Errorf(app.CodeNotFound, "cannot restore: nothing was saved").WithHint("gpm save keeps the list as it is")
		}
		if dumpErr != nil {
			return nil, app.Errorf(app.CodeInvalid, "%w", dumpErr)
		}
		return wantedOf(configs), nil
	}
	var out []wantedApp
	for _, rec := range snapshot.Apps {
		w := wantedApp{spec: rec.Spec}
		w.spec.Instances = len(rec.Instances)
		slices.SortFunc(rec.Instances, func(a, b store.Instance) int { return cmp.Compare(a.Slot, b.Slot) })
		for _, in := range rec.Instances {
			w.goals = append(w.goals, in.Goal)
		}
		out = append(out, w)
	}
	return out, nil
}

func changedSince(path string, t time.Time) bool {
	info, err := os.Stat(path)
	return err == nil && info.ModTime().After(t)
}

// wantedOf makes apps of the processes of a dump: those of one name and script are instances of one app.
func wantedOf(configs []pm2.Config) []wantedApp {
	var out []wantedApp
	for _, c := range configs {
		spec := app.Merge(app.Spec{Policy: app.DefaultPolicy(), Namespace: "default", ExecMode: app.Fork}, c.Spec, c.Set)
		goal := app.Up
		if c.Status == app.Stopped.String() || c.Status == app.Stopping.String() {
			goal = app.Down
		}
		at := slices.IndexFunc(out, func(w wantedApp) bool { return w.spec.Name == spec.Name && w.spec.Script == spec.Script })
		if at < 0 {
			at, out = len(out), append(out, wantedApp{spec: spec})
		}
		out[at].goals = append(out[at].goals, goal)
		out[at].spec.Instances = len(out[at].goals)
	}
	return out
}
