//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// measureBoth fills the rows that compare the two managers; what can be is measured in turns or
// at the same time, so that a busy machine is busy for both.
func measureBoth(ctx context.Context, r *report, gpm, pm2 *manager) error {
	both := []*manager{gpm, pm2}
	for _, step := range []func(context.Context, *report, []*manager) error{
		measureEmpty, measureFile, measureStart, measureList, measureLoaded, measureCrashes, measureDeaths, measureWeb, measureAgent,
	} {
		if err := step(ctx, r, both); err != nil {
			return err
		}
	}
	return nil
}

func measureEmpty(ctx context.Context, r *report, both []*manager) error {
	var sizes []float64
	for _, m := range both {
		progress("starting %s", m.name)
		if _, _, err := m.run(ctx, "list"); err != nil {
			return err
		}
	}
	if err := pause(ctx, r.settle); err != nil {
		return err
	}
	for _, m := range both {
		n, err := memory(m)
		if err != nil {
			return err
		}
		sizes = append(sizes, n)
	}
	r.add("memory of the manager, no apps (PSS)", "MB", sizes, "≤ 20 MB", 20)
	return nil
}

// measureFile starts the apps of a JavaScript file, whose evaluation by Node is a part of the time, and deletes them.
func measureFile(ctx context.Context, r *report, both []*manager) error {
	var took []float64
	for _, m := range both {
		progress("%s: starting a file of %d apps", m.name, r.apps)
		files, err := m.writeApps(r.apps)
		if err != nil {
			return err
		}
		config := filepath.Join(m.scripts, "ecosystem.config.js")
		if err := writeEcosystem(config, files); err != nil {
			return err
		}
		d, _, err := m.run(ctx, "start", config)
		if err != nil {
			return err
		}
		if err := m.runs(r.apps); err != nil {
			return err
		}
		if _, _, err := m.run(ctx, "delete", "all"); err != nil {
			return err
		}
		took = append(took, milliseconds(d))
	}
	r.add(fmt.Sprintf("start an ecosystem.config.js of %d apps", r.apps), "ms", took, "≤ 500 ms", 500)
	return nil
}

func measureStart(ctx context.Context, r *report, both []*manager) error {
	var took, rates []float64
	for _, m := range both {
		progress("%s: starting %d apps", m.name, r.apps)
		files, err := m.writeApps(r.apps)
		if err != nil {
			return err
		}
		args, err := m.start(files)
		if err != nil {
			return err
		}
		d, _, err := m.run(ctx, args...)
		if err != nil {
			return err
		}
		if err := m.runs(r.apps); err != nil {
			return err
		}
		took = append(took, milliseconds(d))
		rates = append(rates, float64(r.apps)/d.Seconds())
	}
	r.add(fmt.Sprintf("start %d apps by one command", r.apps), "ms", took, "≤ 300 ms", 300)
	r.addRate(fmt.Sprintf("apps started a second, %d apps", r.apps), rates)
	return nil
}

func measureList(ctx context.Context, r *report, both []*manager) error {
	progress("listing %d times", r.runs)
	took := make([][]float64, len(both))
	for range r.runs {
		for i, m := range both {
			d, out, err := m.run(ctx, "list")
			if err != nil {
				return err
			}
			if n := strings.Count(out, "app-"); n < r.apps {
				return fmt.Errorf("%s list shows %d apps of %d", m.name, n, r.apps)
			}
			took[i] = append(took[i], milliseconds(d))
		}
	}
	r.add(fmt.Sprintf("`list`, %d apps, whole process", r.apps), "ms", medians(took), "≤ 10 ms", 10)
	return nil
}

func measureLoaded(ctx context.Context, r *report, both []*manager) error {
	if err := pause(ctx, r.settle); err != nil {
		return err
	}
	progress("watching idle CPU for %v", r.idle)
	var before, shares, sizes []float64
	for _, m := range both {
		d, err := cpuTime(m.pids())
		if err != nil {
			return err
		}
		before = append(before, d.Seconds())
	}
	if err := pause(ctx, r.idle); err != nil {
		return err
	}
	for i, m := range both {
		d, err := cpuTime(m.pids())
		if err != nil {
			return err
		}
		shares = append(shares, 100*(d.Seconds()-before[i])/r.idle.Seconds())
		n, err := memory(m)
		if err != nil {
			return err
		}
		sizes = append(sizes, n)
	}
	r.add(fmt.Sprintf("idle CPU, %d apps (of a core)", r.apps), "%", shares, "< 0.2 %", 0.2)
	r.add(fmt.Sprintf("memory of the manager, %d apps (PSS)", r.apps), "MB", sizes, "≤ 30 MB", 30)
	return nil
}

// measureCrashes kills apps that have run for long, each but once, so that
// neither manager's back-off comes into it.
func measureCrashes(ctx context.Context, r *report, both []*manager) error {
	progress("killing %d apps", r.runs)
	took := make([][]float64, len(both))
	for i := range r.runs {
		for j, m := range both {
			d, err := crash(ctx, m.argument(i), filepath.Join(m.scripts, appName(i)))
			if err != nil {
				return fmt.Errorf("%s: %w", m.name, err)
			}
			took[j] = append(took[j], milliseconds(d))
		}
	}
	r.add("crash to new process (median)", "ms", medians(took), "≤ 3 ms", 3)
	return nil
}

// crash kills the sleep that an app has become and returns how long it takes until a new process
// executes the app's script. How long a shell takes to become a sleep is no manager's merit.
func crash(ctx context.Context, argument, script string) (time.Duration, error) {
	pids := sleepers(argument)
	if len(pids) != 1 {
		return 0, fmt.Errorf("there are %d processes of sleep %s, not one", len(pids), argument)
	}
	w := watcher{argument: argument, script: script}
	if err := w.look(); err != nil {
		return 0, err
	}
	began := time.Now()
	if err := syscall.Kill(pids[0], syscall.SIGKILL); err != nil {
		return 0, err
	}
	for time.Since(began) < 20*time.Second && ctx.Err() == nil {
		if w.found() {
			return time.Since(began), nil
		}
		if err := w.look(); err != nil {
			return 0, err
		}
		// time.Sleep may take a millisecond, nanosleep(2) keeps to 50 µs and its slack.
		_ = syscall.Nanosleep(&syscall.Timespec{Nsec: 20_000}, nil)
	}
	return 0, errors.Join(ctx.Err(), fmt.Errorf("sleep %s did not come back", argument))
}

// watcher finds a new process by following the pids that the kernel gives out,
// which costs one small read where scanning /proc would cost thousands.
type watcher struct {
	argument string
	script   string
	last     int
	born     []int // since the first look, still alive, and not what is looked for
}

func (w *watcher) look() error {
	last, err := lastPID()
	if err != nil {
		return err
	}
	if w.last == 0 {
		w.last = last
	}
	if last < w.last { // it went round; the first pids belong to the system
		w.last = min(last, 300) - 1
	}
	for ; w.last < last; w.last++ {
		w.born = append(w.born, w.last+1)
	}
	return nil
}

func (w *watcher) found() bool {
	alive := w.born[:0]
	for _, pid := range w.born {
		exists, is := runsApp(pid, w.script, w.argument)
		if is {
			return true
		}
		if exists {
			alive = append(alive, pid)
		}
	}
	w.born = alive
	return false
}

// measureMany is gpm alone with as many apps as a large machine has.
func measureMany(ctx context.Context, r *report, gpm *manager) error {
	progress("gpm: starting %d apps", r.many)
	files, err := gpm.writeApps(r.apps + 1)
	if err != nil {
		return err
	}
	took, _, err := gpm.run(ctx, "start", files[r.apps], "--name", "many", "-i", strconv.Itoa(r.many))
	if err != nil {
		return err
	}
	total := r.apps + r.many
	if err := gpm.runs(total); err != nil {
		return err
	}
	r.addRate(fmt.Sprintf("apps started a second, %d apps", r.many), []float64{float64(r.many) / took.Seconds()})
	if err := pause(ctx, r.settle); err != nil {
		return err
	}
	size, err := memory(gpm)
	if err != nil {
		return err
	}
	r.add(fmt.Sprintf("memory of the manager, %d apps (PSS)", total), "MB", []float64{size}, "≤ 100 MB", 100)
	return listMany(ctx, r, gpm, total)
}

func listMany(ctx context.Context, r *report, gpm *manager, total int) error {
	var lists []float64
	for range r.runs {
		d, out, err := gpm.run(ctx, "list")
		if err != nil {
			return err
		}
		if n := strings.Count(out, "many"); n < r.many {
			return fmt.Errorf("gpm list shows %d apps of %d", n, r.many)
		}
		lists = append(lists, milliseconds(d))
	}
	r.add(fmt.Sprintf("`list`, %d apps, whole process", total), "ms", []float64{median(lists)}, "≤ 150 ms", 150)
	return nil
}

// memory is the PSS of a manager's own processes in MB.
func memory(m *manager) (float64, error) {
	pids := m.pids()
	if len(pids) == 0 {
		return 0, fmt.Errorf("%s does not run", m.name)
	}
	n, err := pss(pids)
	return float64(n) / 1e6, err
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
