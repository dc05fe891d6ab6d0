//go:build linux

package e2e

import (
	"bufio"
	"encoding/json"
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
