package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"gpm/app"
	"gpm/cluster"
	"gpm/master"
	"gpm/proc"
	"gpm/store"
)

// found is a child that was there before this daemon.
type found struct {
	seq     uint64
	spawned master.Spawned
	started time.Time // zero: not known
	ended   bool
}

// takeOver reconciles what runs (the master's inventory, or the survivors of a dead master) with
// what is wanted (the store), and gives every instance its owner. It never kills what it can adopt
// and never starts what is already running.
func (d *Daemon) takeOver(ctx context.Context) error {
	inv, err := d.cfg.Host.List(ctx)
	if err != nil {
		return fmt.Errorf("cannot ask the master what runs: %w", err)
	}
	records, err := d.db.Apps()
	if err != nil {
		return err
	}
	statuses, err := d.db.Statuses()
	if err != nil {
		return err
	}
	for id, st := range d.journal.restore(inv.Notes) {
		statuses[id] = st
	}
	if inv.Heir {
		delete(inv.Notes, reignNote)
	}
	d.reign = d.journal.begin(inv.Notes, d.cfg.Started)
	fresh := len(inv.Children) == 0 && (len(inv.Notes) == 0 || inv.Heir) // the master is new: nothing, or a dead one before it
	children := d.claim(ctx, inv.Children)
	if fresh {
		if children, err = d.survivors(ctx, wanted(records), statuses, inv.Heir); err != nil {
			return err
		}
	}
	var apps []*application
	for _, rec := range records {
		apps = append(apps, d.enroll(rec))
	}
	if err := d.restoreClusters(ctx, apps, inv, alive(children)); err != nil {
		return err
	}
	for _, a := range apps {
		for _, in := range a.record.Load().Instances {
			d.resume(a, in, d.remembered(a, in, statuses, fresh), children)
		}
		if err := a.group.Resume(); err != nil {
			return err
		}
	}
	return d.endStrangers(ctx, inv.Children)
}

// restoreClusters gives the apps their sockets and channels back and drops those that nobody needs any more.
func (d *Daemon) restoreClusters(ctx context.Context, apps []*application, inv master.Inventory, alive map[cluster.Ref]bool) error {
	var claimed []string
	for _, a := range apps {
		if err := a.group.Restore(inv.Notes, func(r cluster.Ref) bool { return alive[r] }); err != nil {
			return err
		}
		names, err := a.group.Holds()
		if err != nil {
			return err
		}
		claimed = append(claimed, names...)
	}
	if stale := cluster.Stale(inv.Held, claimed); len(stale) > 0 {
		return d.cfg.Host.Drop(ctx, stale...)
	}
	return nil
}

// alive is the set of processes that have not ended.
func alive(children map[int][]found) map[cluster.Ref]bool {
	out := map[cluster.Ref]bool{}
	for id, all := range children {
		for _, f := range all {
			out[cluster.Ref{ID: id, Seq: f.seq}] = !f.ended
		}
	}
	return out
}

// wanted is the set of ids that the store knows.
func wanted(records []store.App) map[int]bool {
	ids := map[int]bool{}
	for _, rec := range records {
		for _, in := range rec.Instances {
			ids[in.ID] = true
		}
	}
	return ids
}

// claim attaches to the children of each instance. There are two when a reload was under way.
func (d *Daemon) claim(ctx context.Context, children []master.Child) map[int][]found {
	out := map[int][]found{}
	for _, c := range children {
		id, seq, ok := splitKey(c.Key)
		if !ok {
			continue
		}
		spawned, err := d.cfg.Host.Attach(ctx, c.Key)
		if err != nil { // without its output it is still ours, and must not be started a second time
			d.cfg.Log.Error("Cannot read the output of a process that is taken over", "pid", c.PID, "err", err)
			spawned = master.Spawned{PID: c.PID, Start: c.Start}
		}
		out[id] = append(out[id], found{seq, spawned, c.Started, c.Exit != nil})
	}
	return out
}

// elect puts the child first that is the instance: the one that its last status names, when it is alive;
// else the newest, which was started just before the daemon died and not noted.
func elect(children []found, seq uint64) []found {
	slices.SortFunc(children, func(a, b found) int { return cmp.Compare(b.seq, a.seq) })
	i := slices.IndexFunc(children, func(f found) bool { return f.seq == seq && !f.ended })
	if i > 0 {
		children[0], children[i] = children[i], children[0]
	}
	return children
}

func closePipes(s master.Spawned) {
	for _, f := range []*os.File{s.Stdout, s.Stderr, s.Stdin} {
		if f != nil {
			f.Close()
		}
	}
}

// remembered is the last known status of an instance with what is wanted of it now. After a reboot or the
// end of a master what had been given up gets another chance.
func (d *Daemon) remembered(a *application, in store.Instance, statuses map[int]app.Status, fresh bool) app.Status {
	rec := a.record.Load()
	st, known := statuses[in.ID]
	if !known || st.App != rec.Key {
		return freshStatus(*rec, in)
	}
	if !finished(st) {
		st.Goal = in.Goal
	}
	st.Slot = in.Slot
	if fresh && st.State == app.Errored {
		st.State, st.Unstable, st.Backoff = app.Waiting, 0, 0
	}
	return st
}

// finished says that the last run of an instance ended as intended and by itself: a job that is done. It is not
// run again unless the user asks.
func finished(st app.Status) bool {
	return st.State == app.Stopped && st.Goal == app.Down && st.Exit != nil && st.Exit.By == ""
}

// resume gives an instance its owner, and the owner the child that is there.
func (d *Daemon) resume(a *application, in store.Instance, st app.Status, children map[int][]found) {
	a.about.Store(&about{st.Version, st.User})
	all := elect(children[in.ID], st.Seq)
	if len(all) == 0 {
		d.resumeWithout(a, st)
		return
	}
	f := all[0]
	if f.seq == st.Seq && !st.State.HasChild() { // its end is recorded; the daemon died before it was reaped
		closePipes(f.spawned)
		d.release(childKey(in.ID, f.seq))
		a.group.Add(st, a.spec().Policy, nil)
		return
	}
	if f.seq != st.Seq { // spawned just before the daemon died, and not noted
		st.Seq, st.State, st.Since = f.seq, app.Launching, f.started
	}
	l := &launcher{d, a, in.ID, in.Slot}
	l.limitAgain(f.seq)
	m := a.group.Add(st, a.spec().Policy, l.child(a.spec(), f.seq, f.spawned, false))
	for _, f := range all[1:] { // what a reload was replacing, or was about to put in its place
		old := st
		old.Seq, old.Since = f.seq, f.started
		l.limitAgain(f.seq)
		a.group.Finish(m, old, l.child(a.spec(), f.seq, f.spawned, false))
	}
}

// resumeWithout gives an instance that has no child its owner. What should run is started in its turn: on a machine that
// has just booted, that is everything.
func (d *Daemon) resumeWithout(a *application, st app.Status) {
	backsOff := st.State == app.Waiting && st.Deadline.After(time.Now())
	held := st.Goal == app.Up && st.State != app.Errored && !backsOff
	switch {
	case isJob(a.spec()) && st.Goal != app.Gone:
		held = false
		if st.State != app.Errored {
			st.State, st.Goal = app.Stopped, app.Down
		}
	case held:
		st.State, st.Deadline, st.Reason = app.Waiting, time.Time{}, "waits for its turn"
	}
	m := a.group.Add(st, a.spec().Policy, nil)
	if held {
		d.turns.add(instance{a, m}, byBoot, d.turns.boot)
	}
}

func (d *Daemon) release(key string) {
	ctx, cancel := context.WithTimeout(context.Background(), noteLimit)
	defer cancel()
	if err := d.cfg.Host.Release(ctx, key); err != nil {
		d.cfg.Log.Error("Cannot release a child", "key", key, "err", err)
	}
}

// endStrangers ends children that belong to no instance, or to an incarnation that was replaced.
func (d *Daemon) endStrangers(ctx context.Context, children []master.Child) error {
	var failed error
	for _, c := range children {
		id, seq, _ := splitKey(c.Key)
		if d.isKnown(cluster.Ref{ID: id, Seq: seq}) {
			continue
		}
		tree := d.trees.Tree(c.PID, c.Start, proc.Mark(d.cfg.Home, id, seq), "")
		child := proc.NewChild(proc.ChildConfig{Host: d.cfg.Host, Exits: d.exits, Key: c.Key, PID: c.PID, Start: c.Start, Tree: tree})
		failed = errors.Join(failed, proc.End(ctx, child))
	}
	return failed
}

func (d *Daemon) isKnown(ref cluster.Ref) bool {
	for _, a := range d.apps.all() {
		if a.group.Knows(ref) {
			return true
		}
	}
	return false
}

// survivors finds what a dead master left running and has the new one adopt it. What cannot be adopted is
// ended, so that nothing runs twice. Of the two processes of an instance that a reload was replacing the older one is
// of use as long as its sockets are there.
func (d *Daemon) survivors(ctx context.Context, wanted map[int]bool, statuses map[int]app.Status, sockets bool) (map[int][]found, error) {
	last, err := d.thisBoot(statuses)
	if err != nil {
		return nil, err
	}
	out := map[int][]found{}
	all := proc.Survivors(d.cfg.Home, last)
	for _, s := range leaders(all, wanted, sockets) {
		spawned, err := d.cfg.Host.Adopt(ctx, childKey(s.ID, s.Seq), s.PID, s.Start)
		if err != nil {
			d.cfg.Log.Warn("Cannot adopt a survivor; it is ended and started anew", "pid", s.PID, "err", err)
			continue
		}
		out[s.ID] = append(out[s.ID], found{seq: s.Seq, spawned: spawned})
	}
	for _, s := range all {
		if slices.ContainsFunc(out[s.ID], func(f found) bool { return f.seq == s.Seq }) {
			continue // part of an adopted tree
		}
		if err := s.End(); err != nil {
			d.cfg.Log.Error("Cannot end a survivor", "pid", s.PID, "err", err)
		}
	}
	return out, nil
}

// leaders are the children of the instances that are wanted: of each the newest, or every one.
func leaders(all []proc.Survivor, wanted map[int]bool, every bool) []proc.Survivor {
	var out []proc.Survivor
	newest := map[int]uint64{}
	for _, s := range all {
		if s.Leader && wanted[s.ID] {
			out = append(out, s)
			newest[s.ID] = max(newest[s.ID], s.Seq)
		}
	}
	return slices.DeleteFunc(out, func(s proc.Survivor) bool { return !every && s.Seq < newest[s.ID] })
}

// thisBoot returns the statuses if they are of this boot of the machine: after another one their pids
// mean nothing.
func (d *Daemon) thisBoot(statuses map[int]app.Status) (map[int]app.Status, error) {
	now, err := proc.BootID()
	if err != nil {
		return nil, err
	}
	before, err := d.db.Boot(now)
	if err != nil || before != now {
		return nil, err
	}
	return statuses, nil
}
