package health

import (
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gpm/app"
)

var begin = time.Unix(1e9, 0)

// life drives a Monitor: a process whose answers are told in advance.
type life struct {
	m      Monitor
	now    time.Time
	health app.Health
}

func newLife(h app.Health) *life {
	l := &life{now: begin, health: h.WithDefaults()}
	l.do(Began{Seq: 1, Since: begin})
	return l
}

func (l *life) do(ev Event) Effect {
	var effect Effect
	l.m, effect = Step(l.m, ev, l.now, l.health)
	return effect
}

// next passes the time until something is due.
func (l *life) next() Effect {
	l.now = l.m.Deadline()
	return l.do(Tick{})
}

// answer has the next question answered; wrong "" is yes.
func (l *life) answer(t *testing.T, wrong string) Effect {
	t.Helper()
	if effect := l.next(); effect != Ask {
		t.Fatalf("at %s: effect %d, want a question", l.now.Sub(begin), effect)
	}
	if wrong == "" {
		return l.do(Answer{Seq: l.m.Seq})
	}
	return l.do(Answer{Seq: l.m.Seq, Wrong: errors.New(wrong)})
}

func (l *life) at() time.Duration { return l.now.Sub(begin) }

func TestIllAfterRetriesIsReplaced(t *testing.T) {
	l := newLife(app.Health{Interval: 10 * time.Second, Retries: 3})
	if effect := l.answer(t, ""); effect != Passed || l.at() != time.Second {
		t.Fatalf("effect %d at %s", effect, l.at())
	}
	for range 2 {
		if effect := l.answer(t, "503"); effect != None || l.m.Judged != Well {
			t.Fatalf("effect %d before the last try", effect)
		}
	}
	if effect := l.answer(t, "503"); effect != Failed || l.at() != 31*time.Second || l.m.Why != "503" {
		t.Fatalf("effect %d at %s: %s", effect, l.at(), l.m.Why)
	}
	if effect := l.next(); effect != Replace || l.at() != 31*time.Second {
		t.Fatalf("effect %d at %s, want a replacement at once", effect, l.at())
	}
}

// TestOnePassForgivesFailures that came before it.
func TestOnePassForgivesFailures(t *testing.T) {
	l := newLife(app.Health{Retries: 2})
	for range 5 {
		if l.answer(t, "no") == Failed {
			t.Fatal("ill though it passed in between")
		}
		l.answer(t, "")
	}
	if l.m.Failures != 0 || l.m.Judged != Well {
		t.Errorf("%+v", l.m)
	}
}

func TestStartPeriod(t *testing.T) {
	l := newLife(app.Health{Interval: 10 * time.Second, Retries: 1, StartPeriod: 30 * time.Second})
	for l.at() < 29*time.Second {
		if effect := l.answer(t, "not yet"); effect != None {
			t.Fatalf("effect %d at %s", effect, l.at())
		}
	}
	if effect := l.answer(t, "not yet"); effect != Failed {
		t.Fatalf("effect %d after the start period", effect)
	}
	l = newLife(app.Health{Interval: 10 * time.Second, Retries: 1, StartPeriod: time.Hour})
	l.answer(t, "")
	if effect := l.answer(t, "broken"); effect != Failed {
		t.Error("the start period protects a process that has passed")
	}
}

// TestReplacementsThatDoNotHelpAreSpaced ever more, and a pass ends that.
func TestReplacementsThatDoNotHelpAreSpaced(t *testing.T) {
	l := newLife(app.Health{Interval: time.Second, Retries: 1})
	for i, want := range []time.Duration{0, 10 * time.Second, 20 * time.Second, 40 * time.Second} {
		if effect := l.answer(t, "no"); effect != Failed {
			t.Fatalf("effect %d", effect)
		}
		ill := l.now
		for l.next() != Replace {
			l.do(Answer{Seq: l.m.Seq, Wrong: errors.New("no")})
		}
		if got := l.now.Sub(ill); got != want {
			t.Errorf("replacement %d after %s, want %s", i, got, want)
		}
		l.do(Ended{})
		l.do(Began{Seq: uint64(i + 2), Since: l.now})
	}
	l.answer(t, "")
	if l.m.Streak != 0 {
		t.Error("a pass does not end the series")
	}
}

// TestRecovery: an ill process that cannot be replaced goes on, and may become well.
func TestRecovery(t *testing.T) {
	l := newLife(app.Health{Interval: time.Second, Retries: 1})
	l.answer(t, "no")
	if l.next() != Replace {
		t.Fatal("it is not replaced")
	}
	if effect := l.answer(t, ""); effect != Passed || !l.m.EndAt.IsZero() {
		t.Errorf("effect %d, to be replaced at %s", effect, l.m.EndAt)
	}
}

// TestWalk: whatever happens, an answer is awaited only of the present process, a question is asked only when none is
// out, and there is a deadline whenever a process is there and no answer is awaited.
func TestWalk(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := &life{now: begin, health: app.Health{
			Interval: time.Duration(rapid.IntRange(1, 20).Draw(t, "interval")) * time.Second, Retries: rapid.IntRange(1, 4).Draw(t, "retries"),
			StartPeriod: time.Duration(rapid.IntRange(0, 30).Draw(t, "start")) * time.Second,
		}.WithDefaults()}
		seq := uint64(0)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			before := l.m
			var effect Effect
			switch rapid.IntRange(0, 4).Draw(t, "event") {
			case 0:
				seq++
				effect = l.do(Began{seq, l.now})
			case 1:
				effect = l.do(Ended{})
			case 2:
				effect = l.do(Answer{Seq: l.m.Seq})
			case 3:
				effect = l.do(Answer{Seq: rapid.SampledFrom([]uint64{l.m.Seq, seq + 7}).Draw(t, "of"), Wrong: errors.New("no")})
			default:
				l.now = l.now.Add(time.Duration(rapid.IntRange(0, 30_000).Draw(t, "ms")) * time.Millisecond)
				effect = l.do(Tick{})
			}
			switch {
			case effect == Ask && before.Asking:
				t.Fatalf("two questions at a time: %+v", before)
			case effect != None && l.m.Seq == 0:
				t.Fatalf("effect %d without a process", effect)
			case effect == Replace && l.m.Judged != Ill:
				t.Fatalf("a process is replaced that is not ill: %+v", l.m)
			case l.m.Seq != 0 && !l.m.Asking && l.m.Deadline().IsZero():
				t.Fatalf("it is never asked again: %+v", l.m)
			}
		}
	})
}
