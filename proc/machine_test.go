package proc

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gpm/app"
)

var update = flag.Bool("update", false, "write the golden file of the transition table")

// TestTable compares the printed table with the golden file, which is also part
// of the architecture page.
func TestTable(t *testing.T) {
	golden := filepath.Join("testdata", "table.md")
	got := Table()
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the table has changed; look at it and run with -update:\n%s", got)
	}
}

// TestEveryCell states the table by hand, in the order of tableStates; the golden
// file alone would accept whatever the code does.
func TestEveryCell(t *testing.T) {
	const spawn, term, gone, byGoal = "Launching / Spawn", "Stopping / Terminate", "– / Release", "*by goal*"
	want := map[string][8]string{
		"Start (goal := Up)":                   {spawn, "", "", "", "", spawn, spawn, ""},
		"Restart (goal := Up)":                 {spawn, term, term, "", "", spawn, spawn, term},
		"Stop (goal := Down)":                  {"", term, term, "", "", "Stopped", "Stopped", term},
		"Delete (goal := Gone)":                {gone, term, term, "", "", gone, gone, term},
		"Hold (goal := Up)":                    {"Waiting", "", "", "", "", "", "Waiting", ""},
		"Spawned":                              {"", "Online", "", "", "", "", "", ""},
		"Spawned, readiness is awaited":        {"", "", "", "", "", "", "", ""},
		"Ready":                                {"", "Online", "", "", "", "", "", ""},
		"Unwell":                               {"", "", "Unhealthy", "", "", "", "", ""},
		"Well":                                 {"", "", "", "", "", "", "", "Online"},
		"SpawnFailed, for good":                {"", "Errored", "", "", "", "", "", ""},
		"SpawnFailed":                          {"", "Waiting", "", "", "", "", "", ""},
		"Exited, restarts off or a final code": {"", "Stopped", "Stopped", byGoal, byGoal, "", "", "Stopped"},
		"Exited, unstable too often":           {"", "Errored", "Errored", byGoal, byGoal, "", "", "Errored"},
		"Exited, without a delay":              {"", spawn, spawn, byGoal, byGoal, "", "", spawn},
		"Exited, with a delay":                 {"", "Waiting", "Waiting", byGoal, byGoal, "", "", "Waiting"},
		"Tick (at the deadline)":               {"", "Online", "streak := 0", "Killing / Kill", "stuck", spawn, "", ""},
	}
	for _, r := range tableRows() {
		for i, s := range tableStates {
			if got, _ := cell(s, r); got != want[r.name][i] {
				t.Errorf("%s in %s: got %q, want %q", r.name, stateHeads[i], got, want[r.name][i])
			}
		}
	}
	if len(want) != len(tableRows()) {
		t.Errorf("the table has %d rows, %d are stated here", len(tableRows()), len(want))
	}
	if !strings.HasSuffix(Table(), "\n*by goal*: up → Launching / Spawn; down → Stopped; gone → – / Release\n") {
		t.Error("the note on goals is missing or not alone")
	}
}

// life drives a Machine through time as an owner would, with a child that does
// what the test says.
type life struct {
	m      Machine
	now    time.Time
	policy app.Policy
	effect Effect
}

func newLife(change func(*app.Policy)) *life {
	p := app.DefaultPolicy()
	if change != nil {
		change(&p)
	}
	return &life{now: time.Unix(1e9, 0), policy: p}
}

// do steps and answers a Spawn with Spawned.
func (l *life) do(ev Event) *life {
	l.m, l.effect = Step(l.m, ev, l.now, l.policy)
	if l.effect == Spawn {
		l.m, _ = Step(l.m, Event{Kind: Spawned}, l.now, l.policy)
	}
	return l
}

// crash lets the child run for some time and end with code 1.
func (l *life) crash(after time.Duration) *life {
	return l.run(after, app.Exit{Code: 1})
}

func (l *life) run(after time.Duration, exit app.Exit) *life {
	l.pass(after)
	return l.do(Event{Kind: Exited, Exit: exit, Rand: 0.5})
}

// pass lets time pass, with a tick at its end.
func (l *life) pass(d time.Duration) *life {
	l.now = l.now.Add(d)
	return l.do(Event{Kind: Tick})
}

// wait passes exactly the time until the deadline and says how long it was.
func (l *life) wait() time.Duration {
	d := l.m.Deadline.Sub(l.now)
	l.pass(d)
	return d
}

func (l *life) expect(t *testing.T, state app.State, goal app.Goal) {
	t.Helper()
	if l.m.State != state || l.m.Goal != goal {
		t.Fatalf("got %s with goal %s (%s), want %s with goal %s", l.m.State, l.m.Goal, l.m.Reason, state, goal)
	}
}

func TestCrashLoopEndsErrored(t *testing.T) {
	l := newLife(func(p *app.Policy) { p.MaxRestarts = 4 }).do(Event{Kind: Start, By: "user"})
	l.pass(time.Hour) // the age of the app must not matter
	l.crash(0)
	for level := range 3 {
		l.expect(t, app.Online, app.Up)
		l.crash(time.Millisecond)
		l.expect(t, app.Waiting, app.Up)
		if got, want := l.wait(), 100*time.Millisecond<<level; got != want {
			t.Errorf("wait %d: got %s, want %s", level, got, want)
		}
	}
	l.crash(time.Millisecond)
	l.expect(t, app.Errored, app.Up)
	if l.m.Restarts != 4 || l.m.Unstable != 4 {
		t.Errorf("got %d restarts and %d unstable runs, want 4 and 4", l.m.Restarts, l.m.Unstable)
	}
}

// An app that always dies just after MinUptime is never errored, but is
// restarted ever more slowly.
func TestDyingAfterMinUptime(t *testing.T) {
	l := newLife(nil).do(Event{Kind: Start})
	var waits []time.Duration
	for range 10 {
		l.crash(l.policy.MinUptime)
		if l.m.State == app.Waiting {
			waits = append(waits, l.wait())
		}
	}
	l.expect(t, app.Online, app.Up)
	const ms = time.Millisecond
	want := []time.Duration{100 * ms, 200 * ms, 400 * ms, 800 * ms, 1600 * ms, 3200 * ms, 6400 * ms, 12800 * ms, 15000 * ms}
	for i, w := range want {
		if waits[i] != w {
			t.Errorf("wait %d: got %s, want %s", i, waits[i], w)
		}
	}
	if l.m.Restarts != 10 || l.m.Unstable != 0 {
		t.Errorf("got %d restarts and %d unstable runs, want 10 and 0", l.m.Restarts, l.m.Unstable)
	}
}

func TestStableRunResets(t *testing.T) {
	l := newLife(nil).do(Event{Kind: Start}).crash(0).crash(0)
	l.wait()
	if l.m.Unstable != 2 || l.m.Backoff != 2 {
		t.Fatalf("got streak %d and level %d, want 2 and 2", l.m.Unstable, l.m.Backoff)
	}
	l.pass(l.policy.MinUptime)
	if l.m.Unstable != 0 || l.m.Backoff != 2 {
		t.Fatalf("after the minimum uptime: got streak %d and level %d, want 0 and 2", l.m.Unstable, l.m.Backoff)
	}
	l.crash(l.policy.StableAfter)
	l.expect(t, app.Online, app.Up) // at once, without waiting
	if l.m.Backoff != 1 {
		t.Errorf("got level %d, want 1", l.m.Backoff)
	}
}

func TestVerdict(t *testing.T) {
	type policy = app.Policy
	exit := func(code int) app.Exit { return app.Exit{Code: code} }
	killed := app.Exit{Code: -1, Signal: "SIGKILL"}
	for _, c := range []struct {
		name   string
		change func(*policy)
		ran    time.Duration
		exit   app.Exit
		state  app.State
		goal   app.Goal
	}{
		{"restarts off", func(p *policy) { p.NoAutorestart = true }, 0, exit(1), app.Stopped, app.Down},
		{"restarts off, by signal", func(p *policy) { p.NoAutorestart = true }, 0, killed, app.Stopped, app.Down},
		{"final code", func(p *policy) { p.StopExitCodes = []int{0, 3} }, 0, exit(3), app.Stopped, app.Down},
		{"other code", func(p *policy) { p.StopExitCodes = []int{3} }, 0, exit(0), app.Online, app.Up},
		{"a signal is no code", func(p *policy) { p.StopExitCodes = []int{0, -1} }, 0, killed, app.Online, app.Up},
		{"unseen is no code", func(p *policy) { p.StopExitCodes = []int{0, -1} }, 0, app.Exit{Code: -1, Unknown: true}, app.Online, app.Up},
		{"no restarts, unstable", func(p *policy) { p.MaxRestarts = 0 }, 0, exit(1), app.Errored, app.Up},
		{"no restarts, stable", func(p *policy) { p.MaxRestarts = 0 }, time.Minute, exit(1), app.Online, app.Up},
		{"fixed delay", func(p *policy) { p.RestartDelay = time.Second }, time.Minute, exit(0), app.Waiting, app.Up},
		{"no minimum uptime", func(p *policy) { p.MinUptime, p.MaxRestarts = 0, 1 }, 0, exit(1), app.Online, app.Up},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLife(c.change).do(Event{Kind: Start}).run(c.ran, c.exit)
			l.expect(t, c.state, c.goal)
			if l.m.Exit.Uptime != c.ran || l.m.Exit.By != "" {
				t.Errorf("got uptime %s by %q, want %s by nobody", l.m.Exit.Uptime, l.m.Exit.By, c.ran)
			}
		})
	}
}

func TestSpawnFailure(t *testing.T) {
	failed := app.Exit{Code: -1, SpawnError: "no such file"}
	for _, c := range []struct {
		name      string
		permanent bool
		change    func(*app.Policy)
		state     app.State
	}{
		{"permanent", true, nil, app.Errored},
		{"passing", false, nil, app.Waiting},
		{"restarts off", false, func(p *app.Policy) { p.NoAutorestart = true }, app.Errored},
		{"too often", false, func(p *app.Policy) { p.MinUptime, p.MaxRestarts = 0, 1 }, app.Errored},
		{"no back-off", false, func(p *app.Policy) { p.BackoffFirst = 0 }, app.Waiting},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLife(c.change)
			l.m, _ = Step(l.m, Event{Kind: Start}, l.now, l.policy)
			l.m, _ = Step(l.m, Event{Kind: SpawnFailed, Exit: failed, Permanent: c.permanent}, l.now, l.policy)
			l.expect(t, c.state, app.Up)
			if !strings.Contains(l.m.Reason, "no such file") || l.m.Exit.SpawnError == "" {
				t.Errorf("the reason is lost: %q, %v", l.m.Reason, l.m.Exit)
			}
		})
	}
}

func TestRestartCounts(t *testing.T) {
	l := newLife(nil)
	count := func(what string, want int) {
		t.Helper()
		if l.m.Restarts != want {
			t.Fatalf("after %s: got %d restarts, want %d", what, l.m.Restarts, want)
		}
	}
	l.do(Event{Kind: Restart})
	count("a restart of what never ran", 0)
	l.do(Event{Kind: Restart, By: "user"}).do(Event{Kind: Restart, By: "user"}).crash(0)
	count("two restarts during one stop", 1)
	if l.m.Exit.By != "user" {
		t.Errorf("the exit is by %q, want user", l.m.Exit.By)
	}
	l.crash(time.Minute)
	count("a crash", 2)
	l.do(Event{Kind: Stop}).crash(0).do(Event{Kind: Restart})
	count("a restart of what was stopped", 2)
	l.do(Event{Kind: Stop}).crash(0).do(Event{Kind: Start})
	count("stop and start", 2)
	l.do(Event{Kind: Reset})
	count("a reset", 0)
}

// TestRestartForgives checks that a user's command gives a crash loop a new life.
func TestRestartForgives(t *testing.T) {
	for _, kind := range []Kind{Start, Restart} {
		l := newLife(func(p *app.Policy) { p.MaxRestarts = 1 }).do(Event{Kind: Start}).crash(0)
		l.expect(t, app.Errored, app.Up)
		l.do(Event{Kind: kind})
		l.expect(t, app.Online, app.Up)
		if l.m.Unstable != 0 || l.m.Backoff != 0 {
			t.Errorf("%s: streak %d and level %d are left", kind, l.m.Unstable, l.m.Backoff)
		}
	}
}

// TestStaleDeadline is the scenario in which a timer set for one stop kills the
// process in the middle of a later one.
func TestStaleDeadline(t *testing.T) {
	l := newLife(func(p *app.Policy) { p.KillTimeout = time.Second }).do(Event{Kind: Start})
	l.do(Event{Kind: Stop}).crash(0).do(Event{Kind: Start})
	l.pass(760 * time.Millisecond).do(Event{Kind: Stop})
	for range 99 {
		if l.pass(10 * time.Millisecond); l.effect == Kill {
			t.Fatal("killed before its kill timeout was over")
		}
	}
	if l.pass(10 * time.Millisecond); l.effect != Kill {
		t.Fatal("not killed when its kill timeout was over")
	}
}

func TestReadiness(t *testing.T) {
	await := func(p *app.Policy) { p.WaitReady = true }
	l := newLife(await).do(Event{Kind: Start})
	l.expect(t, app.Launching, app.Up)
	l.pass(time.Second).do(Event{Kind: Ready}).expect(t, app.Online, app.Up)
	if l.m.Reason != "" || !l.m.Deadline.IsZero() {
		t.Errorf("a run longer than the minimum uptime waits for %s with reason %q", l.m.Deadline, l.m.Reason)
	}
	l = newLife(await).do(Event{Kind: Start})
	if d := l.wait(); d != l.policy.ListenTimeout || l.m.Reason == "" {
		t.Errorf("online after %s with reason %q, want %s and a warning", d, l.m.Reason, l.policy.ListenTimeout)
	}
	l.expect(t, app.Online, app.Up)
	newLife(await).do(Event{Kind: Start}).crash(time.Millisecond).expect(t, app.Launching, app.Up)
}

func TestGoneIsFinal(t *testing.T) {
	l := newLife(nil).do(Event{Kind: Start}).do(Event{Kind: Delete})
	l.do(Event{Kind: Start}).do(Event{Kind: Restart}).expect(t, app.Stopping, app.Gone)
	if l.crash(0); l.effect != Release {
		t.Fatalf("got effect %s, want Release", l.effect)
	}
	before := l.m
	for kind := range Tick + 1 {
		if l.do(Event{Kind: kind}); l.m != before || l.effect != None {
			t.Errorf("%s revived what is gone", kind)
		}
	}
}

func TestDelay(t *testing.T) {
	p := app.DefaultPolicy()
	for _, c := range []struct {
		level int
		rand  float64
		want  time.Duration
	}{
		{0, 0.5, 0}, {1, 0, 80 * time.Millisecond}, {1, 0.5, 100 * time.Millisecond}, {2, 0.5, 200 * time.Millisecond},
		{8, 0, 10240 * time.Millisecond}, {9, 0, 12 * time.Second}, {9, 0.9, 15 * time.Second}, {1 << 40, 0, 12 * time.Second},
	} {
		if got := delay(c.level, c.rand, p); got != c.want {
			t.Errorf("level %d with %v: got %s, want %s", c.level, c.rand, got, c.want)
		}
	}
	if got := delay(3, 0.5, app.Policy{BackoffMax: time.Second}); got != 0 {
		t.Errorf("without a first delay: got %s, want none", got)
	}
}
