package daemon

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"time"

	"gpm/app"
	"gpm/cluster"
	"gpm/schedule"
)

// jobs runs apps that have a schedule at their times. A run is a start of the app's instances; how it ends is in their
// history, and so is why one was left out.
type jobs struct {
	d      *Daemon
	runner *schedule.Runner

	mu   sync.Mutex
	kept map[uint64]kept // what is in force, by app
}

// kept is a schedule as it was given.
type kept struct {
	app.Schedule
	zone string
}

func newJobs(d *Daemon) *jobs {
	j := &jobs{d: d, kept: map[uint64]kept{}}
	j.runner = schedule.New(schedule.Options{Run: j.run, Done: j.done})
	return j
}

func isJob(spec app.Spec) bool { return spec.Schedule.Cron != "" }

// asTask makes a task of what is a job: a run that ends well is not followed by the next at once.
func asTask(spec app.Spec) app.Spec {
	spec.Policy.Task = spec.Policy.Task || isJob(spec)
	return spec
}

// jobOf reads an app's schedule.
func jobOf(spec app.Spec) (job schedule.Job, err error) {
	job.Limit = spec.Schedule.Limit
	var cronErr error
	job.When, cronErr = schedule.Parse(spec.Schedule.Cron, spec.Timezone)
	return job, errors.Join(cronErr, job.Overlap.UnmarshalText([]byte(spec.Schedule.Overlap)), job.Missed.UnmarshalText([]byte(spec.Schedule.Missed)))
}

func checkJob(spec app.Spec) error {
	if !isJob(spec) {
		if spec.Schedule != (app.Schedule{}) {
			return app.Errorf(app.CodeInvalid, "cannot run %q as a job: it has settings of a schedule, and no schedule", spec.Name).WithHint("--schedule \"0 4 * * *\"")
		}
		return nil
	}
	_, err := jobOf(spec)
	if err == nil && spec.Schedule.Limit < 0 {
		err = errors.New("its limit is negative")
	}
	if err == nil && spec.ExecMode == app.Cluster {
		err = errors.New("a job cannot be a cluster")
	}
	if err != nil {
		return app.Errorf(app.CodeInvalid, "cannot run %q by a schedule: %w", spec.Name, err).WithHint("like --schedule \"0 4 * * *\" for every day at 4:00; zones are like Europe/Berlin")
	}
	return nil
}

// tend brings the schedule of an app in line with its record.
func (j *jobs) tend(a *application) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	rec := a.record.Load()
	id := upkeepID(rec.Key)
	want := kept{rec.Spec.Schedule, rec.Spec.Timezone}
	if !isJob(rec.Spec) || !a.wantedUp() || j.d.apps.byKey(rec.Key) != a {
		delete(j.kept, rec.Key)
		j.runner.Remove(id)
		return nil
	}
	if reflect.DeepEqual(j.kept[rec.Key], want) {
		return nil
	}
	job, err := jobOf(rec.Spec)
	if err != nil {
		return err
	}
	j.kept[rec.Key] = want
	return j.runner.Add(id, job, lastRun(a))
}

// lastRun is when an app was run for the last time, or was made.
func lastRun(a *application) time.Time {
	last := a.record.Load().Created
	for _, m := range a.group.Members() {
		if st := m.Status(); st.Exit != nil && st.Exit.At.After(last) {
			last = st.Exit.At.Add(-st.Exit.Uptime)
		}
	}
	return last
}

// run runs an app once and returns when it has ended, or has to.
func (j *jobs) run(ctx context.Context, id string, due time.Time) error {
	a := j.d.upkeep.byID(id)
	if a == nil {
		return nil
	}
	job, err := jobOf(a.spec())
	if err != nil {
		return err
	}
	var all sync.WaitGroup
	failed := make(chan error, len(a.group.Members()))
	for _, m := range a.group.Members() {
		if a.wants(m.ID) {
			all.Go(func() { failed <- j.runOne(ctx, a, m, job.Overlap) })
		}
	}
	all.Wait()
	close(failed)
	for one := range failed {
		err = errors.Join(err, one)
	}
	return err
}

// errBusy says that a run by hand, or of the daemon before, goes on.
var errBusy = errors.New("still running")

// runOne runs one instance. What a user has started counts like a run of ours.
func (j *jobs) runOne(ctx context.Context, a *application, m *cluster.Member, overlap schedule.Overlap) error {
	if m.Status().State.HasChild() {
		switch overlap {
		case schedule.Skip:
			return errBusy
		case schedule.Replace:
			j.stop(a, m, "schedule: the next run is due")
		}
		if !j.awaitEnd(ctx, m) {
			return context.Cause(ctx)
		}
	}
	if _, err := m.Start(ctx, "schedule: "+a.spec().Schedule.Cron); err != nil {
		return err
	}
	if j.awaitEnd(ctx, m) {
		return nil
	}
	switch why := context.Cause(ctx); {
	case errors.Is(why, context.DeadlineExceeded):
		j.stop(a, m, fmt.Sprintf("time limit: %s", a.spec().Schedule.Limit))
		return why
	case errors.Is(why, schedule.ErrReplaced):
		j.stop(a, m, "schedule: the next run is due")
	}
	return nil // the daemon is ending, or the user has stopped it: nothing of ours
}

// stop ends a run; what the user wants of the job stays as it is.
func (j *jobs) stop(a *application, m *cluster.Member, why string) {
	ctx, cancel := context.WithTimeout(context.Background(), a.spec().Policy.KillTimeout+stopGrace)
	defer cancel()
	if _, err := m.Stop(ctx, why); err != nil {
		j.d.cfg.Log.Warn("Cannot stop a run", "id", m.ID, "why", why, "err", err)
	}
}

// stopGrace is what a stop may take beyond the kill timeout.
const stopGrace = 15 * time.Second

// awaitEnd returns false when ctx ended first.
func (j *jobs) awaitEnd(ctx context.Context, m *cluster.Member) bool {
	for {
		changed := j.d.journal.Changed() // before the look, so that nothing is missed
		if !m.Status().State.HasChild() {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

// dueStamp names the zone: it is the job's, and the times around it are of the machine's.
const dueStamp = time.DateTime + " MST"

// done records what the app's history does not tell by itself.
func (j *jobs) done(o schedule.Outcome) {
	a := j.d.upkeep.byID(o.ID)
	why := o.Left
	if errors.Is(o.Err, errBusy) {
		why = errBusy.Error()
	}
	if a == nil || why == "" && !o.Late {
		return
	}
	words := fmt.Sprintf("the run of %s was left out: %s", o.Due.Format(dueStamp), why)
	if why == "" {
		words = fmt.Sprintf("this run made up for that of %s", o.Due.Format(dueStamp))
	}
	for _, m := range a.group.Members() {
		j.d.tell(a, m.ID, app.EventSchedule, words)
	}
}
