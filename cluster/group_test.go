package cluster

import (
	"context"
	"testing"

	"gpm/app"
	"gpm/proc"
)

// TestEventsOutliveTheirProcess: who has a port takes a moment to find out, and the process that could not have it may be followed by
// the next one meanwhile. It is told nevertheless, of the one that it is about.
func TestEventsOutliveTheirProcess(t *testing.T) {
	var got []app.Event
	g := New(context.Background(), Config{
		Spec:     func() app.Spec { return app.Spec{} },
		Launcher: func(int, int) proc.Launcher { return nil },
		Report:   func(_ app.Status, events []app.Event) { got = append(got, events...) },
		Gone:     func(int) {},
	})
	g.Add(app.Status{ID: 3, Name: "web", State: app.Stopped, Goal: app.Down, Seq: 8}, app.DefaultPolicy(), nil)
	for _, ref := range []Ref{{3, 7}, {3, 8}, {4, 1}} {
		g.event(ref, app.Event{Kind: app.EventPort, PID: 70})
	}
	g.cancel()
	g.owners.Wait()
	if len(got) != 2 || got[0].ID != 3 || got[0].Name != "web" || got[0].PID != 70 {
		t.Errorf("told: %+v", got)
	}
}
