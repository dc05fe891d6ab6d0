package daemon

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"gpm/agent"
	"gpm/app"
	"gpm/launch"
	"gpm/watch"
)

// watchImports is what an app says that is to be watched by what it has really loaded.
const watchImports = "imports"

// imports finds out which files apps have loaded, for their watch. It looks soon after a start, and ever less often
// then: most of what a program loads, it loads at first.
type imports struct {
	d    *Daemon
	wake chan struct{}

	mu   sync.Mutex
	apps map[uint64]*loaded
}

// loaded is what is known of one app.
type loaded struct {
	files []string // sorted
	next  time.Time
	pause time.Duration
}

const (
	importsFirst = 400 * time.Millisecond
	importsMost  = time.Minute
	importsLimit = 5 * time.Second // for an answer
)

func newImports(d *Daemon) *imports {
	return &imports{d: d, wake: make(chan struct{}, 1), apps: map[uint64]*loaded{}}
}

func watchesImports(spec app.Spec) bool {
	return len(spec.Watch) == 1 && spec.Watch[0] == watchImports
}

// notice has an app that has just started looked at. It never blocks.
func (i *imports) notice(a *application, st app.Status) {
	if !watchesImports(a.spec()) || st.State != app.Online {
		return
	}
	i.mu.Lock()
	l := i.apps[st.App]
	if l == nil {
		l = &loaded{}
		i.apps[st.App] = l
	}
	l.next, l.pause = time.Now().Add(importsFirst), importsFirst
	i.mu.Unlock()
	poke(i.wake)
}

// files are those that an app is known to have loaded.
func (i *imports) files(key uint64) []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	if l := i.apps[key]; l != nil {
		return l.files
	}
	return nil
}

// run looks until ctx ends.
func (i *imports) run(ctx context.Context) {
	for ctx.Err() == nil {
		due, pause := i.due(time.Now())
		for _, key := range due {
			i.look(ctx, key)
		}
		if len(due) > 0 {
			continue
		}
		select {
		case <-ctx.Done():
		case <-i.wake:
		case <-time.After(pause):
		}
	}
}

// due takes the apps that are to be looked at now, or says how long there is none.
func (i *imports) due(now time.Time) (due []uint64, pause time.Duration) {
	i.mu.Lock()
	defer i.mu.Unlock()
	pause = time.Hour
	for key, l := range i.apps {
		a := i.d.apps.byKey(key)
		if a == nil || !watchesImports(a.spec()) || !a.wantedUp() {
			delete(i.apps, key)
			continue
		}
		if l.next.After(now) {
			pause = min(pause, l.next.Sub(now))
			continue
		}
		l.pause = min(4*l.pause, importsMost)
		l.next = now.Add(l.pause)
		due = append(due, key)
	}
	return due, pause
}

// look asks all processes of an app, and has the watch follow.
func (i *imports) look(ctx context.Context, key uint64) {
	a := i.d.apps.byKey(key)
	if a == nil {
		return
	}
	var files []string
	begun := time.Now()
	for _, m := range a.group.Members() {
		if st := m.Status(); st.State == app.Online && st.Since.Before(begun) {
			begun = st.Since
		}
		files = append(files, i.of(ctx, a, m.ID)...)
	}
	slices.Sort(files)
	files = slices.Compact(slices.DeleteFunc(files, isDependency))
	fresh := i.learn(key, files)
	if fresh == nil {
		return
	}
	i.d.upkeep.tend(ctx, a.instances())
	if changed := writtenAfter(fresh, begun); len(changed) > 0 { // after its start and before the watch
		i.d.upkeep.onChange(watch.Change{ID: upkeepID(key), Paths: changed})
	}
}

// learn takes in what an app has loaded, and returns which files are new; nil when it is as before.
func (i *imports) learn(key uint64, files []string) (fresh []string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	l := i.apps[key]
	if l == nil || len(files) == 0 || slices.Equal(l.files, files) {
		return nil
	}
	fresh = []string{}
	for _, file := range files {
		if _, had := slices.BinarySearch(l.files, file); !had {
			fresh = append(fresh, file)
		}
	}
	l.files = files
	return fresh
}

// writtenAfter leaves the files that were written after a moment.
func writtenAfter(files []string, at time.Time) (changed []string) {
	for _, file := range files {
		if info, err := os.Stat(file); err == nil && info.ModTime().After(at) {
			changed = append(changed, file)
		}
	}
	return changed
}

// of returns what one instance has loaded.
func (i *imports) of(ctx context.Context, a *application, id int) []string {
	m := a.group.Member(id)
	if m == nil || m.Status().State != app.Online {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, importsLimit)
	defer cancel()
	if m.HasAgent(ctx) {
		files, err := m.Modules(ctx)
		if err != nil {
			i.d.cfg.Log.Debug("Cannot ask which files an app has loaded", "id", id, "err", err)
		}
		return files
	}
	b, err := os.ReadFile(i.file(id)) // what the hook in a Python process has written
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(strings.Split(string(b), "\n"), func(line string) bool { return line == "" })
}

func (i *imports) file(id int) string {
	return filepath.Join(i.d.cfg.Home, "imports", strconv.Itoa(id))
}

// isDependency leaves out what is installed rather than written: it changes in bulk, and seldom.
func isDependency(path string) bool {
	for _, part := range []string{"node_modules", "site-packages", "dist-packages"} {
		if strings.Contains(path, string(filepath.Separator)+part+string(filepath.Separator)) {
			return true
		}
	}
	return !filepath.IsAbs(path) || strings.Contains(path, "/lib/python") // Python's own, wherever it is installed
}

// inject has a process that is about to start tell what it loads. A Node process has its agent for that.
func (i *imports) inject(spec app.Spec, plan launch.Plan, id int, env []string) []string {
	if !watchesImports(spec) || plan.Runtime != "" || plan.Spawn.Credential != nil {
		return env
	}
	file := i.file(id)
	dir, err := agent.InstallPython(i.d.cfg.Home)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(file), 0o700)
	}
	if err == nil {
		err = os.WriteFile(file, nil, 0o600)
	}
	if err != nil {
		i.d.cfg.Log.Warn("Cannot follow what an app loads", "app", spec.Name, "err", err)
		return env
	}
	return agent.InjectPython(env, dir, file)
}
