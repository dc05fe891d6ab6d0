package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"gpm/app"
	"gpm/cluster"
	"gpm/launch"
	"gpm/master"
	"gpm/proc"
)

// launcher starts the children of one instance.
type launcher struct {
	d    *Daemon
	app  *application
	id   int
	slot int
}

func (d *Daemon) newGroup(a *application) *cluster.Group {
	return cluster.New(context.Background(), cluster.Config{
		App: a.record.Load().Key, Spec: a.spec, Keeper: d.cfg.Host, Log: d.cfg.Log,
		Launcher:  func(id, slot int) proc.Launcher { return &launcher{d, a, id, slot} },
		Kill:      d.kill,
		Heard:     func(m cluster.Heard) { d.heard(a, m) },
		Listening: d.bus.hasListeners,
		Report:    func(st app.Status, events []app.Event) { d.report(a, st, events) },
		Permanent: launch.Permanent,
		Gone:      func(id int) { d.gone(a, id) },
	})
}

// report records a change of an instance under the name that its app has now. That a job is done is as good as
// the user's word that it is to be down, and so is on disk at once: a power cut must not run it again.
func (d *Daemon) report(a *application, st app.Status, events []app.Event) {
	st = a.complete(st)
	for i := range events {
		events[i].Name = st.Name
	}
	d.journal.Record(st, events)
	d.care.notice(a, st.ID)
	d.imports.notice(a, st)
	d.hooks.hear(a, st, events)
	if !st.State.HasChild() && len(events) > 0 {
		d.removePID(a.spec(), st.ID)
	}
	if !finished(st) {
		return
	}
	if err := d.db.Flush(); err != nil {
		d.cfg.Log.Warn("Cannot save that a process is done", "id", st.ID, "err", err)
	}
}

// kill ends a process that does not listen any more.
func (d *Daemon) kill(ref cluster.Ref) {
	ctx, cancel := context.WithTimeout(context.Background(), noteLimit)
	defer cancel()
	if err := d.cfg.Host.Signal(ctx, ref.String(), int(syscall.SIGKILL), true); err != nil {
		d.cfg.Log.Error("Cannot kill a process that hangs", "process", ref, "err", err)
	}
}

// childKey names a child in the master: the instance and its incarnation.
func childKey(id int, seq uint64) string { return fmt.Sprintf("%d.%d", id, seq) }

// splitKey is the reverse of childKey.
func splitKey(key string) (id int, seq uint64, ok bool) {
	a, b, _ := strings.Cut(key, ".")
	id, err1 := strconv.Atoi(a)
	seq, err2 := strconv.ParseUint(b, 10, 64)
	return id, seq, err1 == nil && err2 == nil
}

// Launch implements proc.Launcher. Everything is resolved afresh: what a path, a user or an
// interpreter means may have changed since the last start.
func (l *launcher) Launch(ctx context.Context, seq uint64) (proc.Child, error) {
	spec := l.app.spec()
	plan, err := l.d.resolver.Resolve(spec, launch.Instance{ID: l.id, Slot: l.slot, Seq: seq, Home: l.d.cfg.Home, HomeHash: l.d.hash})
	if err != nil {
		return nil, err
	}
	l.app.about.Store(&about{plan.Version, plan.User})
	if plan, err = plan.WithSecrets(ctx); err != nil {
		return nil, app.Errorf(app.AsError(err).Code, "cannot start %q: %w", spec.Name, err).WithHint("%s", app.AsError(err).Hint)
	}
	spawn := plan.Spawn
	spawn.Argv = l.d.withNodeOptions(spec, plan)
	spawn.Key = childKey(l.id, seq)
	spawn.Cgroup = l.d.cgroups.Make(spawn.Key)
	l.limit(spec, spawn.Key)
	spawn.Env = l.d.imports.inject(spec, plan, l.id, spawn.Env)
	spawned, awaited, err := l.spawn(ctx, cluster.Ref{ID: l.id, Seq: seq}, spawn, l.need(spec, plan))
	if err != nil {
		return nil, errors.Join(spawnError(plan.Program, spec, err), l.d.cgroups.Remove(spawn.Key))
	}
	child := l.child(spec, seq, spawned, awaited)
	l.d.writePID(spec, app.Status{ID: l.id, PID: spawned.PID})
	return child, nil
}

// limit sets what the process may use. A limit that cannot be had is told, and does not keep an app from running.
func (l *launcher) limit(spec app.Spec, key string) {
	why := ""
	if err := l.d.cgroups.Limit(key, spec.Limits, spec.Cwd); err != nil {
		why = strings.ReplaceAll(err.Error(), "\n", "; ")
	}
	if before := l.app.unlimited.Swap(&why); why == "" || before != nil && *before == why {
		return
	}
	l.d.cfg.Log.Warn("Cannot limit an app", "app", spec.Name, "why", why)
	l.d.journal.Event(app.Event{Kind: app.EventLimit, ID: l.id, Name: spec.Name, Reason: why})
}

// limitAgain sets the limits of a process that is taken over: when its master dies under an init system they cannot stay
// in force, see proc.Cgroups.Disable. Where there are none its start has told so.
func (l *launcher) limitAgain(seq uint64) {
	spec := l.app.spec()
	if err := l.d.cgroups.Limit(childKey(l.id, seq), spec.Limits, spec.Cwd); err != nil {
		l.d.cfg.Log.Warn("Cannot limit a process that is taken over", "app", spec.Name, "why", err)
	}
}

// need says what a process can make use of. The agent is left out where its file may be out of reach: Node does not
// start without it.
func (l *launcher) need(spec app.Spec, plan launch.Plan) cluster.Need {
	need := cluster.Need{Runtime: plan.Runtime, Clustered: spec.ExecMode == app.Cluster}
	if plan.Runtime == "" || !need.Clustered {
		need.Listen = spec.Listen
	}
	need.Ready, need.Well, need.From = spec.Policy.Ready, spec.Health.Probe(), readyFrom(spec, plan)
	need.Notify = need.Ready.Notify || plan.Runtime == "" && spec.Policy.WaitReady
	need.SaysReady = need.Ready.Notify || spec.Policy.WaitReady
	if plan.Runtime == "node" && !spec.NoAgent && plan.Spawn.Credential == nil {
		need.Agent = l.d.agent
	}
	return need
}

// spawn starts a process with what its group has for it.
func (l *launcher) spawn(ctx context.Context, ref cluster.Ref, s master.Spawn, need cluster.Need) (sp master.Spawned, awaited bool, err error) {
	if need.IsNothing() {
		sp, err = l.d.cfg.Host.Spawn(ctx, s)
		return sp, false, err
	}
	gear, err := l.app.group.Prepare(ctx, ref, l.slot, need)
	if err == nil {
		s.Files, s.Env = gear.Files, gear.Env(s.Env)
		if len(need.Listen) > 0 { // so that LISTEN_PID is its own
			s.Argv = append([]string{"gpm", "exec-listen", s.Path}, s.Argv...)
			s.Path = master.Self()
		}
		sp, err = l.d.cfg.Host.Spawn(ctx, s)
	}
	if err != nil {
		l.app.group.Abandon(ref)
	}
	if errors.Is(err, errors.ErrUnsupported) {
		err = app.Errorf(app.CodeInvalid, "this platform cannot hand sockets to a program: %w", err).WithHint("let it choose its own address, without listen and notify")
	}
	if err != nil {
		return sp, false, err
	}
	l.app.group.Launched(ref, sp.PID)
	return sp, gear.Awaited, nil
}

// spawnError gives a code and a hint to what execve(2) and its neighbours refused; the sentence is the master's.
func spawnError(program string, spec app.Spec, err error) error {
	if !launch.Permanent(err) {
		return app.Errorf(app.CodeInternal, "%w", err)
	}
	e := app.Errorf(app.CodeInvalid, "%w", err)
	if errors.Is(err, fs.ErrPermission) {
		return e.WithHint("chmod +x %s, or check that the user %q may reach it", program, spec.User)
	}
	return e
}

// child joins a process in the master with its output and its tree.
func (l *launcher) child(spec app.Spec, seq uint64, s master.Spawned, awaited bool) proc.Child {
	out, err := l.output(spec, seq, s)
	l.d.inputs.keep(l.id, s.Stdin)
	cfg := proc.ChildConfig{
		Host: l.d.cfg.Host, Exits: l.d.exits, Key: childKey(l.id, seq), PID: s.PID, Start: s.Start, Awaited: awaited,
		Drain: func(context.Context) app.Words {
			l.d.inputs.drop(l.id, s.Stdin)
			return drain(out, err)
		},
	}
	if spec.ShutdownWithMessage {
		ref := cluster.Ref{ID: l.id, Seq: seq}
		cfg.Ask = func(ctx context.Context) bool { return l.app.group.Tell(ctx, ref, []byte(`"shutdown"`)) == nil }
	}
	if !spec.Policy.NoTreekill {
		mark := proc.Mark(l.d.cfg.Home, l.id, seq)
		cfg.Tree = l.d.trees.Tree(s.PID, s.Start, mark, l.d.cgroups.Make(cfg.Key))
	}
	return proc.NewChild(cfg)
}

// writePID writes the pid file that other programs may look for. That it cannot be written does
// not keep the app from running.
func (d *Daemon) writePID(spec app.Spec, st app.Status) {
	path := launch.PidPath(d.cfg.Home, spec, st.ID)
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	if err == nil {
		err = os.WriteFile(path, []byte(strconv.Itoa(st.PID)), 0o600)
	}
	if err != nil {
		d.cfg.Log.Warn("Cannot write the pid file", "app", spec.Name, "err", err)
	}
}

// gone forgets an instance that was deleted, and its app with the last one.
func (d *Daemon) gone(a *application, id int) {
	out, errPath := launch.LogPaths(d.cfg.Home, a.spec(), id)
	d.forwards.forget(out, errPath)
	if err := d.drop(a, id); err != nil {
		d.cfg.Log.Error("Cannot remove a deleted process from the store", "id", id, "err", err)
	}
	d.journal.Forget(id)
	d.care.notice(a, id)
}

// removePID removes a pid file: a number that is nobody's any more misleads.
func (d *Daemon) removePID(spec app.Spec, id int) {
	if err := os.Remove(launch.PidPath(d.cfg.Home, spec, id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.cfg.Log.Warn("Cannot remove the pid file", "id", id, "err", err)
	}
}

// drop removes an instance from its app's record.
func (d *Daemon) drop(a *application, id int) error {
	a.intent.Lock()
	defer a.intent.Unlock()
	rec := *a.record.Load()
	left := rec.Instances[:0:0]
	for _, in := range rec.Instances {
		if in.ID != id {
			left = append(left, in)
		}
	}
	rec.Instances = left
	a.record.Store(&rec)
	if len(left) > 0 {
		return d.db.Put(rec)
	}
	d.apps.remove(rec.Key)
	return d.db.Delete(rec.Key)
}
