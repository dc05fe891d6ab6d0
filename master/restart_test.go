//go:build unix

package master

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

func TestRestartDelays(t *testing.T) {
	var r restarts
	want := []time.Duration{0, 50, 100, 200, 200, 200}
	for i, ms := range want {
		act, delay, err := r.next(daemonEnd{exit: Exit{Code: 1}}, facts{})
		if act != startAgain || delay != ms*time.Millisecond || err != nil {
			t.Errorf("end %d: %v after %v, %v; want %v ms", i+1, act, delay, err, int(ms))
		}
	}
	for range oftenDead {
		r.next(daemonEnd{}, facts{})
	}
	if _, delay, _ := r.next(daemonEnd{}, facts{}); delay != backoffLate {
		t.Errorf("after many ends: %v", delay)
	}
	if _, delay, _ := r.next(daemonEnd{up: stableAfter}, facts{}); delay != 0 {
		t.Errorf("after a stable run: %v", delay)
	}
}

func TestRestartDecisions(t *testing.T) {
	failed := errors.New("no such file")
	code := func(n int) daemonEnd { return daemonEnd{exit: Exit{Code: n}} }
	for _, c := range []struct {
		name  string
		end   daemonEnd
		facts facts
		times int // how often in a row
		want  step
		err   error
	}{
		{"shutdown", code(0), facts{shutdown: true}, 1, finish, nil},
		{"exit 0 without shutdown", code(0), facts{}, 5, startAgain, nil},
		{"already running", code(ExitAlreadyRunning), facts{}, 1, finish, ErrAlreadyRunning},
		{"already running, but children", code(ExitAlreadyRunning), facts{children: 1}, 9, startAgain, nil},
		{"refused twice", code(ExitRefused), facts{}, 2, startAgain, nil},
		{"refused thrice", code(ExitRefused), facts{}, 3, finish, nil},
		{"refused, but children", code(ExitRefused), facts{children: 2}, 9, startAgain, nil},
		{"cannot start", daemonEnd{err: failed}, facts{}, 3, finish, failed},
		{"killed often", daemonEnd{exit: Exit{Code: -1, Signal: 9}}, facts{}, 50, startAgain, nil},
		{"stopping, nothing left", code(1), facts{stopping: true}, 1, finish, nil},
		{"stopping, children", code(1), facts{stopping: true, children: 1}, 2, startAgain, nil},
		{"stopping, no daemon to do it", code(1), facts{stopping: true, children: 1}, 3, endChildren, nil},
	} {
		var r restarts
		var act step
		var err error
		for range c.times {
			act, _, err = r.next(c.end, c.facts)
		}
		if act != c.want || c.err != nil && !errors.Is(err, c.err) {
			t.Errorf("%s: %v, %v; want %v, %v", c.name, act, err, c.want, c.err)
		}
	}
}

func TestRefusalsMustBeInARow(t *testing.T) {
	var r restarts
	for i, code := range []int{78, 78, 1, 78, 78} {
		if act, _, _ := r.next(daemonEnd{exit: Exit{Code: code}}, facts{}); act != startAgain {
			t.Errorf("end %d: %v", i, act)
		}
	}
	act, _, err := r.next(daemonEnd{exit: Exit{Code: 78}}, facts{})
	if act != finish || err == nil {
		t.Error(fmt.Sprint("third in a row: ", act, err))
	}
}
