package proc

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"gpm/app"
)

func TestStubbornChild(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, func(c *Config, r *rig) {
			c.Policy.KillSignal = "SIGTERM"
			r.launch = func(_ context.Context, seq uint64) (*fakeChild, error) {
				c := newFakeChild(seq)
				c.terminate = func(*fakeChild, string) {}
				return c, nil
			}
		})
		r.must(r.Start(t.Context(), "user"))
		begin := time.Now()
		st := r.must(r.Stop(t.Context(), "user"))
		if d := time.Since(begin); d != 5*time.Second || st.Exit.Signal != "SIGKILL" || st.Exit.By != "user" {
			t.Errorf("stopped after %s by %+v, want 5s and SIGKILL by user", d, st.Exit)
		}
		if got := r.latest().got(); !slices.Equal(got, []string{"SIGTERM", "SIGKILL"}) {
			t.Errorf("got signals %v", got)
		}
	})
}

func TestStuckChild(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, func(_ *Config, r *rig) {
			r.launch = func(_ context.Context, seq uint64) (*fakeChild, error) {
				c := newFakeChild(seq)
				c.terminate, c.kill = func(*fakeChild, string) {}, func(*fakeChild) {}
				return c, nil
			}
		})
		r.must(r.Start(t.Context(), "user"))
		if _, err := r.Restart(t.Context(), "user"); !errors.Is(err, app.ErrStuck) {
			t.Errorf("got %v, want stuck", err)
		}
		if _, err := r.Stop(t.Context(), "user"); !errors.Is(err, app.ErrStuck) {
			t.Errorf("got %v, want stuck at once", err)
		}
		if !slices.Contains(r.kinds(), app.EventStuck) {
			t.Errorf("no event tells it: %v", r.kinds())
		}
		r.latest().end(app.Exit{Code: -1, Signal: "SIGKILL"})
		synctest.Wait()
		r.expect(app.Stopped)
	})
}

// TestWrapper checks that a server behind a shell that dies of the signal at
// once still has its time to drain, but no more than that.
func TestWrapper(t *testing.T) {
	for _, c := range []struct {
		name   string
		drains time.Duration
		want   time.Duration // at least, and little more
	}{
		{"drains", time.Second, time.Second},
		{"hangs", time.Hour, 5 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := newRig(t, nil)
				r.must(r.Start(t.Context(), "user"))
				child := r.latest()
				child.setTree(1)
				drained := time.AfterFunc(c.drains, func() { child.setTree(0) })
				defer drained.Stop()
				begin := time.Now()
				r.must(r.Stop(t.Context(), "user"))
				if d := time.Since(begin); d < c.want || d > c.want+lingerMax {
					t.Errorf("stopped after %s, want %s", d, c.want)
				}
				killed := slices.Contains(child.got(), "SIGKILL")
				if killed != (c.name == "hangs") {
					t.Errorf("got signals %v", child.got())
				}
			})
		})
	}
}

// TestCrashIsNotPolite checks that what a crashed leader leaves behind is not
// waited for: it keeps the port busy.
func TestCrashIsNotPolite(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.must(r.Start(t.Context(), "user"))
		first := r.latest()
		first.setTree(3)
		r.crash()
		if st := r.expect(app.Online); st.Seq != 2 || !first.isReleased() {
			t.Errorf("not restarted at once: %+v", st)
		}
	})
}

func TestDeleted(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, func(_ *Config, r *rig) {
			r.launch = func(_ context.Context, seq uint64) (*fakeChild, error) {
				c := newFakeChild(seq)
				c.terminate = func(*fakeChild, string) {}
				return c, nil
			}
		})
		r.must(r.Start(t.Context(), "user"))
		deleted := make(chan error)
		go func() { _, err := r.Delete(t.Context(), "user"); deleted <- err }()
		synctest.Wait()
		if _, err := r.Start(t.Context(), "user"); !errors.Is(err, app.ErrConflict) {
			t.Errorf("start during a delete: got %v, want a conflict", err)
		}
		if err := <-deleted; err != nil {
			t.Error(err)
		}
		<-r.over
		if _, err := r.Start(t.Context(), "user"); !errors.Is(err, app.ErrNotFound) {
			t.Errorf("start after a delete: got %v, want not found", err)
		}
	})
}
