package daemon

import (
	"context"
	"maps"
	"strings"
	"time"

	"gpm/app"
	"gpm/ipc"
	"gpm/launch"
	"gpm/logs"
)

// view is an instance's status with what its app says now.
func (d *Daemon) view(in instance) app.Status {
	st := in.app.complete(in.member.Status())
	st.Since = began(st.Since, time.Now())
	if isJob(in.app.spec()) && !st.State.HasChild() {
		st.Deadline = d.jobs.runner.Next(upkeepID(st.App))
		if st.State == app.Stopped && !st.Deadline.IsZero() {
			st.Reason = "a job between its runs; the next is at " + st.Deadline.Format("2006-01-02 15:04:05 MST")
		}
	}
	return st
}

// clockStep is what the wall clock may differ from the time that has passed before it counts as set.
const clockStep = 2 * time.Second

// began is when something began, by the wall clock of now: that the clock was set since must not change how long it lasts.
func began(at, now time.Time) time.Time {
	passed := now.Sub(at) // by the monotonic clock, as long as this daemon has seen it begin
	if (now.Round(0).Sub(at.Round(0)) - passed).Abs() < clockStep {
		return at
	}
	return now.Round(0).Add(-passed)
}

// complete adds to a status what its owner does not know.
func (a *application) complete(st app.Status) app.Status {
	spec := a.spec()
	st.Name, st.Namespace, st.Mode = spec.Name, spec.Namespace, spec.ExecMode
	st.Watching = len(spec.Watch) > 0 && a.wantedUp()
	st.Healthy = st.State == app.Online && a.well.is(st.ID, st.Seq)
	if about := a.about.Load(); about != nil {
		st.Version, st.User = about.version, about.user
	} else {
		st.User = launch.UserOf(spec)
	}
	return st
}

// getHost measures the machine.
func (d *Daemon) getHost(ctx context.Context, _ ipc.None) (app.Host, error) {
	return d.sampler.Host(ctx), nil
}

// about is what the last start of an app found out.
type about struct{ version, user string }

// addUsage samples what the listed processes consume, and waits so long for Node processes to say what they know.
func (d *Daemon) addUsage(ctx context.Context, list []app.Status, patience time.Duration) {
	roots := map[int][]int{}
	for _, st := range list {
		if st.PID != 0 {
			roots[st.ID] = []int{st.PID}
		}
	}
	d.addEscaped(roots)
	usage := d.sampler.Sample(ctx, roots)
	for i := range list {
		if u, ok := usage[list[i].ID]; ok {
			list[i].Usage = &u
		}
	}
	figures := d.figures(ctx, patience)
	for i := range list {
		addNode(list[i].Usage, figures, list[i].ID)
	}
}

// figures are what the Node processes of all apps say about themselves, by instance id.
func (d *Daemon) figures(ctx context.Context, patience time.Duration) map[int]app.NodeUsage {
	all := map[int]app.NodeUsage{}
	end := time.Now().Add(patience)
	for _, wait := range []bool{false, true} { // first everybody is asked
		for _, a := range d.apps.all() {
			if left := time.Until(end); !wait {
				maps.Copy(all, a.group.Figures(ctx, 0))
			} else if left > 0 {
				maps.Copy(all, a.group.Figures(ctx, left))
			}
		}
	}
	return all
}

// addNode adds what Node says about itself.
func addNode(u *app.Usage, figures map[int]app.NodeUsage, id int) {
	if n, ok := figures[id]; ok && u != nil {
		u.Node = &n
	}
}

// listPatience is how long a list on a terminal waits for Node processes that nobody has asked lately.
const listPatience = 200 * time.Millisecond

// figurePatience is how long a description waits for a Node process to report.
const figurePatience = 400 * time.Millisecond

func (d *Daemon) getDetails(ctx context.Context, q ipc.DetailsQuery) ([]app.Detail, error) {
	found, err := d.apps.find(q.Selectors)
	if err != nil {
		return nil, err
	}
	out := make([]app.Detail, len(found))
	failing := d.pump.Failing()
	for i, in := range found {
		out[i] = d.detail(ctx, in, failing, q.Brief)
	}
	if q.Brief {
		d.addBriefUsage(ctx, out)
		return out, nil
	}
	for i, in := range found {
		d.addWholeUsage(ctx, &out[i], in)
	}
	return out, nil
}

// addBriefUsage adds what one look at the process table tells.
func (d *Daemon) addBriefUsage(ctx context.Context, list []app.Detail) {
	statuses := make([]app.Status, len(list))
	for i := range list {
		statuses[i] = list[i].Status
	}
	d.addUsage(ctx, statuses, listPatience)
	for i := range list {
		list[i].Usage = statuses[i].Usage
	}
}

// addWholeUsage adds all that can be found out about a process and its tree.
func (d *Daemon) addWholeUsage(ctx context.Context, det *app.Detail, in instance) {
	if det.PID == 0 {
		return
	}
	roots := map[int][]int{det.ID: {det.PID}}
	d.addEscaped(roots)
	det.Usage = new(d.sampler.Detail(ctx, roots[det.ID]...))
	addNode(det.Usage, in.app.group.Figures(ctx, figurePatience), det.ID)
}

func (d *Daemon) detail(ctx context.Context, in instance, failing map[string]logs.Trouble, brief bool) app.Detail {
	st, spec := d.view(in), in.app.spec()
	st.LogTrouble = d.logTrouble(in, failing)
	det := app.Detail{Status: st, Spec: spec, PidFile: launch.PidPath(d.cfg.Home, spec, st.ID)}
	det.OutLog, det.ErrLog = launch.LogPaths(d.cfg.Home, spec, st.ID)
	det.AllLog = launch.CombinedLogPath(d.cfg.Home, spec, st.ID)
	inst := launch.Instance{ID: st.ID, Slot: st.Slot, Seq: st.Seq, Home: d.cfg.Home, HomeHash: d.hash}
	if plan, err := d.resolver.Resolve(spec, inst); err == nil {
		det.Program, det.Argv = plan.Program, plan.Spawn.Argv
		if !brief {
			det.ProcEnv = envMap(plan.Spawn.Env)
		}
	}
	det.Shown, det.Traffic = in.member.Shown(ctx), in.member.Traffic(ctx)
	if brief {
		return det
	}
	if p, ok := d.cgroups.Pressure(childKey(st.ID, st.Seq)); ok {
		det.Pressure = &p
	}
	return det
}

func envMap(env []string) map[string]string {
	out := make(map[string]string, len(env))
	for _, kv := range env {
		k, v, _ := strings.Cut(kv, "=")
		out[k] = v
	}
	return out
}

// logSources names the log files of instances, each file once.
func (d *Daemon) logSources(found []instance, streams []app.LogStream) []logs.Source {
	var out []logs.Source
	seen := map[string]bool{}
	for _, in := range found {
		st, spec := d.view(in), in.app.spec()
		outPath, errPath := launch.LogPaths(d.cfg.Home, spec, st.ID)
		for _, f := range []struct {
			stream app.LogStream
			path   string
		}{{app.Stdout, outPath}, {app.Stderr, errPath}} {
			if f.path == "" || seen[f.path] || !wants(streams, f.stream) {
				continue
			}
			seen[f.path] = true
			out = append(out, logs.Source{ID: st.ID, Name: st.Name, Stream: f.stream, Path: f.path})
		}
	}
	return out
}

func wants(streams []app.LogStream, s app.LogStream) bool {
	if len(streams) == 0 {
		return true
	}
	for _, want := range streams {
		if want == s {
			return true
		}
	}
	return false
}

// addEscaped adds the processes of running instances that left their parents.
func (d *Daemon) addEscaped(roots map[int][]int) {
	for id, pids := range d.trees.Escaped(d.cfg.Home) {
		if _, ok := roots[id]; ok {
			roots[id] = append(roots[id], pids...)
		}
	}
}
