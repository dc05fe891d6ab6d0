//go:build linux

package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gpm/app"
)

// runsOf are the ends of a job's runs, by what ended them: "" is the run itself.
func (h *home) runsOf(name string) (by []string) {
	h.t.Helper()
	for _, ev := range h.history(name) {
		if ev.Kind == app.EventExit && ev.Exit != nil {
			by = append(by, ev.Exit.By)
		}
	}
	return by
}

// TestJobQueue: a run that is due while the one before goes on follows it, at once and never beside it; others that are
// due meanwhile are left out.
func TestJobQueue(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	trace := filepath.Join(h.cwd, "trace")
	h.must("start", "sh -c 'mkdir alone && echo begin >>trace; sleep 1.5; echo end >>trace; rmdir alone'", "--name", "job",
		"--schedule", "* * * * * *", "--schedule-overlap", "queue")
	h.until("two runs have followed another", hang, func() bool { return len(h.runsOf("job")) >= 3 })
	text, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	for i, word := range lines(string(text)) {
		if want := []string{"begin", "end"}[i%2]; word != want {
			t.Fatalf("runs were not one after the other:\n%s", text)
		}
	}
	if by := slices.Compact(h.runsOf("job")); len(by) != 1 || by[0] != "" {
		t.Errorf("runs were ended by %q", by)
	}
	h.mustBeTold("job", "schedule: * * * * * *", "exit")
	h.must("stop", "job")
}

// TestJobReplace: a run that is due ends the one before, and only that.
func TestJobReplace(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.must("start", progBin, "--name", "job", "--schedule", "*/2 * * * * *", "--schedule-overlap", "replace", "--kill-timeout", "300", "--", "sleep")
	h.must("start", progBin, "--name", "bystander", "--", "sleep")
	h.until("two runs were replaced", hang, func() bool { return len(h.runsOf("job")) >= 2 })
	if by := slices.Compact(h.runsOf("job")); len(by) != 1 || by[0] != "schedule: the next run is due" {
		t.Errorf("runs were ended by %q", by)
	}
	h.until("a run goes on", hang, func() bool { return h.status("job").State == app.Online })
	h.mustBeTold("job", "schedule: the next run is due", "schedule: */2 * * * * *")
	h.must("stop", "job")
	if st := h.status("job"); st.State != app.Stopped || st.PID != 0 {
		t.Errorf("a job that was stopped is %s, process %d", st.State, st.PID)
	}
	if st := h.status("bystander"); st.Restarts != 0 || st.State != app.Online {
		t.Errorf("the bystander is %s after %d restarts", st.State, st.Restarts)
	}
}

// mustBeTold looks for words in the history that gpm why prints.
func (h *home) mustBeTold(name string, words ...string) {
	h.t.Helper()
	why := h.must("why", name, "--last", "0")
	for _, w := range words {
		if !strings.Contains(why, w) {
			h.t.Errorf("gpm why does not tell %q:\n%s", w, why)
		}
	}
}
