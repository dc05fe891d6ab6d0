package proc

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"

	"gpm/app"
	"gpm/master"
)

func TestWatcher(t *testing.T) {
	exits := make(chan master.Exit)
	w := NewWatcher(exits)
	over := make(chan struct{})
	go func() { defer close(over); w.Run(t.Context()) }()

	late := w.slot("late")
	exits <- master.Exit{Key: "early", Code: 1}
	exits <- master.Exit{Key: "early", Code: 2} // an inventory may repeat it
	exits <- master.Exit{Key: "late", Code: 3}
	close(exits)
	<-over // the master is gone
	early := w.slot("early")
	<-early.done
	<-late.done
	if early.exit.Code != 1 || late.exit.Code != 3 {
		t.Errorf("got %d and %d, want 1 and 3", early.exit.Code, late.exit.Code)
	}
	w.forget("early")
	select {
	case <-w.slot("early").done:
		t.Error("a forgotten exit is remembered")
	default:
	}
}

func TestWatcherEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	NewWatcher(make(chan master.Exit)).Run(ctx)
}

func TestAppExit(t *testing.T) {
	at := time.Unix(1e9, 0)
	for _, c := range []struct {
		name string
		in   master.Exit
		want app.Exit
	}{
		{"code", master.Exit{Code: 3, At: at, MaxRSS: 4096, CPUTime: time.Second}, app.Exit{Code: 3, At: at, PeakRSS: 4096, CPUTime: time.Second}},
		{"signal", master.Exit{Code: -1, Signal: int(syscall.SIGSEGV), CoreDumped: true}, app.Exit{Code: -1, Signal: "SIGSEGV", CoreDumped: true}},
		{"real-time signal", master.Exit{Signal: 63}, app.Exit{Code: -1, Signal: "SIG63"}},
		{"unseen", master.Exit{Unknown: true}, app.Exit{Code: -1, Unknown: true}},
	} {
		if got := appExit(c.in); got != c.want {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestParseSignal(t *testing.T) {
	for in, want := range map[string]syscall.Signal{
		"SIGINT": syscall.SIGINT, "INT": syscall.SIGINT, "int": syscall.SIGINT, " sigterm ": syscall.SIGTERM,
		"9": syscall.SIGKILL, "64": 64,
	} {
		if got, err := ParseSignal(in); err != nil || got != want {
			t.Errorf("%q: got %d, %v; want %d", in, got, err, want)
		}
	}
	for _, in := range []string{"", "SIG", "0", "-1", "65", "SIGNONE", "kill -9"} {
		_, err := ParseSignal(in)
		e, ok := errors.AsType[*app.Error](err)
		if !ok || e.Code != app.CodeInvalid || e.Hint == "" {
			t.Errorf("%q: got %v, want a refusal with a hint", in, err)
		}
	}
}

func FuzzParseSignal(f *testing.F) {
	f.Add("SIGINT")
	f.Add("15")
	f.Fuzz(func(t *testing.T, s string) {
		sig, err := ParseSignal(s)
		if err != nil {
			return
		}
		if again, err := ParseSignal(SignalName(int(sig))); signalName(sig) != "" && (err != nil || again != sig) {
			t.Errorf("%q is %d, but its name %q is not", s, sig, SignalName(int(sig)))
		}
	})
}

func TestMark(t *testing.T) {
	if a, b := Mark("/home/a", 3, 17), Mark("/home/b", 3, 17); a == b {
		t.Errorf("two homes share the mark %q", a)
	}
	if got, want := Mark("/h", 3, 17), "GPM_INSTANCE="+HomeHash("/h")+":3:17"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
