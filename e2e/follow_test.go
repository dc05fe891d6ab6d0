//go:build linux

package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"syscall"
	"testing"

	"gpm/app"
)

// TestEventsOutliveTheDaemon: who follows the events misses none when the daemon is killed.
func TestEventsOutliveTheDaemon(t *testing.T) {
	h := newHome(t)
	h.must("start", progBin, "--name", "sleeper", "--", "sleep")
	cmd := h.command("events", "--follow", "--json", "--last", "1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	events := json.NewDecoder(bufio.NewReader(out))
	var last app.Event
	next := func() app.Event {
		var ev app.Event
		if err := events.Decode(&ev); err != nil {
			t.Fatal(err)
		}
		if last.Seq > 0 && ev.Seq != last.Seq+1 {
			t.Errorf("event %d follows event %d", ev.Seq, last.Seq)
		}
		last = ev
		return ev
	}
	next()
	kill(t, h.daemon().PID)
	h.must("stop", "sleeper")
	for next().Kind != app.EventStop {
	}
}

// TestLogsOutliveTheDaemon: who follows the output misses no line and sees none twice when the daemon is killed, or makes
// way for another in good order.
func TestLogsOutliveTheDaemon(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.must("start", progBin, "--name", "talker", "--no-autorestart", "--log-max-size", "20K", "--log-keep", "1000", "--", "printer", "0", "2000")
	f := h.follow("logs", "talker", "--raw", "--lines", "-1", "--out")
	next := 1
	check := func(line string) bool {
		if line != fmt.Sprintf("out %d", next) {
			t.Fatalf("%q comes where line %d should", line, next)
		}
		next++
		return next%3000 == 0
	}
	for i := range scaled(3, 30) {
		f.until(t, "many lines", check)
		if pid := h.daemon().PID; i%2 == 0 {
			kill(t, pid)
		} else if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
	}
	f.until(t, "the lines after the last daemon", check)
	h.must("stop", "talker")
}
