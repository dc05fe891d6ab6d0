package daemon

import (
	"context"
	"errors"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"

	"gpm/app"
	"gpm/schedule"
	"gpm/watch"
)

// upkeep restarts apps that should be up without being asked: when a file changed, at a time of day, above a
// limit of memory.
type upkeep struct {
	d       *Daemon
	watcher *watch.Watcher
	cron    *schedule.Runner
	changes chan watch.Change // the watcher must not wait for a restart
	limits  chan struct{}     // a limit may have come or gone

	mu   sync.Mutex // held while the rules of an app are brought up to date
	kept map[uint64]rules
}

// rules are what is in force for one app.
type rules struct {
	watch    watch.Rule
	schedule string // with its time zone
	rotate   string
}

func newUpkeep(d *Daemon) *upkeep {
	u := &upkeep{
		d: d, watcher: watch.New(watch.Options{Log: d.cfg.Log}), changes: make(chan watch.Change, 64),
		limits: make(chan struct{}, 1), kept: map[uint64]rules{},
	}
	u.cron = schedule.New(schedule.Options{Run: u.onSchedule})
	return u
}

// begin works until ctx ends or the function that it returns is called, which waits until nothing is restarted any more.
func (u *upkeep) begin(ctx context.Context) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	var parts sync.WaitGroup
	parts.Go(func() { u.said("watch", u.watcher.Run(ctx)) })
	parts.Go(func() { u.said("schedule", u.cron.Run(ctx)) })
	parts.Go(func() { u.follow(ctx) })
	parts.Go(func() { u.enforce(ctx) })
	parts.Go(func() { u.d.care.run(ctx) })
	parts.Go(func() { u.d.turns.run(ctx) })
	parts.Go(func() { u.d.imports.run(ctx) })
	parts.Go(func() { u.said("jobs", u.d.jobs.runner.Run(ctx)) })
	parts.Go(func() { u.d.hooks.run(ctx) })
	parts.Go(func() { u.d.scaler.run(ctx) })
	parts.Go(func() { u.tend(ctx, u.d.apps.instances()) }) // a large tree to watch must not delay the API
	return func() { cancel(); parts.Wait() }
}

func (u *upkeep) said(what string, err error) {
	if err != nil && !errors.Is(err, context.Canceled) {
		u.d.cfg.Log.Error("A part of the upkeep has ended", "part", what, "err", err)
	}
}

// checkUpkeep refuses settings that can never work.
func checkUpkeep(spec app.Spec) error {
	if _, _, err := cronOf(spec); err != nil {
		return app.Errorf(app.CodeInvalid, "cannot restart %q by cron: %w", spec.Name, err).WithHint("five fields, like \"0 4 * * *\" for every day at 4:00; zones are like Europe/Berlin")
	}
	return errors.Join(checkWatch(spec), checkHealth(spec), checkLines(spec), checkJob(spec), checkHooks(spec))
}

// cronOf is when an app is restarted.
func cronOf(spec app.Spec) (when schedule.Cron, wanted bool, err error) {
	return parseCron(inZone(spec.CronRestart, spec.Timezone))
}

// inZone is a schedule that names its time zone.
func inZone(cron, zone string) string {
	if cron == "" || cron == "0" || zone == "" {
		return cron
	}
	return "CRON_TZ=" + zone + " " + cron
}

// parseCron reads a schedule; pm2's "0" is none.
func parseCron(text string) (when schedule.Cron, wanted bool, err error) {
	if text == "" || text == "0" {
		return when, false, nil
	}
	when, err = schedule.Parse(text, "")
	return when, err == nil, err
}

// wantedUp says whether the user wants an instance of the app up. One that ended by itself still counts.
func (a *application) wantedUp() bool {
	for _, in := range a.record.Load().Instances {
		if in.Goal == app.Up {
			return true
		}
	}
	return false
}

// tend brings the rules of the instances' apps in line with their records.
func (u *upkeep) tend(ctx context.Context, targets []instance) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, a := range distinct(targets) {
		u.tendOne(ctx, a)
	}
	poke(u.limits)
	poke(u.d.scaler.wake)
	for _, in := range targets {
		u.d.care.notice(in.app, in.member.ID)
	}
}

// tendOne leaves a rule that is in force alone: a new one would forget what it has seen.
func (u *upkeep) tendOne(ctx context.Context, a *application) {
	rec := a.record.Load()
	var want rules
	if a.wantedUp() {
		zone := rec.Spec.Timezone
		want = rules{u.watchRule(*rec), inZone(rec.Spec.CronRestart, zone), inZone(rec.Spec.LogRotate.Cron, zone)}
	}
	u.said("jobs", u.d.jobs.tend(a))
	have := u.kept[rec.Key]
	if !reflect.DeepEqual(have.watch, want.watch) && !u.setWatch(ctx, *rec, want.watch) {
		want.watch = watch.Rule{} // so that the next start tries again
	}
	if have.schedule != want.schedule {
		u.setSchedule(upkeepID(rec.Key), want.schedule)
	}
	if have.rotate != want.rotate {
		u.setSchedule(rotatePrefix+upkeepID(rec.Key), want.rotate)
	}
	if u.kept[rec.Key] = want; reflect.DeepEqual(want, rules{}) {
		delete(u.kept, rec.Key)
	}
}

// rotatePrefix tells the schedule for an app's log files from the one for its restarts.
const rotatePrefix = "rotate/"

func (u *upkeep) setSchedule(id, cron string) {
	when, wanted, err := parseCron(cron)
	if !wanted {
		u.cron.Remove(id)
		u.said("schedule", err)
		return
	}
	u.said("schedule", u.cron.Add(id, schedule.Job{When: when}, time.Time{}))
}

func (u *upkeep) onSchedule(ctx context.Context, id string, _ time.Time) error {
	key, rotates := strings.CutPrefix(id, rotatePrefix)
	a := u.byID(key)
	switch {
	case a != nil && rotates:
		u.d.pump.Rotate(u.d.logFiles(a.instances())...)
	case a != nil:
		u.d.renew(ctx, a, nil, "cron: "+a.spec().CronRestart, nextInTurn)
	}
	return nil
}

func upkeepID(key uint64) string { return strconv.FormatUint(key, 10) }

// byID returns nil for an app that is gone.
func (u *upkeep) byID(id string) *application {
	key, err := strconv.ParseUint(id, 10, 64)
	if err != nil {
		return nil
	}
	return u.d.apps.byKey(key)
}
