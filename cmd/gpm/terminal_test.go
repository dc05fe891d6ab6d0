package main

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"os"
	"strings"
	"testing"
	"time"

	"gpm/app"
)

// onTerminal returns a command line whose output is a terminal of a width.
func onTerminal(width int) (*cli, *bytes.Buffer, *bytes.Buffer) {
	var out, errOut bytes.Buffer
	c := newCLI(&out, &errOut)
	c.screen = screen{terminal: true, width: width}
	return c, &out, &errOut
}

func steps(items ...app.Progress) iter.Seq2[app.Progress, error] {
	return func(yield func(app.Progress, error) bool) {
		for _, item := range items {
			if !yield(item, nil) {
				return
			}
		}
	}
}

func TestCounterOnATerminal(t *testing.T) {
	c, out, _ := onTerminal(80)
	one, two := &app.Status{ID: 1, Name: "a"}, &app.Status{ID: 2, Name: "b"}
	if err := c.follow(steps(app.Progress{Total: 2}, app.Progress{Status: one}, app.Progress{Status: two})); err != nil {
		t.Error(err)
	}
	const erase, label = "\r\x1b[K", "\x1b[32m[gpm]\x1b[0m "
	want := "0 of 2 processes …" + erase + label + "[a](1) ✓\n" + "1 of 2 processes …" + erase + label + "[b](2) ✓\n"
	if out.String() != want {
		t.Errorf("%q, want %q", out, want)
	}
}

func TestMessagesAreCutOnATerminal(t *testing.T) {
	c, out, _ := onTerminal(20)
	c.noColour = true
	c.say("a sentence that is longer than the terminal is wide")
	if out.String() != "[gpm] a sentence th…\n" {
		t.Errorf("%q", out)
	}
}

func TestColoursCanBeSwitchedOff(t *testing.T) {
	for name, set := range map[string]func(c *cli){
		"--no-color": func(c *cli) { c.noColour = true },
		"NO_COLOR":   func(*cli) { t.Setenv("NO_COLOR", "1") },
		"a pipe":     func(c *cli) { c.screen = screen{} },
	} {
		c, out, _ := onTerminal(80)
		set(c)
		c.say("x")
		if out.String() != "[gpm] x\n" {
			t.Errorf("%s: %q", name, out)
		}
		t.Setenv("NO_COLOR", "")
	}
}

func TestErrorIsASentenceAndAHint(t *testing.T) {
	c, _, errOut := onTerminal(80)
	c.fail(app.Errorf(app.CodeInvalid, "cannot do it: why").WithHint("do that"))
	c.fail(reported{})
	c.fail(errors.Join(context.Canceled))
	if errOut.String() != "[gpm][ERROR] cannot do it: why\n[gpm][INFO] do that\n[gpm][ERROR] interrupted; what was asked for may still be going on\n" {
		t.Errorf("%q", errOut)
	}
}

// brokenPipe is what standard output is when nobody reads it any more.
type brokenPipe struct{ n int }

func (b *brokenPipe) Write(p []byte) (int, error) {
	if b.n--; b.n < 0 {
		return 0, errors.New("broken pipe")
	}
	return len(p), nil
}

// Following ends silently when the reader has enough.
func TestLogsToABrokenPipe(t *testing.T) {
	f := newFake(t)
	for _, c := range []struct {
		writes int // that succeed; lines of logs share one
		args   []string
	}{{0, []string{"logs"}}, {0, []string{"logs", "--json"}}, {1, []string{"events"}}} {
		var errOut bytes.Buffer
		args := c.args
		if code := run(t.Context(), "gpm", append([]string{"--home", f.home}, args...), &brokenPipe{n: c.writes}, &errOut); code != 0 || errOut.Len() > 0 {
			t.Errorf("%v: rc %d, %q", args, code, errOut.String())
		}
	}
}

// A real pipe: the reader closes it while nothing more is said.
func TestFollowingEndsWithItsReader(t *testing.T) {
	f := newFake(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	done := make(chan int, 1)
	go func() { done <- run(context.Background(), "gpm", []string{"--home", f.home, "logs"}, w, os.Stderr) }()
	if _, err := r.Read(make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	_ = r.Close()
	select {
	case code := <-done:
		if code != 0 {
			t.Errorf("rc %d", code)
		}
	case <-time.After(time.Minute):
		t.Fatal("logs goes on without a reader")
	}
}

func TestInterruptEndsFollowing(t *testing.T) {
	f := newFake(t)
	for _, args := range [][]string{{"logs"}, {"list", "--watch"}} {
		ctx, cancel := context.WithCancel(t.Context())
		out := &afterWrite{then: cancel}
		if code := run(ctx, "gpm", append([]string{"--home", f.home}, args...), out, os.Stderr); code != 0 {
			t.Errorf("%v: rc %d", args, code)
		}
		if !strings.Contains(out.text.String(), "web") && args[0] == "list" {
			t.Errorf("%v: %q", args, out.text.String())
		}
		cancel()
	}
}

// afterWrite calls a function once something about a process was written.
type afterWrite struct {
	text bytes.Buffer
	then func()
}

func (a *afterWrite) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte("web")) {
		defer a.then()
	}
	return a.text.Write(p)
}

func TestOtherVersionIsMentioned(t *testing.T) {
	c, _, errOut := onTerminal(80)
	for _, v := range []string{"0.0.9", app.Version, ""} {
		c.warnVersion(v)
	}
	if errOut.String() != "[gpm][WARN] the daemon is of version 0.0.9, this command of "+app.Version+"; gpm update changes that without restarting anything\n" {
		t.Errorf("%q", errOut)
	}
}

// TestWhileReadEndsTwice: a failed write ends the following, and its own end does again.
func TestWhileReadEndsTwice(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	ctx, stop := newCLI(w, os.Stderr).whileRead(t.Context())
	stop()
	stop()
	if ctx.Err() == nil {
		t.Error("it goes on")
	}
}
