package watch

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"gpm/app"
)

// Mode is how a source is watched.
type Mode = app.WatchMode

// Explanation answers why an app was restarted, or was not.
type Explanation = app.WatchExplanation

// Source is one root, or the list of single files.
type Source = app.WatchSource

// Ignored is one path that is not watched, and the rule that says so.
type Ignored = app.WatchIgnored

// Change is one burst of changes that restarts an app.
type Change = app.WatchChange

// The modes.
const (
	Notify = app.WatchNotify
	Poll   = app.WatchPoll
	Absent = app.WatchAbsent
)

const maxIgnored = 200

// Explain says what is watched of an app. It reads the tree anew, without delaying anything.
func (w *Watcher) Explain(id string) (Explanation, error) {
	w.mu.Lock()
	e := w.entries[id]
	if e == nil {
		w.mu.Unlock()
		return Explanation{}, fmt.Errorf("cannot explain the watch of %s: %w", id, os.ErrNotExist)
	}
	x := e.explain()
	rule := e.rule
	w.mu.Unlock()
	for i := range x.Sources {
		if s := &x.Sources[i]; s.Path != "" {
			count(&x, s, rule)
		}
	}
	return x, nil
}

func (e *entry) explain() Explanation {
	x := Explanation{
		ID: e.id, Why: e.rule.Why, Triggers: e.count, Warning: e.warning, Shared: len(e.w.hub.dirs),
	}
	if e.last != nil {
		last := *e.last
		x.Last = &last
	}
	for _, s := range e.sources {
		if i := s.info(); i.Path != "" || len(i.Singles) > 0 {
			x.Sources = append(x.Sources, i)
		}
	}
	for _, d := range e.w.hub.dirs {
		if slices.ContainsFunc(e.sources, func(s source) bool { _, ok := d.by[s]; return ok }) {
			x.Watches++
		}
	}
	return x
}

// count walks a root for its figures and for what the rules leave out.
func count(x *Explanation, s *Source, rule Rule) {
	real, err := filepath.EvalSymlinks(s.Path)
	if err != nil {
		return
	}
	note := func(c child, by *pattern) {
		if len(x.Ignored) == maxIgnored {
			x.More++
			return
		}
		x.Ignored = append(x.Ignored, Ignored{Path: filepath.Join(s.Path, filepath.FromSlash(c.rel)), Rule: by.text, Source: by.source})
	}
	walk(topPlace(s.Path, real, rule), note, func(p place, files []child, err error) {
		s.Dirs++
		s.Files += len(files)
		if err != nil {
			x.Unreadable = append(x.Unreadable, p.dir)
		}
	})
}

func (t *tree) entryOf() *entry { return t.e }

func (t *tree) info() Source {
	s := Source{Path: t.root, Mode: Notify}
	if t.real != t.root {
		s.Target = t.real
	}
	switch {
	case t.poll != nil:
		s.Mode, s.Why, s.Target = Poll, t.poll.why.Error(), ""
	case t.real == "":
		s.Mode = Absent
	}
	return s
}

func (f *fileSet) entryOf() *entry { return f.e }

func (f *fileSet) info() Source {
	s := Source{Mode: Notify, Dirs: len(f.dirs), Files: len(f.want), Singles: slices.Clone(f.want)}
	switch {
	case f.poll != nil:
		s.Mode, s.Why = Poll, f.poll.why.Error()
	case len(f.lost) > 0:
		s.Mode = Absent
	}
	return s
}
