package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"gpm/app"
	"gpm/ipc"
	"gpm/launch"
	"gpm/store"
	"gpm/watch"
)

// watchRule is what to watch of an app; the zero rule is nothing. The script counts even where the rules of the
// repository leave it out, as they do with what is built.
func (u *upkeep) watchRule(rec store.App) watch.Rule {
	spec, home := rec.Spec, u.d.cfg.Home
	if len(spec.Watch) == 0 {
		return watch.Rule{}
	}
	rule := watch.Rule{Ignore: spec.IgnoreWatch, Delay: spec.WatchDelay, Why: "watch"}
	if info, err := os.Stat(spec.Script); err == nil && info.Mode().IsRegular() && filepath.IsAbs(spec.Script) {
		rule.Files = []string{spec.Script}
	}
	if watchesImports(spec) {
		rule.Why = "watch: imports"
		rule.Files = slices.Compact(slices.Sorted(slices.Values(append(rule.Files, u.d.imports.files(rec.Key)...))))
	} else {
		rule.Roots = watchRoots(spec)
	}
	for _, name := range []string{"logs", "pids", databaseName, "daemon.log", "master.log"} {
		rule.Own = append(rule.Own, filepath.Join(home, name))
	}
	for _, in := range rec.Instances {
		out, err := launch.LogPaths(home, spec, in.ID)
		for _, path := range []string{out, err, launch.CombinedLogPath(home, spec, in.ID), launch.PidPath(home, spec, in.ID)} {
			if filepath.IsAbs(path) {
				rule.Own = append(rule.Own, path)
			}
		}
	}
	return rule
}

func watchRoots(spec app.Spec) []string {
	roots := make([]string, len(spec.Watch))
	for i, path := range spec.Watch {
		if roots[i] = filepath.Clean(path); !filepath.IsAbs(path) {
			roots[i] = filepath.Join(spec.Cwd, path)
		}
	}
	return roots
}

func checkWatch(spec app.Spec) error {
	if watchesImports(spec) {
		return nil
	}
	for _, root := range watchRoots(spec) {
		if _, err := os.Stat(root); err != nil {
			return app.Errorf(app.CodeInvalid, "cannot watch for %q: %w", spec.Name, err).WithHint("--watch=PATH names a directory or a file, --watch alone the app's directory")
		}
	}
	return nil
}

// setWatch reports whether the rule is in force. That it cannot be does not keep the app from running.
func (u *upkeep) setWatch(ctx context.Context, rec store.App, rule watch.Rule) bool {
	id := upkeepID(rec.Key)
	if len(rule.Roots)+len(rule.Files) == 0 {
		u.watcher.Remove(id)
		return true
	}
	// Who asked may go away; the rule is the daemon's.
	if err := u.watcher.Add(context.WithoutCancel(ctx), id, rule, u.onChange); err != nil {
		u.d.cfg.Log.Warn("Cannot watch", "app", rec.Spec.Name, "err", err)
		u.watcher.Remove(id)
		return false
	}
	return true
}

// onChange is called by the watcher. With so many waiting, the app of this one is restarted for another anyway, or
// restarts are slower than saves.
func (u *upkeep) onChange(c watch.Change) {
	select {
	case u.changes <- c:
	default:
		u.d.cfg.Log.Warn("Too many changes wait for their restart; one is left out", "app", c.ID)
	}
}

// follow restarts apps whose files changed until ctx ends.
func (u *upkeep) follow(ctx context.Context) {
	var restarts sync.WaitGroup
	defer restarts.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case c := <-u.changes:
			if a := u.byID(c.ID); a != nil {
				restarts.Go(func() { u.d.renew(ctx, a, nil, changeWords(a.spec().Cwd, c), nextInTurn) })
			}
		}
	}
}

// changeWords is the reason of a restart: "watch: lib/a.js changed, and 2 more".
func changeWords(cwd string, c watch.Change) string {
	if len(c.Paths) == 0 {
		return "watch"
	}
	name := c.Paths[0]
	if rel, err := filepath.Rel(cwd, name); err == nil && filepath.IsLocal(rel) {
		name = rel
	}
	words := "watch: " + name + " changed"
	if more := len(c.Paths) - 1 + c.More; more > 0 {
		words += fmt.Sprintf(", and %d more", more)
	}
	return words
}

// getWatch explains what is watched of apps, each once, and says of the others that nothing is.
func (d *Daemon) getWatch(_ context.Context, q ipc.HistoryQuery) ([]app.WatchExplanation, error) {
	found, err := d.apps.find(q.Selectors)
	if err != nil {
		return nil, err
	}
	var out []app.WatchExplanation
	for _, a := range distinct(found) {
		x, err := d.upkeep.watcher.Explain(upkeepID(a.record.Load().Key))
		if errors.Is(err, fs.ErrNotExist) {
			x, err = app.WatchExplanation{Warning: whyUnwatched(a)}, nil
		}
		if err != nil {
			return nil, err
		}
		x.Name = a.spec().Name
		out = append(out, x)
	}
	return out, nil
}

func whyUnwatched(a *application) string {
	switch {
	case len(a.spec().Watch) == 0:
		return "it has no watch; gpm restart " + a.spec().Name + " --watch gives it one"
	case !a.wantedUp():
		return "it is stopped, and so not watched"
	}
	return "it cannot be watched; the daemon's log says why"
}
