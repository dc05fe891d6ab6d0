//go:build linux

package e2e

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"gpm/app"
)

// talker answers messages, announces an action and a metric as pm2's library does.
const talker = `
process.send({ type: 'axm:action', data: { action_name: 'greet', action_type: 'custom' } })
process.send({ type: 'axm:action', data: { action_name: 'count', action_type: 'scoped' } })
process.send({ type: 'axm:option:configuration', data: { error: true, name: process.argv[2] } })
process.send({ node_version: '99.0' })
process.send({ type: 'axm:monitor', data: { users: { value: 7, unit: 'heads', type: 'metric' } } })
process.on('message', (m) => {
  console.log('got', JSON.stringify(m))
  if (m === 'greet' || m.msg === 'greet') process.send({ type: 'axm:reply', data: { at: Date.now(), action_name: 'greet', return: { hello: m.opts || 'nobody' } } })
  else if (m.msg === 'count') {
    const say = (kind, data) => process.send({ type: 'axm:scoped_action:' + kind, data: { uuid: m.uuid, action_name: 'count', data } })
    if (m.opts) say('error', m.opts)
    else { say('stream', 1); say('stream', 2); say('end') }
  } else if (m === 'shutdown') process.exit(7)
  else process.send({ type: 'echo', data: { m } })
})`

func TestMessages(t *testing.T) {
	needNode(t)
	for _, mode := range []string{"-i=2", "-x"} {
		h := newHome(t)
		h.write("talk.js", talker, 0o644)
		h.must("start", "talk.js", mode, "--name", "quiet", "--shutdown-with-message", "--merge-logs", "--", "talk")
		h.until("it has named itself", hang, func() bool { return len(h.instances("talk")) > 0 && len(h.instances("quiet")) == 0 })
		h.until("the action is known", hang, func() bool {
			for _, d := range decode[[]app.Detail](h, "describe", "talk", "--json") {
				if len(d.Actions) == 0 || d.Metrics["users"] == nil {
					return false
				}
			}
			return true
		})
		workers := len(h.instances("talk"))
		heard := h.listen()
		h.must("send", "talk", `{"level": "debug"}`)
		for range workers {
			if m := <-heard; m.Type != "echo" || string(m.Data) != `{"m":{"level":"debug"}}` {
				t.Errorf("heard %+v", m)
			}
		}
		pid := h.daemon().PID
		kill(t, pid)
		h.until("the daemon is dead", 30*time.Second, func() bool { return !alive(pid) })
		out := h.must("trigger", "talk", "greet", "you")
		if n := strings.Count(out, `:default]={"hello":"you"}`); n != workers {
			t.Errorf("%d answers: %s", n, out)
		}
		if out := h.must("trigger", "talk", "count"); strings.Count(out, ":default]=1\n") != workers || strings.Count(out, ":default]=2\n") != workers || strings.Count(out, "\n") != 2*workers {
			t.Errorf("the scoped action told: %s", out)
		}
		h.fails(`reports an error: "no"`, "trigger", "talk", "count", "no")
		if d := decode[[]app.Detail](h, "describe", "talk", "--json")[0]; string(d.Options["error"]) != "true" || d.NodeVersion != "99.0" || d.Actions[1].Type != app.ScopedAction || !strings.HasSuffix(d.OutLog, "quiet-out.log") {
			t.Errorf("after a new daemon it has told %+v", d.Shown)
		}
		h.fails("no process has announced", "trigger", "talk", "dance")
		h.must("reloadLogs")
		if said := func() bool {
			return strings.Count(h.must("logs", "talk", "--nostream", "--raw", "--out"), `got {"type":"log:reload"}`) == workers
		}; mode == "-x" {
			if said() {
				t.Error("log:reload comes to an app that is no cluster")
			}
		} else {
			h.until("the workers are told to open their logs", hang, said)
		}
		h.fails("no JSON", "send", "talk", "{")
		h.must("stop", "talk")
		if st := h.instances("talk")[0]; st.Exit == nil || st.Exit.Code != 7 {
			t.Errorf("it ended with %v, want the code it chose at \"shutdown\"", st.Exit)
		}
	}
}

// TestRenameRefused: an app that names itself as it may not keeps its name, and serves on.
func TestRenameRefused(t *testing.T) {
	needNode(t)
	h := newHome(t)
	h.write("names.js", `process.on('message', (name) => process.send({ type: 'axm:option:configuration', data: { name } }, () => console.log('asked for', name)))`, 0o644)
	h.must("start", "names.js", "-i", "2")
	h.must("start", progBin, "--name", "taken", "--", "sleep")
	h.must("start", progBin, "--name", "needs", "--depends-on", "taken", "--", "sleep")
	log := func() string {
		text, err := os.ReadFile(filepath.Join(h.dir, "daemon.log"))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for name, why := range map[string]string{
		"taken": "another app has that name", "all": `the name \"all\" means every process`, strings.Repeat("n", 300): "name",
	} {
		h.must("send", "0", strconv.Quote(name))
		h.until("it is refused", hang, func() bool {
			for line := range strings.Lines(log()) {
				if strings.Contains(line, "cannot rename itself") && strings.Contains(line, name) && strings.Contains(line, why) {
					return true
				}
			}
			return false
		})
	}
	h.must("start", progBin, "--name", "follows", "--depends-on", "names", "--", "sleep")
	h.must("send", "0", `"free"`)
	h.until("the name by which it is awaited is kept", hang, func() bool { return strings.Contains(log(), "depends on it by its name: follows") })
	if n := len(h.instances("names")); n != 2 {
		t.Errorf("%d processes have the name that they had", n)
	}
	h.must("delete", "follows")
	h.must("send", "1", `"free"`)
	h.until("it has another name", hang, func() bool { return len(h.instances("free")) == 2 && len(h.instances("names")) == 0 })
}

// listen returns the messages of the bus from now on.
func (h *home) listen() <-chan app.Message {
	h.t.Helper()
	cmd := h.command("bus")
	out, err := cmd.StdoutPipe()
	if err != nil {
		h.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	heard := make(chan app.Message, 100)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for sc := bufio.NewScanner(out); sc.Scan(); {
			var m app.Message
			if json.Unmarshal(sc.Bytes(), &m) == nil {
				heard <- m
			}
		}
	}()
	h.t.Cleanup(func() {
		cmd.Process.Kill()
		for reading := true; reading; { // what a failed test has not taken
			select {
			case <-heard:
			case <-done:
				reading = false
			}
		}
		cmd.Wait()
	})
	settle(h.t, 300*time.Millisecond) // until the daemon knows of the listener
	return heard
}

// TestNotify: programs in any language say that they are ready as systemd's do.
func TestNotify(t *testing.T) {
	needNode(t)
	h := newHome(t)
	h.write("late.py", `
import os, socket, time
time.sleep(0.5)
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.connect("\0" + os.environ["NOTIFY_SOCKET"][1:])
s.send(b"STATUS=up\nREADY=1\n")
time.sleep(600)
`, 0o644)
	began := time.Now()
	h.must("start", "late.py", "--wait-ready", "--listen-timeout", "90s")
	if took := time.Since(began); took < 500*time.Millisecond || took > hang {
		t.Errorf("ready after %s", took)
	}
	if st := h.status("late"); st.State != app.Online || st.Reason != "" {
		t.Errorf("%s: %s", st.State, st.Reason)
	}
}
