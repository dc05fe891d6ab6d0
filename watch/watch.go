// Package watch tells which files of an app matter, and when they changed.
//
// Directories are watched, not files: one inotify instance serves every app,
// and a save becomes exactly one [Change] once its burst of events is over. What
// cannot be watched is polled, and said so; a miss is never silent.
package watch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// ErrClosed is returned by a Watcher whose Run has ended.
var ErrClosed = errors.New("watcher has ended")

// Rule says what of one app to watch.
type Rule struct {
	Roots  []string // directories or files, absolute; watched recursively, links followed
	Files  []string // files watched one by one, absolute, whatever the ignore rules say; they may be missing
	Ignore []string // in .gitignore syntax, plus braces, "./x" and absolute paths; a leading "!" re-includes
	Own    []string // files the app or its manager writes, absolute: they and their rotated siblings are ignored

	NoGitignore bool          // do not read .gitignore files
	Poll        time.Duration // > 0: poll at this interval instead of watching, for network file systems
	Delay       time.Duration // how long files must be quiet beyond the 40 ms that a save may take
	MinInterval time.Duration // least time between two triggers; 0 = 500 ms
	Why         string        // where the rule comes from, for Explain
}

// Options of a Watcher. The zero value is useful.
type Options struct {
	PollInterval time.Duration // least time between two scans of a root that is polled; 0 = 1 s
	Log          *slog.Logger  // warnings; nil = none
}

// Watcher watches the files of many apps with one inotify instance. Its methods
// may be called by several goroutines.
type Watcher struct {
	opts Options
	wake chan struct{} // the loop should look again
	scan chan struct{} // the poller should look again

	adding sync.Mutex // held by Add, Remove and SetFiles

	mu      sync.Mutex // guards what follows and everything below entries
	hub     *hub       // nil until the first Add
	entries map[string]*entry
	pending map[*entry]struct{} // those with a burst
	absent  absence
	ended   bool
}

// entry is one app.
type entry struct {
	w         *Watcher
	id        string
	rule      Rule
	fn        func(Change)
	fileRoots []string // roots that are files
	sources   []source // the last one is the fileSet
	burst     burst
	fired     time.Time
	last      *Change
	count     int
	warning   string
}

// defaultGap keeps a program that writes into its own directory from restarting without a pause.
const defaultGap = 500 * time.Millisecond

// New returns a Watcher that holds no resources until the first Add. Its owner calls Run.
func New(opts Options) *Watcher {
	if opts.PollInterval <= 0 {
		opts.PollInterval = time.Second
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	return &Watcher{
		opts: opts, wake: make(chan struct{}, 1), scan: make(chan struct{}, 1),
		entries: map[string]*entry{}, pending: map[*entry]struct{}{},
	}
}

// Add watches what the rule says, in place of an earlier rule of the same id. It
// returns when every directory is watched; changes from then on call fn, on Run's
// goroutine: fn must not block. A trigger on its way may still arrive just after Remove.
func (w *Watcher) Add(ctx context.Context, id string, rule Rule, fn func(Change)) error {
	if rule.MinInterval <= 0 {
		rule.MinInterval = defaultGap
	}
	w.adding.Lock()
	defer w.adding.Unlock()
	e := &entry{w: w, id: id, rule: rule, fn: fn}
	if err := e.prepare(); err != nil {
		return fmt.Errorf("cannot watch %s: %w", id, err)
	}
	if err := w.open(ctx, e); err != nil {
		return fmt.Errorf("cannot watch %s: %w", id, errors.Join(err, w.locked(e.close)))
	}
	return w.replace(e)
}

// open starts all sources of e. The lock is held only for one directory at a time,
// so that a large tree does not delay the triggers of others.
func (w *Watcher) open(ctx context.Context, e *entry) error {
	for _, s := range e.sources {
		for more := true; more; {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := w.locked(func() { more = s.grow() }); err != nil {
				return err
			}
		}
		if err := w.firstScan(s); err != nil {
			return err
		}
	}
	return nil
}

// firstScan gives a source that is polled something to compare with.
func (w *Watcher) firstScan(s source) error {
	var scan func() snapshot
	if err := w.locked(func() {
		if s.polled() != nil {
			scan = s.scanner()
		}
	}); err != nil || scan == nil {
		return err
	}
	seen := scan()
	return w.locked(func() { s.polled().seen = seen })
}

// replace puts e in the place of an entry with the same id.
func (w *Watcher) replace(e *entry) error {
	return w.locked(func() {
		if old := w.entries[e.id]; old != nil {
			e.fired, e.last, e.count = old.fired, old.last, old.count
			if !old.burst.empty() { // what the old rule saw still counts
				e.burst = old.burst
				w.pending[e] = struct{}{}
			}
			delete(w.pending, old)
			old.close()
		}
		w.entries[e.id] = e
		poke(w.scan)
	})
}

// SetFiles replaces Rule.Files of an app that is watched.
func (w *Watcher) SetFiles(id string, files []string) error {
	w.adding.Lock()
	defer w.adding.Unlock()
	unknown := false
	err := w.locked(func() {
		e := w.entries[id]
		if unknown = e == nil; unknown {
			return
		}
		e.rule.Files = slices.Concat(e.fileRoots, files)
		e.fileSet().set(e.rule.Files)
	})
	if unknown && err == nil {
		return fmt.Errorf("cannot watch files of %s: %w", id, os.ErrNotExist)
	}
	return err
}

// Remove forgets an app. An unknown id is no mistake.
func (w *Watcher) Remove(id string) {
	w.adding.Lock()
	defer w.adding.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	if e := w.entries[id]; e != nil {
		e.close()
		delete(w.pending, e)
		delete(w.entries, id)
	}
}

// locked runs fn under the lock, with a hub; not after the end.
func (w *Watcher) locked(fn func()) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		return ErrClosed
	}
	if w.hub == nil {
		w.hub = newHub()
		poke(w.wake)
	}
	fn()
	return nil
}

// prepare checks the rule and makes the sources.
func (e *entry) prepare() error {
	for _, root := range e.rule.Roots {
		info, err := os.Stat(root)
		if err != nil {
			return err
		}
		if !filepath.IsAbs(root) {
			return fmt.Errorf("%s is not an absolute path", root)
		}
		if !info.IsDir() {
			e.fileRoots = append(e.fileRoots, root)
			continue
		}
		e.sources = append(e.sources, newTree(e, filepath.Clean(root)))
	}
	e.rule.Files = slices.Concat(e.fileRoots, e.rule.Files)
	e.sources = append(e.sources, newFileSet(e))
	return nil
}

func (e *entry) fileSet() *fileSet { return e.sources[len(e.sources)-1].(*fileSet) }

func (e *entry) close() {
	for _, s := range e.sources {
		s.close()
	}
}

// changed adds an event to the burst.
func (e *entry) changed(path string, what op) {
	e.burst.add(path, what, time.Now())
	e.w.pending[e] = struct{}{}
	poke(e.w.wake)
}

// warn says once that a source is polled, and why.
func (e *entry) warn(path string, why error) {
	e.warning = fmt.Sprintf("%s is polled: %v", path, why)
	e.w.opts.Log.Warn("Cannot watch with notifications, polling instead", "app", e.id, "path", path, "why", why)
	poke(e.w.scan)
}

// poke leaves at most one token: the receiver looks at everything anyway.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
