package proc

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"gpm/app"
	"gpm/master"
)

func TestLifeIsReported(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, nil)
		st := r.must(r.Start(t.Context(), "user"))
		if st.State != app.Online || st.PID != 1001 || st.Start != 10010 || st.Seq != 1 || st.Goal != app.Up {
			t.Errorf("unexpected status after start: %+v", st)
		}
		r.pass(time.Minute)
		r.crash()
		r.must(r.Restart(t.Context(), "user"))
		r.must(r.Stop(t.Context(), "user"))
		r.must(r.Delete(t.Context(), "user"))
		<-r.over
		want := []app.EventKind{
			app.EventStart, app.EventOnline, app.EventExit, app.EventStart, app.EventOnline,
			app.EventRestart, app.EventExit, app.EventStart, app.EventOnline,
			app.EventExit, app.EventStop, app.EventDelete,
		}
		if got := r.kinds(); !slices.Equal(got, want) {
			t.Fatalf("got events\n%v, want\n%v", got, want)
		}
		crash := r.events[2]
		if crash.PID != 1001 || crash.Exit.Code != 1 || crash.Exit.Uptime != time.Minute || crash.Exit.By != "" ||
			crash.Name != "web" || crash.ID != 3 || crash.At.IsZero() || !slices.Equal(crash.Lines, []string{"last words"}) {
			t.Errorf("unexpected event of the crash: %+v, %+v", crash, crash.Exit)
		}
		if by := r.events[6].Exit.By; by != "user" {
			t.Errorf("the restart was by %q, want user", by)
		}
	})
}

func TestLongBackoff(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, func(c *Config, _ *rig) { c.Policy.RestartDelay = 15 * time.Minute })
		r.must(r.Start(t.Context(), "user"))
		r.crash()
		st := r.expect(app.Waiting)
		if wait := time.Until(st.Deadline); wait != 15*time.Minute || st.PID != 0 {
			t.Errorf("waits for %s with pid %d, want 15m and none", wait, st.PID)
		}
		r.pass(15*time.Minute - 1)
		r.expect(app.Waiting)
		r.pass(1)
		if st := r.expect(app.Online); st.Restarts != 1 || !st.Deadline.IsZero() {
			t.Errorf("got %d restarts, want 1", st.Restarts)
		}
	})
}

func TestCrashLoop(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, func(c *Config, r *rig) {
			r.launch = func(_ context.Context, seq uint64) (*fakeChild, error) {
				child := newFakeChild(seq)
				child.end(app.Exit{Code: 1})
				return child, nil
			}
		})
		r.must(r.Start(t.Context(), "user"))
		r.pass(15 * time.Minute)
		if st := r.expect(app.Errored); st.Seq != 16 || st.Goal != app.Up {
			t.Errorf("given up after %d runs with goal %s, want 16 and up", st.Seq, st.Goal)
		}
	})
}

func TestSpawnFailures(t *testing.T) {
	bubble(t, func(t *testing.T) {
		failures := map[uint64]error{
			1: fmt.Errorf("cannot execute: %w", fs.ErrNotExist),
			2: errors.New("out of processes"),
		}
		r := newRig(t, func(_ *Config, r *rig) {
			r.launch = func(_ context.Context, seq uint64) (*fakeChild, error) { return newFakeChild(seq), failures[seq] }
		})
		if st := r.must(r.Start(t.Context(), "user")); st.State != app.Errored || st.Exit.SpawnError == "" {
			t.Errorf("unexpected status: %+v", st)
		}
		if st := r.must(r.Start(t.Context(), "user")); st.State != app.Waiting || st.Unstable != 1 {
			t.Errorf("unexpected status: %+v", st)
		}
		r.pass(time.Second)
		r.expect(app.Online)
	})
}

func TestStopDuringSpawn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		forked := make(chan struct{})
		r := newRig(t, func(_ *Config, r *rig) {
			r.launch = func(_ context.Context, seq uint64) (*fakeChild, error) {
				<-forked
				return newFakeChild(seq), nil
			}
		})
		started := make(chan app.Status)
		go func() { st, _ := r.Start(t.Context(), "user"); started <- st }()
		synctest.Wait()
		r.expect(app.Launching)
		stopped := make(chan app.Status)
		go func() { st, _ := r.Stop(t.Context(), "user"); stopped <- st }()
		synctest.Wait()
		close(forked)
		if st := <-started; st.State != app.Online {
			t.Errorf("the start was answered with %s", st.State)
		}
		if st := <-stopped; st.State != app.Stopped || !r.latest().isReleased() {
			t.Errorf("the stop was answered with %s", st.State)
		}
	})
}

func TestContextEnd(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.must(r.Start(t.Context(), "user"))
		r.cancel()
		<-r.over
		if c := r.latest(); len(c.got()) != 0 || c.isReleased() {
			t.Error("the child was touched when the daemon ended")
		}
		if st := r.expect(app.Online); st.PID == 0 {
			t.Error("the last status has no pid")
		}
		if _, err := r.Stop(t.Context(), "user"); !errors.Is(err, app.ErrConflict) {
			t.Errorf("got %v, want a conflict", err)
		}
	})
}

// TestEndDuringLaunch covers both ways in which a launch is cut off: the daemon
// ends, or its master does. Neither is a failure of the app.
func TestEndDuringLaunch(t *testing.T) {
	for _, fail := range []error{context.Canceled, master.ErrGone} {
		bubble(t, func(t *testing.T) {
			r := newRig(t, func(_ *Config, r *rig) {
				r.launch = func(ctx context.Context, _ uint64) (*fakeChild, error) {
					if fail == context.Canceled {
						<-ctx.Done()
					}
					return nil, fail
				}
			})
			answer := make(chan error)
			go func() { _, err := r.Start(context.Background(), "user"); answer <- err }()
			synctest.Wait()
			r.cancel()
			<-r.over
			if err := <-answer; !errors.Is(err, app.ErrConflict) {
				t.Errorf("got %v, want a conflict", err)
			}
			if st := r.expect(app.Launching); st.Goal != app.Up || st.Exit != nil {
				t.Errorf("unexpected status: %+v", st)
			}
		})
	}
}

// TestEndDuringRelease checks that an exit which is not accounted for is left to
// the next daemon.
func TestEndDuringRelease(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.must(r.Start(t.Context(), "user"))
		r.latest().finish = func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}
		r.crash()
		r.cancel()
		<-r.over
		if st := r.expect(app.Online); st.Exit != nil || st.Seq != 1 || st.PID == 0 {
			t.Errorf("unexpected status: %+v", st)
		}
	})
}

// TestTroubleIsTold checks that failed signals and survivors reach the user.
func TestTroubleIsTold(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, func(_ *Config, r *rig) {
			r.launch = func(_ context.Context, seq uint64) (*fakeChild, error) {
				c := newFakeChild(seq)
				c.finish = func(context.Context) error { return errors.New("process 7 is left") }
				return c, nil
			}
		})
		r.must(r.Start(t.Context(), "user"))
		r.latest().released = true // its signals fail
		st := r.must(r.Stop(t.Context(), "user"))
		if st.Reason != "stop by user; signal to a released child" {
			t.Errorf("got reason %q", st.Reason)
		}
		i := slices.Index(r.kinds(), app.EventStuck)
		if i < 0 || r.events[i].Reason != "process 7 is left" || r.events[i].PID != 1001 {
			t.Errorf("the survivor is not told: %+v", r.events)
		}
	})
}

func TestCallerGivesUp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, func(c *Config, _ *rig) { c.Policy.WaitReady = true })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := r.Start(ctx, "user"); !errors.Is(err, app.ErrTimeout) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want a timeout", err)
		}
		r.pass(app.DefaultPolicy().ListenTimeout)
		if st := r.expect(app.Online); st.Reason == "" {
			t.Error("online without readiness and without a warning")
		}
	})
}

func TestReadyOfAnEarlierChild(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, func(c *Config, _ *rig) { c.Policy.WaitReady = true })
		online := make(chan error)
		go func() { _, err := r.Start(t.Context(), "user"); online <- err }()
		synctest.Wait()
		r.crash()
		if err := r.Ready(t.Context(), 1); err != nil {
			t.Error(err)
		}
		if st := r.expect(app.Launching); st.Seq != 2 {
			t.Errorf("got child %d, want 2", st.Seq)
		}
		if err := r.Ready(t.Context(), 2); err != nil {
			t.Error(err)
		}
		r.expect(app.Online)
		if err := <-online; err != nil {
			t.Error(err)
		}
	})
}

func TestSetPolicyAndReset(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.must(r.Start(t.Context(), "user"))
		r.crash()
		if st := r.must(r.Reset(t.Context())); st.Restarts != 0 || st.Unstable != 0 || st.Backoff != 0 {
			t.Errorf("counters after a reset: %+v", st)
		}
		p := app.DefaultPolicy()
		p.NoAutorestart = true
		if err := r.SetPolicy(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		r.crash()
		if st := r.expect(app.Stopped); st.Goal != app.Down {
			t.Errorf("got goal %s, want down", st.Goal)
		}
	})
}

func TestPermanent(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{&fs.PathError{Op: "chdir", Path: "/x", Err: fs.ErrNotExist}, true},
		{fmt.Errorf("cannot: %w", fs.ErrPermission), true},
		{app.Errorf(app.CodeInvalid, "cannot find user %q", "x"), true},
		{errors.New("resource temporarily unavailable"), false},
		{context.DeadlineExceeded, false},
	} {
		if got := Permanent(c.err); got != c.want {
			t.Errorf("%v: got %t, want %t", c.err, got, c.want)
		}
	}
}

// TestExitIsReportedBeforeRelease: a daemon that dies in between must leave the zombie as evidence.
func TestExitIsReportedBeforeRelease(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.must(r.Start(t.Context(), "user"))
		reported := false
		r.latest().onRelease = func() { reported = slices.Contains(r.kinds(), app.EventExit) }
		r.must(r.Stop(t.Context(), "user"))
		if !reported {
			t.Error("the child was reaped before its end was reported")
		}
	})
}
