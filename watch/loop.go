package watch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Run delivers triggers until ctx ends; then it gives every descriptor back. It is called once.
func (w *Watcher) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	polling := make(chan struct{})
	go func() {
		defer close(polling)
		w.pollLoop(ctx)
	}()
	err := w.loop(ctx)
	cancel()
	<-polling
	return errors.Join(err, w.end())
}

func (w *Watcher) loop(ctx context.Context) error {
	timer := time.NewTimer(forever)
	defer timer.Stop()
	for {
		events, errs := w.channels()
		select {
		case <-ctx.Done():
			return nil
		case ev, ok := <-events:
			if !ok {
				return fmt.Errorf("cannot go on watching: %w", fsnotify.ErrClosed)
			}
			w.handle(ev)
		case err := <-errs:
			w.failed(err)
		case <-w.wake:
		case <-timer.C:
		}
		for _, fire := range w.due(time.Now()) {
			fire()
		}
		timer.Reset(w.pause(time.Now()))
	}
}

func (w *Watcher) end() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	if w.hub == nil {
		return nil
	}
	return w.hub.close()
}

// channels are nil, and so never ready, while there is no inotify instance.
func (w *Watcher) channels() (<-chan fsnotify.Event, <-chan error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.hub == nil || w.hub.fs == nil {
		return nil, nil
	}
	return w.hub.fs.Events, w.hub.fs.Errors
}

// handle tells those who listen to the directory of what happened in it, and
// those who listen to the path itself when it is a directory that went away.
func (w *Watcher) handle(ev fsnotify.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	dir, base := filepath.Dir(ev.Name), filepath.Base(ev.Name)
	for _, s := range w.hub.sources(dir) {
		s.event(dir, base, ev.Op)
	}
	if !ev.Has(fsnotify.Remove) && !ev.Has(fsnotify.Rename) {
		return
	}
	for _, s := range w.hub.sources(ev.Name) {
		s.gone(ev.Name)
	}
}

// failed: when the kernel's queue overflowed, what is there is read again.
func (w *Watcher) failed(err error) {
	w.opts.Log.Warn("Cannot follow all changes of files, reading the directories again", "why", err)
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.entries {
		for _, s := range e.sources {
			s.resync()
		}
	}
}

// due takes the triggers whose time has come, and looks for what is absent.
func (w *Watcher) due(now time.Time) []func() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.absent.probe(now)
	var fire []func()
	for e := range w.pending {
		if e.burst.due(e.rule.Delay, e.rule.MinInterval, e.fired).After(now) {
			continue
		}
		delete(w.pending, e)
		if c, ok := e.take(now); ok && w.entries[e.id] == e {
			fire = append(fire, func() { e.fn(c) })
		}
	}
	return fire
}

// pause is how long nothing is due.
func (w *Watcher) pause(now time.Time) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	wait := w.absent.pause(now)
	for e := range w.pending {
		wait = min(wait, e.burst.due(e.rule.Delay, e.rule.MinInterval, e.fired).Sub(now))
	}
	return max(wait, 0)
}

// take turns the burst into a change; ok is false when nothing is left of it.
func (e *entry) take(now time.Time) (c Change, ok bool) {
	b := e.burst
	e.burst = burst{}
	paths := b.real(func(path string) bool {
		_, err := os.Lstat(path)
		return err == nil
	})
	if len(paths) == 0 && b.more == 0 {
		return Change{}, false
	}
	c = Change{ID: e.id, At: b.first, Paths: paths, More: b.more}
	e.fired, e.last = now, &c
	e.count++
	return c, true
}

// absence is what should be watched but is not there. It is looked for every
// 200 ms at first, then ever less often, to at least every 5 s.
type absence struct {
	sources map[source]struct{}
	every   time.Duration
	next    time.Time
}

const (
	probeFirst = 200 * time.Millisecond
	probeMax   = 5 * time.Second
)

func (a *absence) add(s source) {
	if a.sources == nil {
		a.sources = map[source]struct{}{}
	}
	if _, known := a.sources[s]; known {
		return
	}
	a.sources[s] = struct{}{}
	a.every = probeFirst
	a.next = time.Now().Add(a.every)
}

func (a *absence) remove(s source) { delete(a.sources, s) }

func (a *absence) probe(now time.Time) {
	if len(a.sources) == 0 || a.next.After(now) {
		return
	}
	a.every = min(2*a.every, probeMax)
	a.next = now.Add(a.every)
	for s := range a.sources {
		if s.revive() {
			delete(a.sources, s)
		}
	}
}

func (a *absence) pause(now time.Time) time.Duration {
	if len(a.sources) == 0 {
		return forever
	}
	return a.next.Sub(now)
}
