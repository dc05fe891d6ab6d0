package main

import (
	"testing"
	"time"

	"gpm/app"
)

// TestMoveIsProved: what is heard late about a process does not prove that it went on meanwhile.
func TestMoveIsProved(t *testing.T) {
	begun := time.Now().Add(-time.Hour) // however late it is heard
	list := []app.Status{{State: app.Online, Since: begun}}
	for _, c := range []struct {
		name    string
		listens bool
		after   time.Duration
		state   app.State
		want    bool
	}{
		{"asked right after the start", false, 10 * time.Millisecond, app.Online, false},
		{"asked when it had run for a while", false, moveProof, app.Online, true},
		{"its ports prove it", true, 0, app.Online, true},
		{"not up yet", true, moveProof, app.Launching, false},
	} {
		list[0].State = c.state
		if got := isUp(list, c.listens, begun.Add(c.after)); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	if isUp(nil, true, begun) {
		t.Error("an app that is gone is up")
	}
}
