//go:build linux

package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"gpm/app"
)

// happened says whether the history of a name has an event of a kind whose reason holds the words.
func (h *home) happened(name string, kind app.EventKind, words string) bool {
	h.t.Helper()
	return slices.ContainsFunc(h.history(name), func(ev app.Event) bool { return ev.Kind == kind && strings.Contains(ev.Reason, words) })
}

// TestHealth: what fails its check is unhealthy, replaced, and well again; what passes is left alone.
func TestHealth(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.write("well", "", 0o600)
	h.must("start", progBin, "--name", "sick", "--health-cmd", "test -e well || { echo lost; exit 4; }", "--health-interval", "200", "--health-retries", "2", "--", "sleep")
	h.until("it is healthy", hang, func() bool { return h.status("sick").Healthy })
	first := h.status("sick").PID
	if err := os.Remove(filepath.Join(h.cwd, "well")); err != nil {
		t.Fatal(err)
	}
	h.until("it is found to be unhealthy", hang, func() bool { return h.happened("sick", app.EventUnhealthy, `exit status 4: "lost"`) })
	h.write("well", "", 0o600)
	h.until("another process is well", hang, func() bool { st := h.status("sick"); return st.PID != first && st.Healthy })
	if h.restartsFor("sick", "unhealthy: ") == 0 {
		t.Error("no restart for its health")
	}
	h.fails("no URL of http", "start", progBin, "--name", "bad", "--health-http", "ftp://x", "--", "sleep")
	h.fails("it needs one of http, tcp and exec", "restart", "sick", "--health-tcp", "1234")
}

// TestOrder: a database that has to be healthy, a migration that has to complete, and an app that waits for both; then a
// boot brings them back in the same order.
func TestOrder(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.write("ecosystem.config.json5", `{apps: [
		{name: "web", script: "`+progBin+`", args: "sleep", depends_on: {migrate: "completed", db: "healthy"}},
		{name: "migrate", script: "sh -c 'test -e up && echo done'", task: true, depends_on: ["db:healthy"]},
		{name: "db", script: "sh -c 'touch up; exec sleep 1000'", health: {exec: "test -e up", interval: 300}},
	]}`, 0o600)
	h.must("start", "ecosystem.config.json5")
	h.untilState("web", app.Online)
	if st := h.status("migrate"); st.State != app.Stopped || st.Exit == nil || st.Exit.Code != 0 {
		t.Errorf("the task is %s, exit %v", st.State, st.Exit)
	}
	began := func(name string) time.Time {
		for _, ev := range slices.Backward(h.history(name)) {
			if ev.Kind == app.EventStart {
				return ev.At
			}
		}
		t.Fatalf("%s was not started", name)
		return time.Time{}
	}
	if !began("db").Before(began("migrate")) || !began("migrate").Before(began("web")) {
		t.Errorf("started at %s, %s, %s", began("db"), began("migrate"), began("web"))
	}
	h.must("kill")
	h.must("start", "all")
	h.untilState("web", app.Online)
	if !began("db").Before(began("web")) {
		t.Error("after a start of all, the app was there before its database")
	}
}

// TestOrderThatCannotBe is refused, or told by what waits.
func TestOrderThatCannotBe(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.write("ecosystem.config.json5", `{apps: [
		{name: "a", script: "x", depends_on: "b"}, {name: "b", script: "x", depends_on: "c:healthy"}, {name: "c", script: "x", depends_on: ["a"]},
	]}`, 0o600)
	h.fails("a → b → c → a", "start", "ecosystem.config.json5")
	h.fails(`depends on "nobody", and there is no such app`, "start", progBin, "--name", "lost", "--depends-on", "nobody", "--", "sleep")
	if n := len(h.list()); n != 0 {
		t.Errorf("%d processes of what was refused", n)
	}
	h.run("start", "sh -c 'exit 7'", "--name", "fails", "--task")
	h.until("the task has failed", hang, func() bool { return h.status("fails").State == app.Errored })
	h.fails("errored: exit code 7", "start", progBin, "--name", "waits", "--depends-on", "fails:completed", "--", "sleep")
	if st := h.status("waits"); st.State != app.Waiting || !strings.Contains(st.Reason, `waits until "fails" has completed`) {
		t.Errorf("%s: %s", st.State, st.Reason)
	}
	h.must("stop", "waits")
	if st := h.status("waits"); st.State != app.Stopped {
		t.Errorf("it is %s after a stop", st.State)
	}
}

// TestHooks: a command and a web address hear what happens, with nothing of the app's environment; one that fails is told.
func TestHooks(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	posts := make(chan string, 16)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		posts <- string(body)
		if len(posts) == 1 {
			w.WriteHeader(http.StatusBadGateway) // so that it is sent again
		}
	}))
	t.Cleanup(server.Close)
	heard := filepath.Join(h.cwd, "heard")
	h.env = append(h.env, "API_TOKEN=topsecret")
	h.run("start", "sh -c 'sleep 0.2; echo topsecret >&2; exit 5'", "--name", "ends", "--no-autorestart", "--max-restarts", "0",
		"--on", "start=echo $GPM_EVENT $GPM_APP $API_TOKEN >>"+heard, "--on", "exit="+server.URL, "--on", "exit=echo no; exit 3")
	var first, second string
	h.until("the web address is told", hang, func() bool {
		select {
		case first = <-posts:
			return true
		default:
			return false
		}
	})
	h.until("it is told again after a failure", hang, func() bool {
		select {
		case second = <-posts:
			return true
		default:
			return false
		}
	})
	var note struct {
		Event, App string
		Exit       app.Exit
	}
	if err := json.Unmarshal([]byte(first), &note); err != nil || note.Event != "exit" || note.App != "ends" || note.Exit.Code != 5 || second != first {
		t.Errorf("%s\n%s\n%v", first, second, err)
	}
	if strings.Contains(first, "topsecret") {
		t.Errorf("a secret went out: %s", first)
	}
	h.until("the command has run", hang, func() bool {
		text, err := os.ReadFile(heard)
		return err == nil && string(text) == "start ends\n"
	})
	h.until("the one that fails is told", hang, func() bool {
		return h.happened("ends", app.EventHook, `cannot tell "echo no; exit 3" of exit: exit status 3: "no"`)
	})
	h.fails(`there is no event "boom"`, "start", progBin, "--name", "bad", "--on", "boom=x", "--", "sleep")
}

// TestJobs: a job runs at its times and not before, a run that takes long leaves the next ones out, and one that takes
// too long is ended.
func TestJobs(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.must("start", "sh -c 'echo ran >>runs'", "--name", "quick", "--schedule", "@every 1s")
	h.must("start", progBin, "--name", "slow", "--schedule", "* * * * * *", "--schedule-limit", "2500", "--kill-timeout", "300", "--", "sleep")
	h.must("start", progBin, "--name", "later", "--schedule", "0 4 1 1 *", "--timezone", "Europe/Berlin", "--", "sleep")
	if st := h.status("later"); st.State != app.Stopped || st.PID != 0 {
		t.Errorf("a job that is not due is %s", st.State)
	}
	h.until("the quick one ran twice", hang, func() bool {
		text, err := os.ReadFile(filepath.Join(h.cwd, "runs"))
		return err == nil && strings.Count(string(text), "ran") >= 2
	})
	h.until("a run was left out", hang, func() bool { return h.happened("slow", app.EventSchedule, "still running") })
	h.until("the time limit ends a run", hang, func() bool {
		return slices.ContainsFunc(h.history("slow"), func(ev app.Event) bool { return ev.Exit != nil && ev.Exit.By == "time limit: 2.5s" })
	})
	if why := h.must("why", "quick"); !strings.Contains(why, "schedule: @every 1s") {
		t.Errorf("gpm why:\n%s", why)
	}
	h.must("stop", "quick", "slow")
	h.must("restart", "later")
	h.untilState("later", app.Online)
	h.fails("cannot run", "start", progBin, "--name", "bad", "--schedule", "61 * * * *", "--", "sleep")
	h.fails("there is no time zone", "start", progBin, "--name", "bad", "--schedule", "0 4 * * *", "--timezone", "Mars/Olympus", "--", "sleep")
}

// TestLimitsAreTold: the limit is in force, or gpm why says that it is not.
func TestLimitsAreTold(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.must("start", progBin, "--name", "limited", "--limit-pids", "50", "--", "sleep")
	dir := h.daemon().Cgroup
	inForce := false
	if dir != "" {
		found, err := filepath.Glob(filepath.Join(dir, "*", "pids.max"))
		inForce = err == nil && len(found) == 1
	}
	if told := h.happened("limited", app.EventLimit, "limit"); told == inForce {
		t.Errorf("in force: %v, told that it is not: %v", inForce, told)
	}
	if text := h.must("describe", "limited"); !strings.Contains(text, "50 processes") {
		t.Errorf("gpm describe:\n%s", text)
	}
}

// TestWatchExplain names what is watched, what is left out, and what triggered.
func TestWatchExplain(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.write("app.sh", "#!/bin/sh\nexec sleep 1000\n", 0o755)
	h.write("x.tmp", "", 0o600)
	h.must("start", "./app.sh", "--watch", "--ignore-watch", "*.tmp")
	h.until("the watch has begun", hang, func() bool { return strings.Contains(h.must("watch", "--explain", "app"), "is watched") })
	h.write("lib.js", "1", 0o600)
	h.until("a save restarts it", hang, func() bool { return h.restartsFor("app", "watch: lib.js changed") == 1 })
	text := h.must("watch", "--explain", "app")
	for _, want := range []string{h.cwd, "x.tmp  *.tmp (ignore_watch)", "1 change so far", filepath.Join(h.cwd, "lib.js")} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing:\n%s", want, text)
		}
	}
	h.must("start", "./app.sh", "-f", "--name", "plain")
	if text := h.must("watch", "plain"); !strings.Contains(text, "plain is not watched: it has no watch") {
		t.Errorf("%s", text)
	}
}

// TestDev runs in the foreground, restarts by a change and by a key, and leaves nothing.
func TestDev(t *testing.T) {
	t.Parallel()
	for end, leave := range map[string]func(*exec.Cmd, io.Writer) error{
		"the key q": func(_ *exec.Cmd, keys io.Writer) error { _, err := io.WriteString(keys, "q"); return err },
		"Ctrl-C":    func(cmd *exec.Cmd, _ io.Writer) error { return cmd.Process.Signal(syscall.SIGINT) },
		"kill -9":   func(cmd *exec.Cmd, _ io.Writer) error { return cmd.Process.Kill() },
	} {
		t.Run(end, func(t *testing.T) {
			t.Parallel()
			h := newHome(t)
			temporary := t.TempDir()
			h.env = append(h.env, "TMPDIR="+temporary)
			h.write("app.sh", "#!/bin/sh\necho up $$\nexec sleep 1000\n", 0o755)
			d := h.develop("./app.sh")
			h.until("it is up", hang, func() bool { return d.count("| up ") == 1 })
			h.until("gpm dev watches", hang, func() bool { return d.count("Watching for changes") == 1 })
			saves := 0
			h.until("a save restarts it", hang, func() bool { // the watch begins a moment after the start
				if saves++; saves%25 == 1 {
					h.write("lib.js", strings.Repeat("x", saves), 0o600)
				}
				return d.count("app: watch: lib.js changed") > 0 && d.count("| up ") > 1
			})
			before := d.count("app: restart by user")
			if _, err := io.WriteString(d.keys, "r"); err != nil {
				t.Fatal(err)
			}
			h.until("the key r restarts it", hang, func() bool { return d.count("app: restart by user") > before })
			if err := leave(d.cmd, d.keys); err != nil {
				t.Fatal(err)
			}
			if err := d.cmd.Wait(); err != nil && end != "kill -9" {
				t.Errorf("gpm dev: %v\n%s", err, d.text())
			}
			h.until("its home is gone", hang, func() bool { return isEmpty(t, temporary) })
			for _, line := range lines(d.text()) {
				if _, pid, up := strings.Cut(line, "| up "); up && exists("/proc/"+pid) {
					t.Errorf("process %s is left", pid)
				}
			}
		})
	}
}

// developer is a gpm dev that runs.
type developer struct {
	h    *home
	cmd  *exec.Cmd
	keys io.Writer
	file string
}

func (h *home) develop(args ...string) *developer {
	h.t.Helper()
	d := &developer{h: h, cmd: h.command(append([]string{"dev"}, args...)...), file: filepath.Join(h.t.TempDir(), "dev.txt")}
	out, err := os.Create(d.file)
	if err != nil {
		h.t.Fatal(err)
	}
	defer out.Close()
	d.cmd.Stdout, d.cmd.Stderr = out, out
	if d.keys, err = d.cmd.StdinPipe(); err != nil {
		h.t.Fatal(err)
	}
	if err := d.cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	return d
}

func (d *developer) text() string {
	b, err := os.ReadFile(d.file)
	if err != nil {
		d.h.t.Fatal(err)
	}
	return string(b)
}

func (d *developer) count(words string) int { return strings.Count(d.text(), words) }

func isEmpty(t *testing.T, dir string) bool {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return len(entries) == 0
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// TestWatchReloadsACluster: no request fails while its files change, and what does not come up is not put in place.
func TestWatchReloadsACluster(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	port := freePort(t)
	text := `require("http").createServer((q, r) => r.end("%")).listen(` + port + `)`
	h.write("app.js", strings.Replace(text, "%", "one", 1), 0o600)
	h.must("start", "app.js", "-i", "2", "--watch", "--kill-timeout", "2000")
	h.until("it serves", hang, func() bool { return get(t.Context(), port) == nil })
	h.until("it is watched", hang, func() bool { return strings.Contains(h.must("watch", "app"), "is watched") })
	stop, failed := make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			select {
			case <-stop:
				failed <- nil
				return
			default:
			}
			if err := get(t.Context(), port); err != nil {
				failed <- err
				return
			}
		}
	}()
	h.write("app.js", strings.Replace(text, "%", "two", 1), 0o600)
	replaced := func() bool {
		for _, st := range h.instances("app") {
			if st.Restarts == 0 || st.State != app.Online {
				return false
			}
		}
		return true
	}
	h.until("both workers are new", 2*hang, replaced)
	h.write("app.js", "throw new Error('broken')", 0o600)
	h.until("the broken one is given up", 2*hang, func() bool { return h.happened("app", app.EventReload, "the old one goes on") })
	close(stop)
	if err := <-failed; err != nil {
		t.Errorf("a request failed: %v", err)
	}
}
