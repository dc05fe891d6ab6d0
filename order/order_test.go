package order

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"gpm/app"
)

func on(names ...string) (deps []app.Dependency) {
	for _, n := range names {
		d, err := app.ParseDependency(n)
		if err != nil {
			panic(err)
		}
		deps = append(deps, d)
	}
	return deps
}

func TestCheck(t *testing.T) {
	g := Graph{"web": on("api", "cache:healthy"), "api": on("db:healthy", "migrate:completed"), "migrate": on("db"), "db": nil, "cache": nil}
	if err := g.Check("web", "api", "migrate", "db", "cache"); err != nil {
		t.Errorf("a diamond is no circle: %v", err)
	}
	g["db"] = on("web:listening")
	if err := g.Check("db"); err == nil || !strings.Contains(err.Error(), "db → web → api → db") {
		t.Errorf("error %v, want the path", err)
	}
	for name, deps := range map[string][]app.Dependency{"self → self": on("self"), `depends on "nobody"`: on("nobody")} {
		if err := (Graph{"self": deps}).Check("self"); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v, want %q", err, name)
		}
	}
	if err := (Graph{"web": on("db:ready"), "db": nil}).Check("web"); err == nil || !strings.Contains(err.Error(), `"ready" is no condition`) {
		t.Errorf("error %v, want the condition named", err)
	}
}

// TestCycleIsFoundAndReal: a path that is returned is one, and there is none when every app depends on earlier ones only.
func TestCycleIsFoundAndReal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 8).Draw(t, "apps")
		forward := rapid.Bool().Draw(t, "forward")
		g, names := Graph{}, []string{}
		for i := range n {
			name := string(rune('a' + i))
			names = append(names, name)
			g[name] = nil
			for range rapid.IntRange(0, 3).Draw(t, "edges") {
				last := n - 1
				if forward {
					last = i - 1
				}
				if last >= 0 {
					to := string(rune('a' + rapid.IntRange(0, last).Draw(t, "to")))
					g[name] = append(g[name], app.Dependency{App: to})
				}
			}
		}
		cycle := g.Cycle(names...)
		if cycle == nil {
			return
		}
		if forward {
			t.Fatalf("a circle %v in %v", cycle, g)
		}
		for i := range len(cycle) - 1 {
			if !slices.Contains(g[cycle[i]], app.Dependency{App: cycle[i+1]}) {
				t.Fatalf("%v is no path of %v", cycle, g)
			}
		}
		if cycle[0] != cycle[len(cycle)-1] {
			t.Fatalf("%v does not lead back", cycle)
		}
	})
}

func TestUnmet(t *testing.T) {
	online, exit := app.Status{State: app.Online, Goal: app.Up, Seq: 1}, func(code int, by string) app.Status {
		return app.Status{State: app.Stopped, Seq: 1, Exit: &app.Exit{Code: code, By: by}}
	}
	well := online
	well.Healthy = true
	apps := map[string]Facts{
		"up": {Instances: []app.Status{online}, Listens: func() bool { return false }}, "well": {Instances: []app.Status{well}, HasHealth: true},
		"half": {Instances: []app.Status{well, online}, HasHealth: true}, "booting": {Instances: []app.Status{{State: app.Launching, Goal: app.Up}}},
		"port": {Instances: []app.Status{online}, Listens: func() bool { return true }}, "done": {Instances: []app.Status{exit(0, "")}},
		"broken": {Instances: []app.Status{{State: app.Errored, Goal: app.Up, Reason: "exit code 3", Seq: 1}}}, "down": {Instances: []app.Status{exit(0, "user")}},
		"next": {Instances: []app.Status{{State: app.Stopped}}},
	}
	for dep, want := range map[string]string{
		"up": "", "well:healthy": "", "port:listening": "", "done:completed": "", "half": "",
		"up:listening": `waits until "up" listens`, "half:healthy": `waits until "half" is healthy`, "booting": `waits until "booting" is started`,
		"up:healthy": "has no health check, in vain", "broken:completed": "errored: exit code 3, in vain", "down:completed": "is stopped, in vain",
		"gone": "not in the list, in vain", "next": `waits until "next" is started`, "up:completed": "has completed",
	} {
		w, waits := Unmet(on(dep), func(name string) Facts { return apps[name] })
		got := w.Why
		if w.Vain {
			got += ", in vain"
		}
		if waits != (want != "") || !strings.Contains(got, want) || w.Vain != strings.Contains(want, "in vain") {
			t.Errorf("%s: %q, want %q", dep, got, want)
		}
	}
}
