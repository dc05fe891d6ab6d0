package main

import (
	"testing"

	"gpm/app"
)

// TestVerdicts: a container ends with the code of what ran in it.
func TestVerdicts(t *testing.T) {
	process := func(state app.State, exit *app.Exit) app.Status { return app.Status{State: state, Exit: exit} }
	byItself, byUser, byStop := &app.Exit{Code: 3}, &app.Exit{Code: 4, By: "user"}, &app.Exit{Code: -1, Signal: "SIGINT", By: "user"}
	for name, c := range map[string]struct {
		list    []app.Status
		ended   bool
		verdict int
		stopped int
	}{
		"one runs":          {[]app.Status{process(app.Online, nil), process(app.Stopped, byItself)}, false, 0, 3},
		"by itself":         {[]app.Status{process(app.Stopped, byItself)}, true, 3, 3},
		"given up":          {[]app.Status{process(app.Stopped, &app.Exit{}), process(app.Errored, &app.Exit{})}, true, 1, 1},
		"not even begun":    {[]app.Status{process(app.Errored, &app.Exit{SpawnError: "no such file"})}, true, 127, 127},
		"crashed by signal": {[]app.Status{process(app.Stopped, &app.Exit{Code: -1, Signal: "SIGSEGV"})}, true, 139, 139},
		"stopped":           {[]app.Status{process(app.Stopped, byUser)}, false, 4, 4},
		"stopped by signal": {[]app.Status{process(app.Stopped, byStop)}, false, 130, 0},
		"had to be killed":  {[]app.Status{process(app.Stopped, byStop), process(app.Stopped, &app.Exit{Code: -1, Signal: "SIGKILL", By: "user"})}, false, 130, 137},
	} {
		status, ended := verdict(c.list)
		if ended != c.ended || ended && status != c.verdict {
			t.Errorf("%s: %d, %v", name, status, ended)
		}
		if got := stopVerdict(c.list); got != c.stopped {
			t.Errorf("%s: when all are stopped: %d, want %d", name, got, c.stopped)
		}
	}
}
