//go:build linux

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"gpm/app"
)

// ear is a web server that hears hooks. It refuses the first ones and never answers at /deaf.
type ear struct {
	*httptest.Server
	heard  chan string
	refuse atomic.Int32
}

func newEar(t *testing.T, refuse int32) *ear {
	t.Helper()
	e := &ear{heard: make(chan string, 64)}
	e.refuse.Store(refuse)
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if r.URL.Path == "/deaf" {
			<-r.Context().Done()
			return
		}
		e.heard <- string(body)
		if e.refuse.Add(-1) >= 0 {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	t.Cleanup(e.Close)
	return e
}

// await waits until so many hooks were heard.
func (e *ear) await(h *home, n int) (heard []string) {
	h.t.Helper()
	h.until(fmt.Sprintf("%d hooks are heard", n), hang, func() bool {
		select {
		case text := <-e.heard:
			heard = append(heard, text)
		default:
		}
		return len(heard) == n
	})
	return heard
}

// TestHookTriesAgain: a hook that is refused twice is told a third time, and is no failure then; one more is.
func TestHookTriesAgain(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	patient, hasty := newEar(t, 2), newEar(t, 2)
	tries := filepath.Join(h.cwd, "tries")
	h.write("ecosystem.config.json5", `{apps: [{name: "ends", script: "sh -c 'exit 5'", autorestart: false, stop_exit_codes: [5], hooks: {exit: [
		{url: "`+patient.URL+`", retries: 2}, {url: "`+hasty.URL+`/secret", retries: 1},
		{run: "echo try >>`+tries+`; test $(wc -l <`+tries+`) = 2", retries: 5},
	]}}]}`, 0o600)
	h.run("start", "ecosystem.config.json5")
	heard := patient.await(h, 3)
	if heard[0] != heard[1] || heard[1] != heard[2] {
		t.Errorf("what is told again is not the same: %q", heard)
	}
	hasty.await(h, 2)
	told := func() (words []string) {
		for _, ev := range h.history("ends") {
			if ev.Kind == app.EventHook {
				words = append(words, ev.Reason)
			}
		}
		return words
	}
	want := "cannot tell " + strings.TrimPrefix(hasty.URL, "http://") + " of exit: it answers 500 Internal Server Error"
	h.until("the hook whose tries are used up is told", hang, func() bool { return len(told()) > 0 })
	h.until("the command has worked", hang, func() bool {
		text, err := os.ReadFile(tries)
		return err == nil && strings.Count(string(text), "try") == 2
	})
	if words := told(); len(words) != 1 || words[0] != want {
		t.Errorf("told %q, want %q", words, want)
	}
	if why := h.must("why", "ends"); !strings.Contains(why, want) {
		t.Errorf("gpm why:\n%s", why)
	}
}

// TestHookTakesTooLong: what does not answer in time is given up, and a command's processes with it.
func TestHookTakesTooLong(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	e := newEar(t, 0)
	pid := filepath.Join(h.cwd, "pid")
	h.write("ecosystem.config.json5", `{apps: [{name: "ends", script: "sh -c 'exit 5'", autorestart: false, hooks: {exit: [
		{url: "`+e.URL+`/deaf", timeout: 400}, {run: "echo $$ >`+pid+`; sleep 1000; true", timeout: 4000},
	]}}]}`, 0o600)
	h.run("start", "ecosystem.config.json5")
	h.until("the deaf address is given up", hang, func() bool { return h.happened("ends", app.EventHook, "of exit: it took longer than 400ms") })
	h.until("the command is given up", hang, func() bool {
		return h.happened("ends", app.EventHook, "sleep 1000; true\" of exit: it took longer than 4s")
	})
	text, err := os.ReadFile(pid)
	if err != nil {
		t.Fatal(err)
	}
	h.until("its process is gone", hang, func() bool { return !exists("/proc/" + strings.TrimSpace(string(text))) })
}

// TestHookEvents: who asks for it hears of an app given up, one that is ill, and one above its limit.
func TestHookEvents(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	e := newEar(t, 0)
	h.write("ecosystem.config.json5", `{apps: [
		{name: "fails", script: "sh -c 'exit 6'", max_restarts: 1, hooks: {errored: "`+e.URL+`"}},
		{name: "ill", script: "`+progBin+`", args: "sleep", health: {exec: "echo pale; false", interval: 200, retries: 2}, hooks: {unhealthy: "`+e.URL+`"}},
		{name: "big", script: "`+progBin+`", args: "sleep", max_memory_restart: "100K", hooks: {limit: "`+e.URL+`"}},
	]}`, 0o600)
	h.run("start", "ecosystem.config.json5")
	want := map[string]string{"fails": "errored ", "ill": `unhealthy exit status 1: "pale"`, "big": "limit memory limit: "}
	h.until("all three are told", hang, func() bool {
		var n struct {
			Event, App, Reason string
			State              app.State
		}
		text := e.await(h, 1)[0]
		if err := json.Unmarshal([]byte(text), &n); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		got := n.Event + " " + n.Reason
		if words, waits := want[n.App]; waits && !strings.Contains(got, words) {
			t.Errorf("%s: %s, want %q", n.App, text, words)
		}
		delete(want, n.App)
		return len(want) == 0
	})
	h.must("delete", "all")
}
