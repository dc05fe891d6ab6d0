//go:build linux

package e2e

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"gpm/app"
)

// broken are new versions of webApp that must not get into service, how long each is waited for, and what gpm says of it.
var broken = map[string]struct{ code, within, words string }{
	"crashes at import":   {`throw new Error('no such table')`, "60s", "exit code 1"},
	"throws after 1 s":    {webApp + `; setTimeout(() => { throw new Error('no such table') }, 1000)`, "60s", "exit code 1"},
	"never listens":       {`setInterval(() => {}, 1000)`, "2s", "does not listen"},
	"listens elsewhere":   {strings.Replace(webApp, "Number(process.env.PORT)", "0", 1), "2s", "does not listen"},
	"hangs at its start":  {`for (;;);`, "2s", "does not listen"},
	"is no script at all": {`const const const`, "60s", "exit code 1"},
	"is not healthy":      {strings.Replace(webApp, "(req, res) => {", "(req, res) => { if (req.url === '/health') { res.statusCode = 500; return res.end() }", 1), "5s", "500"},
}

// TestClusterBrokenVersion: a reload to what does not work changes nothing for the clients.
func TestClusterBrokenVersion(t *testing.T) {
	needNode(t)
	h := newHome(t)
	port := h.startWeb(2, "--listen-timeout", "60s", "--kill-timeout", "1s", "--health-http", "/health")
	tr := startTraffic(port)
	before := pidsOf(h.instances("web"))
	for name, b := range broken {
		h.write("web.js", b.code, 0o644)
		r := h.run("reload", "web", "--listen-timeout", b.within)
		if r.code == 0 || !strings.Contains(r.err, b.words) {
			t.Errorf("%s: exit %d, want a failure that says %q\n%s%s", name, r.code, b.words, r.out, r.err)
		}
		if strings.Contains(b.code, "no such table") && !strings.Contains(r.err, "no such table") {
			t.Errorf("%s: the last words of the new process are missing:\n%s", name, r.err)
		}
		if (b.within != "60s") != strings.Contains(r.err, "give it more by --listen-timeout") {
			t.Errorf("%s: what is late, and nothing else, is told of its time limit:\n%s", name, r.err)
		}
		if after := pidsOf(h.instances("web")); after[0] != before[0] || after[1] != before[1] {
			t.Errorf("%s: pids were %v and are %v", name, before, after)
		}
	}
	h.write("web.js", webApp, 0o644)
	h.must("reload", "web", "--listen-timeout", "60s")
	tr.check(t)
}

// TestClusterDaemonKilled kills the daemon again and again, or asks it to leave, always within a reload.
func TestClusterDaemonKilled(t *testing.T) {
	needNode(t)
	h := newHome(t)
	port := h.startWeb(2)
	tr := startTraffic(port)
	for i := range many(20, 6) {
		reloads := h.command("reload", "web")
		if err := reloads.Start(); err != nil {
			t.Fatal(err)
		}
		settle(t, time.Duration(i%10)*400*time.Millisecond)
		if err := syscall.Kill(h.daemon().PID, []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM}[i%2]); err != nil {
			t.Fatal(err)
		}
		_ = reloads.Wait() // it fails, or not, as the moment would have it
		h.until("there are two workers again", hang, func() bool {
			all := h.instances("web")
			return len(all) == 2 && all[0].State == app.Online && all[1].State == app.Online && len(h.nodes()) == 2
		})
	}
	h.must("reload", "web")
	tr.check(t)
}

// TestKilledWithinReload: what a reload had beside the official processes is stopped with them.
func TestKilledWithinReload(t *testing.T) {
	needNode(t)
	for i := range 4 {
		h := newHome(t)
		h.startWeb(2)
		reload := h.command("reload", "web")
		if err := reload.Start(); err != nil {
			t.Fatal(err)
		}
		settle(t, 200*time.Millisecond+time.Duration(i)*700*time.Millisecond)
		pid := h.daemon().PID
		kill(t, pid)
		h.until("another daemon answers", hang, func() bool {
			r := h.run("daemon", "status", "--json")
			return r.code == 0 && !strings.Contains(r.out, fmt.Sprintf(`"pid":%d,`, pid))
		})
		h.must("kill")
		_ = reload.Wait() // it fails
		if left := h.nodes(); len(left) > 0 {
			t.Errorf("still running: %v", left)
		}
	}
}

// nodes lists the processes of webApp, of which there must not be more than workers.
func (h *home) nodes() []string {
	out, _ := exec.Command("pgrep", "-f", h.cwd+"/web.js").Output()
	return strings.Fields(string(out))
}

// TestClusterBalance: 64 connections that stay open are shared evenly by two workers, as exactly as the user's rights
// allow.
func TestClusterBalance(t *testing.T) {
	needNode(t)
	h := newHome(t)
	port := h.startWeb(2)
	got := map[string]int{}
	for range 64 {
		one := &http.Client{Transport: &http.Transport{}, Timeout: hang}
		defer one.CloseIdleConnections()
		pid, err := ask(t.Context(), one, port, "/")
		if err != nil {
			t.Fatal(err)
		}
		got[pid]++
	}
	t.Logf("%v", got)
	least := 29 // 45 %
	if os.Getuid() != 0 {
		least = 16 // at random
	}
	for pid, n := range got {
		if n < least || len(got) != 2 {
			t.Errorf("worker %s has %d of 64", pid, n)
		}
	}
}

// TestClusterPortTaken: the app sees Node's own error, and gpm says who has the port, whoever binds it.
func TestClusterPortTaken(t *testing.T) {
	needNode(t)
	h := newHome(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	h.write("web.js", webApp, 0o644)
	for name, mode := range map[string]string{"workers": "--instances=1", "single": "--name=single"} {
		h.run("start", "web.js", "--name", name, mode, "--no-autorestart", "--env", "PORT="+port)
		h.until("the error and the holder are recorded", hang, func() bool {
			out := h.must("why", name)
			return strings.Contains(out, "EADDRINUSE") && strings.Contains(out, ":"+port+" is in use by process") && strings.Contains(out, "e2e.test")
		})
	}
}

// TestClusterScale adds and removes workers under load.
func TestClusterScale(t *testing.T) {
	needNode(t)
	h := newHome(t)
	port := h.startWeb(2)
	tr := startTraffic(port)
	for _, change := range []string{"+2", "-3", "4", "-1", "2"} {
		h.must("scale", "web", change)
	}
	h.until("two serve", hang, func() bool { return len(h.servers8(port)) == 2 })
	tr.check(t)
	all := h.instances("web")
	if len(all) != 2 || len(h.nodes()) != 2 {
		t.Errorf("%d instances, %d processes", len(all), len(h.nodes()))
	}
	h.fails("one has to stay", "scale", "web", "-2")
	h.must("stop", "web")
	if conn, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
		conn.Close()
		t.Error("the port is still open after the stop")
	}
}

// TestClusterSecondReload: it is refused.
func TestClusterSecondReload(t *testing.T) {
	needNode(t)
	h := newHome(t)
	h.startWeb(2)
	first := h.command("reload", "web")
	out, err := first.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil { // it has been announced
		t.Fatal(err)
	}
	h.until("the first has begun", hang, func() bool { return len(h.nodes()) > 2 })
	h.fails("a reload of it is under way", "reload", "web")
	h.must("stop", "web")
	h.until("nothing runs", hang, func() bool { return len(h.nodes()) == 0 })
	if first.Wait() == nil {
		t.Error("a reload that was ended by a stop reports success")
	}
}

// TestForkMessages: a Node app in fork mode has a channel too, as under pm2.
func TestForkMessages(t *testing.T) {
	needNode(t)
	h := newHome(t)
	h.write("ready.js", `
console.log(typeof process.send, process.connected, require('cluster').isPrimary, process.env.NODE_OPTIONS, process.env.NODE_CHANNEL_FD)
setTimeout(() => process.send('ready'), 300)
setInterval(() => {}, 1000)`, 0o644)
	began := time.Now()
	h.must("start", "ready.js", "--wait-ready", "--listen-timeout", "90s")
	if took := time.Since(began); took < 300*time.Millisecond || took > hang {
		t.Errorf("ready after %s", took)
	}
	if got, want := h.outLog("ready"), "function true true undefined undefined\n"; got != want {
		t.Errorf("the app saw %q, want %q", got, want)
	}
}
