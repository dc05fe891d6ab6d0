// Package order says in which order apps can be started: which wait for which, whether that can ever end, and what
// one still waits for. It is pure.
package order

import (
	"fmt"
	"slices"
	"strings"

	"gpm/app"
)

// Graph is what each app waits for, by name.
type Graph map[string][]app.Dependency

// Cycle returns a path that leads back to where it began, "a → b → a" as its names; nil if there is none. The search
// begins at the names given, in their order.
func (g Graph) Cycle(from ...string) []string {
	done := map[string]bool{}
	var path []string
	var visit func(name string) []string
	visit = func(name string) []string {
		if i := slices.Index(path, name); i >= 0 {
			return append(slices.Clone(path[i:]), name)
		}
		if done[name] {
			return nil
		}
		path = append(path, name)
		for _, d := range g[name] {
			if cycle := visit(d.App); cycle != nil {
				return cycle
			}
		}
		path = path[:len(path)-1]
		done[name] = true
		return nil
	}
	for _, name := range from {
		if cycle := visit(name); cycle != nil {
			return cycle
		}
	}
	return nil
}

// Check says what is wrong with the dependencies of the apps named.
func (g Graph) Check(names ...string) error {
	for _, name := range names {
		for _, d := range g[name] {
			if _, known := g[d.App]; !known {
				return g.unknown(name, d.App)
			}
		}
	}
	if cycle := g.Cycle(names...); cycle != nil {
		return app.Errorf(app.CodeInvalid, "cannot start %q: its dependencies lead back to where they began: %s", cycle[0], strings.Join(cycle, " → ")).
			WithHint("one of them has to do without")
	}
	return nil
}

// unknown says what is wrong with a dependency on an app that there is not.
func (g Graph) unknown(name, on string) error {
	if i := strings.LastIndexByte(on, ':'); i > 0 {
		if _, known := g[on[:i]]; known {
			return app.Errorf(app.CodeInvalid, "cannot start %q: it depends on %q, and %q is no condition", name, on, on[i+1:]).
				WithHint("conditions are started, listening, healthy and completed")
		}
	}
	return app.Errorf(app.CodeInvalid, "cannot start %q: it depends on %q, and there is no such app", name, on).
		WithHint("gpm list shows the names; apps of one file may depend on each other")
}

// Facts is an app as far as others may wait for it: its instances, and whether all of them listen.
type Facts struct {
	Instances []app.Status
	HasHealth bool // it has a health check
	Listens   func() bool
}

// Waits is what an app still waits for.
type Waits struct {
	For  app.Dependency
	Why  string // in words, for people: `waits until "db" is healthy`
	Vain bool   // as things are it will wait for ever
}

// Unmet returns the first dependency that does not hold yet; ok is false when all hold.
func Unmet(deps []app.Dependency, facts func(name string) Facts) (w Waits, ok bool) {
	for _, d := range deps {
		f := facts(d.App)
		if holds(d.Condition, f) {
			continue
		}
		vain, state := hopeless(d.Condition, f)
		why := fmt.Sprintf("waits until %q %s", d.App, inWords(d.Condition))
		if state != "" {
			why += "; it " + state
		}
		return Waits{d, why, vain}, true
	}
	return Waits{}, false
}

func inWords(c app.Condition) string {
	switch c {
	case app.Listening:
		return "listens"
	case app.Healthy:
		return "is healthy"
	case app.Completed:
		return "has completed"
	}
	return "is started"
}

func holds(c app.Condition, f Facts) bool {
	if len(f.Instances) == 0 {
		return false
	}
	for _, st := range f.Instances {
		if !holdsOne(c, st) {
			return false
		}
	}
	return c != app.Listening || f.Listens()
}

func holdsOne(c app.Condition, st app.Status) bool {
	switch c {
	case app.Healthy:
		return st.State == app.Online && st.Healthy
	case app.Completed:
		return st.State == app.Stopped && st.Exit != nil && st.Exit.By == "" && st.Exit.Code == 0 && !st.Exit.Unknown
	}
	return st.State == app.Online || st.State == app.Unhealthy
}

// hopeless says whether only a user's command can make the condition hold, and what the matter is.
func hopeless(c app.Condition, f Facts) (vain bool, state string) {
	if len(f.Instances) == 0 {
		return true, "is not in the list"
	}
	if c == app.Healthy && !f.HasHealth {
		return true, "has no health check"
	}
	for _, st := range f.Instances {
		switch {
		case holdsOne(c, st):
		case st.State == app.Errored:
			return true, "is errored: " + st.Reason
		case st.State == app.Stopped && st.Goal != app.Up && st.Seq > 0:
			return true, "is stopped"
		}
	}
	return false, ""
}
