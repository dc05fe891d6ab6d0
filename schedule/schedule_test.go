package schedule

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// clock is a wall clock that jumps.
type clock struct{ off atomic.Int64 }

func (c *clock) now() time.Time       { return time.Now().Add(time.Duration(c.off.Load())) }
func (c *clock) jump(d time.Duration) { c.off.Add(int64(d)) }

// lab is a running Runner within a synctest bubble.
type lab struct {
	t    *testing.T
	r    *Runner
	mu   sync.Mutex
	said []string
	stop func()
}

// newLab runs jobs that take as long as work says.
func newLab(t *testing.T, now func() time.Time, work time.Duration) *lab {
	l := &lab{t: t}
	began := time.Now()
	at := func(d time.Time) string { return fmt.Sprint(d.Sub(began).Round(time.Second)) }
	l.r = New(Options{
		Now: now,
		Run: func(ctx context.Context, _ string, _ time.Time) error {
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-time.After(work):
				return nil
			}
		},
		Done: func(o Outcome) {
			what := o.Left
			if what == "" {
				what = fmt.Sprintf("ran %v", o.Ended.Sub(o.Begun))
			}
			if o.Err != nil {
				what = o.Err.Error()
			}
			l.mu.Lock()
			defer l.mu.Unlock()
			l.said = append(l.said, fmt.Sprintf("%s %s: %s", o.ID, at(o.Due), what))
		},
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.r.Run(ctx) }()
	l.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	synctest.Wait()
	return l
}

func (l *lab) add(id, expr string, j Job, last time.Time) {
	l.t.Helper()
	when, err := Parse(expr, "UTC")
	if err != nil {
		l.t.Fatal(err)
	}
	j.When = when
	if err := l.r.Add(id, j, last); err != nil {
		l.t.Fatal(err)
	}
}

// after lets fake time pass and takes what was said.
func (l *lab) after(d time.Duration) []string {
	<-time.After(d)
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	said := l.said
	l.said = nil
	return said
}

func (l *lab) expect(d time.Duration, want ...string) {
	l.t.Helper()
	if got := l.after(d); fmt.Sprint(got) != fmt.Sprint(want) {
		l.t.Errorf("said %q, want %q", got, want)
	}
}

func TestOverlap(t *testing.T) {
	for _, c := range []struct {
		overlap Overlap
		want    []string
	}{
		{Skip, []string{"a 20s: still running", "a 30s: still running", "a 10s: ran 26s", "a 50s: still running"}},
		{Queue, []string{"a 30s: one waits already", "a 10s: ran 26s", "a 50s: one waits already"}},
		{Replace, []string{"a 10s: the next run is due", "a 20s: the next run is due", "a 30s: the next run is due", "a 40s: the next run is due"}},
	} {
		t.Run(c.overlap.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, nil, 26*time.Second)
				l.add("a", "@every 10s", Job{Overlap: c.overlap}, time.Time{})
				l.expect(52*time.Second, c.want...)
				l.stop()
			})
		})
	}
}

func TestLimitAndRemove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, nil, time.Hour)
		l.add("a", "@every 10s", Job{Limit: 3 * time.Second}, time.Time{})
		l.expect(14*time.Second, "a 10s: context deadline exceeded")
		<-time.After(7 * time.Second)
		l.r.Remove("a")
		l.r.Remove("a")
		l.expect(time.Minute, "a 20s: the schedule was removed")
		l.stop()
	})
}

func TestMissed(t *testing.T) {
	for _, c := range []struct {
		missed Missed
		want   []string
	}{
		{Forget, []string{"a 1h0m0s: missed", "a 6h0m0s: ran 1s"}},
		{Once, []string{"a 1h0m0s: ran 1s", "a 6h0m0s: ran 1s"}},
	} {
		t.Run(c.missed.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var clock clock
				l := newLab(t, clock.now, time.Second)
				l.add("a", "0 * * * *", Job{Missed: c.missed}, time.Time{})
				clock.jump(5*time.Hour + 30*time.Minute) // the machine slept
				l.expect(time.Hour, c.want...)
				l.stop()
			})
		})
	}
}

func TestMissedWhileDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, nil, time.Second)
		l.add("once", "0 * * * *", Job{Missed: Once}, time.Now().Add(-3*time.Hour))
		l.add("skip", "0 * * * *", Job{Missed: Forget}, time.Now().Add(-3*time.Hour))
		l.expect(time.Minute, "once -2h0m0s: ran 1s")
		l.stop()
	})
}

// TestHiccup: a pause makes no crowd of runs.
func TestHiccup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var clock clock
		l := newLab(t, clock.now, 0)
		l.add("a", "@every 1s", Job{}, time.Time{})
		synctest.Wait()
		clock.jump(50 * time.Second)
		l.expect(2500*time.Millisecond, "a 1s: ran 0s", "a 52s: ran 0s")
		l.stop()
	})
}

// TestClockSetBack: neither twice, nor silent until a wrong future comes.
func TestClockSetBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var clock clock
		l := newLab(t, clock.now, time.Second)
		l.add("a", "0 * * * *", Job{}, time.Time{})
		l.expect(time.Hour+time.Minute, "a 1h0m0s: ran 1s")
		clock.jump(-10 * 24 * time.Hour)
		if got := l.after(time.Hour); len(got) != 1 {
			t.Errorf("in the hour after: %q", got)
		}
		l.stop()
	})
}

func TestStopEndsRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, nil, time.Hour)
		l.add("a", "@every 1s", Job{Overlap: Queue}, time.Time{})
		<-time.After(5500 * time.Millisecond)
		if s := l.r.List(); len(s) != 1 || !s[0].Running || !s[0].Waiting {
			t.Errorf("%+v", s)
		}
		l.stop()
		got := l.after(0)
		if got[len(got)-1] != "a 1s: context canceled" {
			t.Errorf("%q", got)
		}
		if err := l.r.Add("b", Job{}, time.Time{}); !errors.Is(err, ErrClosed) {
			t.Errorf("after the end: %v", err)
		}
	})
}

func TestManyJobsOneTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, nil, 0)
		for i := range 1000 {
			l.add(fmt.Sprint(i), fmt.Sprintf("%d * * * *", i%60), Job{}, time.Time{})
		}
		for i := range 500 {
			l.r.Remove(fmt.Sprint(i))
		}
		if got := len(l.after(time.Hour)); got != 500 {
			t.Errorf("%d runs within the hour, want 500", got)
		}
		l.stop()
	})
}

func TestPolicyText(t *testing.T) {
	var o Overlap
	var m Missed
	if o.UnmarshalText([]byte("replace")) != nil || o != Replace || m.UnmarshalText([]byte("once")) != nil || m != Once {
		t.Errorf("%v %v", o, m)
	}
	if o.UnmarshalText([]byte("x")) == nil || m.UnmarshalText([]byte("x")) == nil || m.UnmarshalText(nil) != nil || m != Forget {
		t.Error("wrong words are accepted, or none is not")
	}
}
