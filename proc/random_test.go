package proc

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gpm/app"
)

// world is a Machine, its one possible child and the clock.
type world struct {
	m      Machine
	policy app.Policy
	now    time.Time
	child  bool
}

// send gives an event and performs its effect; it returns the first broken promise.
func (w *world) send(ev Event, spawnFails bool) error {
	before := w.m
	var effect Effect
	w.m, effect = Step(w.m, ev, w.now, w.policy)
	if before.isGone() && (w.m != before || effect != None) {
		return fmt.Errorf("%s revived what is gone", ev.Kind)
	}
	if before.Goal == app.Gone && w.m.Goal != app.Gone {
		return fmt.Errorf("%s took back a delete", ev.Kind)
	}
	if err := w.perform(effect, spawnFails); err != nil {
		return fmt.Errorf("%s in %s: %w", ev.Kind, before.State, err)
	}
	return w.check()
}

func (w *world) perform(effect Effect, spawnFails bool) error {
	switch effect {
	case Spawn:
		if w.child {
			return fmt.Errorf("a second child")
		}
		if spawnFails {
			return w.send(Event{Kind: SpawnFailed, Exit: app.Exit{Code: -1, SpawnError: "why"}}, spawnFails)
		}
		w.child = true
		return w.send(Event{Kind: Spawned}, spawnFails)
	case Terminate, Kill:
		if !w.child {
			return fmt.Errorf("a signal to nobody")
		}
	case Release:
		if w.child || !w.m.isGone() {
			return fmt.Errorf("released while something is left")
		}
	}
	return nil
}

// check looks at what must hold between events.
func (w *world) check() error {
	m := w.m
	waits := m.State == app.Launching || m.State == app.Stopping || m.State == app.Waiting
	never := m.State == app.Stopped || m.State == app.Errored
	switch {
	case m.State.HasChild() != w.child:
		return fmt.Errorf("%s with child %t", m.State, w.child)
	case waits && m.Deadline.IsZero():
		return fmt.Errorf("%s waits without a deadline", m.State)
	case never && !m.Deadline.IsZero():
		return fmt.Errorf("%s waits for %s", m.State, m.Deadline)
	case m.State == app.Online && m.Deadline.IsZero() && m.Unstable != 0:
		return fmt.Errorf("a stable run keeps its streak of %d", m.Unstable)
	case m.Goal == app.Up && m.State == app.Stopped, m.Goal == app.Down && m.State == app.Online:
		return fmt.Errorf("%s with goal %s", m.State, m.Goal)
	case m.Restarts < 0 || uint64(m.Restarts) > m.Seq:
		return fmt.Errorf("%d restarts of %d children", m.Restarts, m.Seq)
	}
	return nil
}

// exit ends the child, if there is one.
func (w *world) exit(code int, rand float64) error {
	if !w.child {
		return nil
	}
	w.child = false
	return w.send(Event{Kind: Exited, Exit: app.Exit{Code: code}, Rand: rand}, false)
}

func drawPolicy(t *rapid.T) app.Policy {
	limit := func(name string) time.Duration {
		return time.Duration(rapid.IntRange(0, 5000).Draw(t, name)) * time.Millisecond
	}
	return app.Policy{
		NoAutorestart: rapid.Bool().Draw(t, "autorestart off"),
		StopExitCodes: rapid.SliceOfN(rapid.IntRange(0, 3), 0, 2).Draw(t, "final"),
		MinUptime:     limit("min uptime"), StableAfter: limit("stable"),
		MaxRestarts:  rapid.IntRange(0, 4).Draw(t, "max restarts"),
		RestartDelay: limit("delay"), BackoffFirst: limit("first"), BackoffMax: limit("max"),
		KillTimeout: limit("kill"), ListenTimeout: limit("listen"),
		WaitReady: rapid.Bool().Draw(t, "wait ready"),
	}
}

func TestRandomWalk(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &world{now: time.Unix(1e9, 0), policy: drawPolicy(t)}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			w.now = w.now.Add(time.Duration(rapid.IntRange(0, 4000).Draw(t, "ms")) * time.Millisecond)
			kind := rapid.SampledFrom([]Kind{Start, Restart, Stop, Delete, Reset, Ready, Exited, Exited, Tick, Tick, Tick}).Draw(t, "event")
			fails := rapid.IntRange(0, 3).Draw(t, "spawn fails") == 0
			var err error
			if kind == Exited {
				err = w.exit(rapid.IntRange(0, 3).Draw(t, "code"), rapid.Float64Range(0, 0.999).Draw(t, "rand"))
			} else {
				err = w.send(Event{Kind: kind, By: "walk"}, fails)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	})
}

// FuzzStep drives the same world from bytes: each is one event, and time moves
// by its upper bits.
func FuzzStep(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3}, true)
	f.Add([]byte{0, 6, 0x96, 6, 0x97, 2, 0xf7, 0xf7}, false)
	f.Add([]byte{0, 3, 0xf7, 0, 6}, false)
	f.Fuzz(func(t *testing.T, script []byte, waitReady bool) {
		w := &world{now: time.Unix(1e9, 0), policy: app.DefaultPolicy()}
		w.policy.WaitReady = waitReady
		for _, b := range script {
			w.now = w.now.Add(time.Duration(b>>4) * 500 * time.Millisecond)
			var err error
			switch kind := []Kind{Start, Restart, Stop, Delete, Reset, Ready, Exited, Tick}[b&7]; kind {
			case Exited:
				err = w.exit(int(b>>3)&1, 0.5)
			default:
				err = w.send(Event{Kind: kind}, b&8 != 0)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	})
}
