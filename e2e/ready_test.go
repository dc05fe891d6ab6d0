//go:build linux

package e2e

import (
	"strings"
	"testing"
	"time"

	"gpm/app"
)

// lateWeb listens at once, and is ready when there is a file.
const lateWeb = `
const fs = require('fs')
require('http').createServer((req, res) => {
  if (req.url === '/ready' && !fs.existsSync(process.env.FLAG)) res.statusCode = 503
  res.end(String(process.pid))
}).listen(Number(process.env.PORT))
`

// TestReadyByHTTP asks each worker of a cluster itself: the others, who share its port, must not answer for it.
func TestReadyByHTTP(t *testing.T) {
	needNode(t)
	h := newHome(t)
	script, flag, port := h.write("late.js", lateWeb, 0o644), h.cwd+"/ready", freePort(t)
	start := h.command("start", script, "-i", "2", "--ready", "/ready", "--listen-timeout", "90s", "--env", "PORT="+port, "--env", "FLAG="+flag)
	started := make(chan error, 1)
	go func() { started <- start.Run() }()
	h.until("both workers listen and are not ready", time.Minute, func() bool {
		return len(h.servers8(port)) == 2 && h.all("late", app.Launching)
	})
	kill(t, h.daemon().PID) // the next one goes on asking
	h.until("a daemon is there again", time.Minute, func() bool { return h.all("late", app.Launching) })
	h.write("ready", "", 0o644)
	h.until("they are ready", time.Minute, func() bool { return h.all("late", app.Online) })
	<-started // it says that its daemon is gone, or is told by the next one

	pids := h.pids("late")
	limit := 2 * time.Second // the whole of it is waited; on a busy machine nobody has been asked by then
	h.until("a reload fails for what the new process answers", 2*time.Minute, func() bool {
		r := h.run("reload", "late", "--listen-timeout", limit.String(), "--update-env", "--env", "FLAG="+flag+"-never")
		limit *= 3
		if r.code == 0 {
			t.Fatalf("a process that is not ready was taken:\n%s", r.out)
		}
		return strings.Contains(r.err, "/ready answers 503")
	})
	for i, pid := range h.pids("late") {
		if pid != pids[i] {
			t.Errorf("process %d was replaced by one that is not ready", pids[i])
		}
	}
	h.must("reload", "late")
	for i, pid := range h.pids("late") {
		if pid == pids[i] {
			t.Errorf("process %d was not replaced", pid)
		}
	}
}

// all says whether every instance of an app is in a state.
func (h *home) all(name string, s app.State) bool {
	list := h.instances(name)
	for _, st := range list {
		if st.State != s {
			return false
		}
	}
	return len(list) > 0
}

// slowPython listens after a while on a port of its own.
const slowPython = `
import os, socket, time
time.sleep(0.5)
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(('127.0.0.1', int(os.environ['PORT']) + int(os.environ.get('WRONG', 0))))
s.listen()
time.sleep(1000)
`

// TestReadyByTCP: programs that choose their own ports are asked there, and a reload of them goes one by one
// and ends with the first that does not come up.
func TestReadyByTCP(t *testing.T) {
	h := newHome(t)
	script, port := h.write("slow.py", slowPython, 0o644), freePorts(t, 2)
	before := time.Now()
	h.must("start", script, "-i", "2", "--increment-var", "PORT", "--env", "PORT="+port, "--ready", "tcp:$PORT", "--listen-timeout", "60s")
	if !h.all("slow", app.Online) || time.Since(before) < 500*time.Millisecond {
		t.Errorf("after %s they are %v", time.Since(before), h.instances("slow"))
	}
	pids := h.pids("slow")
	h.fails("not ready within 1s", "reload", "slow", "--listen-timeout", "1s", "--update-env", "--env", "WRONG=1000")
	if now := h.pids("slow"); now[0] == pids[0] || now[1] != pids[1] {
		t.Errorf("processes %v became %v, want one of them tried", pids, now)
	}
	h.fails("is no address", "start", script, "-n", "bad", "--ready", "tcp:nowhere")
	h.fails("cannot tell by", "start", script, "-n", "bad", "--ready", "soon")
}

// TestReadyLater: a delay, a command, and what is late.
func TestReadyLater(t *testing.T) {
	h := newHome(t)
	before := time.Now()
	h.must("start", "sleep 1000", "-n", "delayed", "--ready", "700ms", "--listen-timeout", "60s")
	if took := time.Since(before); took < 700*time.Millisecond {
		t.Errorf("it was online after %s", took)
	}
	out := h.must("start", "sleep 1000", "-n", "late", "--ready", "exec:test -e made", "--listen-timeout", "300ms")
	if !strings.Contains(out, "not ready within 300ms") {
		t.Errorf("start says %s", out)
	}
	h.write("made", "", 0o644)
	h.until("it got ready after all", time.Minute, func() bool { st := h.status("late"); return st.State == app.Online && st.Reason == "" })
}

// TestReloadByHealth: a replacement that does not pass its health check does not take over. Each worker is asked itself.
func TestReloadByHealth(t *testing.T) {
	needNode(t)
	h := newHome(t)
	script, flag, port := h.write("late.js", lateWeb, 0o644), h.write("ready", "", 0o644), freePort(t)
	h.must("start", script, "-i", "2", "--health-http", "/ready", "--env", "PORT="+port, "--env", "FLAG="+flag)
	pids := h.pids("late")
	h.fails("pass its health check", "reload", "late", "--listen-timeout", "1s", "--update-env", "--env", "FLAG="+flag+"-never")
	for i, pid := range h.pids("late") {
		if pid != pids[i] {
			t.Errorf("process %d was replaced by one that is not well", pids[i])
		}
	}
	h.must("reload", "late")
}
