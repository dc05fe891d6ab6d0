//go:build linux

package e2e

import (
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"gpm/app"
)

// pythonApp serves the socket that it finds as systemd's clients do, and ends in good order on SIGINT.
const pythonApp = `
import os, select, signal, socket
assert os.environ["LISTEN_FDS"] == "1" and int(os.environ["LISTEN_PID"]) == os.getpid()
listener = socket.socket(fileno=3)
listener.setblocking(False)
wake, waker = socket.socketpair()
waker.setblocking(False)
signal.set_wakeup_fd(waker.fileno())
ending = []
signal.signal(signal.SIGINT, lambda *_: ending.append(1))
while not ending:
    if listener not in select.select([listener, wake], [], [])[0]:
        continue
    try:
        conn, _ = listener.accept()
    except BlockingIOError:
        continue
    conn.setblocking(True)
    conn.settimeout(5)
    conn.recv(65536)
    body = str(os.getpid()).encode()
    conn.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    conn.close()
`

// TestListenFDs shares a port among the workers of a program that knows nothing of gpm, and reloads it.
func TestListenFDs(t *testing.T) {
	needNode(t)
	h := newHome(t)
	port := freePort(t)
	h.write("web.py", pythonApp, 0o644)
	h.must("start", "web.py", "--listen-timeout", "60s", "-i", "2", "--listen", "tcp://127.0.0.1:"+port)
	h.until("both serve", hang, func() bool { return len(h.servers8(port)) == 2 })
	tr := startTraffic(port)
	for range 3 {
		before := pidsOf(h.instances("web"))
		h.must("reload", "web")
		if after := pidsOf(h.instances("web")); after[0] == before[0] || after[1] == before[1] {
			t.Errorf("pids were %v and are %v", before, after)
		}
		kill(t, h.daemon().PID)
	}
	tr.check(t)
	h.until("another daemon answers", hang, func() bool { return h.run("list").code == 0 })
	h.fails("not an address", "start", "web.py", "--name", "other", "--listen", "http://x")
	h.must("delete", "web")
	if conn, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
		conn.Close()
		t.Error("the port is still open after the end")
	}
}

// TestSticky: all connections of one address go to one worker.
func TestSticky(t *testing.T) {
	needNode(t)
	h := newHome(t)
	port := h.startWebAs(4, 1, "--sticky", "ip")
	askAs := func(client int) string {
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(10+client))}}
		one := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: dialer.DialContext}, Timeout: 5 * time.Second}
		pid, err := ask(t.Context(), one, port, "/")
		if err != nil {
			t.Fatal(err)
		}
		return pid
	}
	h.until("all four serve", hang, func() bool { // each that begins to takes clients from the others
		all := map[string]bool{}
		for client := range 40 {
			all[askAs(client)] = true
		}
		return len(all) == 4
	})
	servers := map[string]bool{}
	for client := range 16 {
		mine := map[string]bool{}
		for range 5 {
			pid := askAs(client)
			mine[pid], servers[pid] = true, true
		}
		if len(mine) != 1 {
			t.Errorf("client %d was served by %d workers", client, len(mine))
		}
	}
	if len(servers) < 3 {
		t.Errorf("16 clients use %d of 4 workers", len(servers))
	}
}

// TestClusterMasterKilled: workers and their clients notice nothing of the death of their master, for the next one
// gets their sockets and channels from the daemon, also while a reload is under way.
func TestClusterMasterKilled(t *testing.T) {
	needNode(t)
	h := newHome(t)
	port := h.startWeb(2)
	tr := startTraffic(port)
	before := h.nodes()
	for range 2 {
		h.killMaster(h.daemon())
	}
	if after := h.nodes(); !slices.Equal(before, after) {
		t.Errorf("processes %v, were %v", after, before)
	}
	for range 2 {
		reload := h.command("reload", "web")
		if err := reload.Start(); err != nil {
			t.Fatal(err)
		}
		settle(t, time.Duration(rand.IntN(800))*time.Millisecond)
		h.killMaster(h.daemon())
		_ = reload.Wait() // it may have been cut short
		h.until("a reload passes", hang, func() bool { return h.run("reload", "web").code == 0 })
	}
	h.must("scale", "web", "3")
	h.must("scale", "web", "2")
	tr.check(t)
	h.until("both serve", hang, func() bool { return len(h.servers8(port)) == 2 })
	if n := len(h.nodes()); n != 2 {
		t.Errorf("%d processes run", n)
	}
}

// TestClusterNothingLeft: workers end with their channels when master and daemon are killed, and everything is back at once.
func TestClusterNothingLeft(t *testing.T) {
	needNode(t)
	h := newHome(t)
	port := h.startWeb(2)
	d := h.daemon()
	h.killMaster(d, d.PID)
	h.until("both serve again", hang, func() bool { return len(h.servers8(port)) == 2 })
	if n := len(h.nodes()); n != 2 {
		t.Errorf("%d processes run", n)
	}
	h.must("reload", "web")
}

// TestClusterAsUser runs everything without privileges.
func TestClusterAsUser(t *testing.T) {
	needNode(t)
	if os.Getuid() != 0 {
		t.Skip("needs root to become somebody else")
	}
	h := newHomeOf(t, &syscall.Credential{Uid: 65534, Gid: 65534})
	h.env = append(h.env, "HOME="+h.cwd)
	port := h.startWeb(2)
	tr := startTraffic(port)
	h.must("reload", "web")
	h.must("scale", "web", "3")
	h.must("scale", "web", "-1")
	kill(t, h.daemon().PID)
	h.until("another daemon answers", hang, func() bool { return len(h.instances("web")) == 2 })
	h.killMaster(h.daemon())
	h.must("reload", "web")
	tr.check(t)
	h.must("start", "web.js", "-f", "--name", "low", "-i", "1", "--env", "PORT=81", "--max-restarts", "1")
	h.untilState("low", app.Errored)
	if why := h.must("why", "low"); !strings.Contains(why, "EACCES") || !strings.Contains(why, "below 1024") {
		t.Errorf("a port that is for root only:\n%s", why)
	}
}

// TestPackageScripts: what npm would run is clustered itself, or the user is told why not.
func TestPackageScripts(t *testing.T) {
	h := newHome(t)
	port := freePort(t)
	h.write("web.js", webApp, 0o644)
	h.write("package.json", `{"scripts":{"start":"PORT=`+port+` node web.js", "shell":"node web.js && true"}}`, 0o644)
	h.must("start", "npm", "--listen-timeout", "60s", "-i", "2", "--name", "web", "--", "start")
	h.until("both serve", hang, func() bool { return len(h.servers8(port)) == 2 })
	if st := h.instances("web")[0]; st.Mode != app.Cluster {
		t.Errorf("mode %s", st.Mode)
	}
	h.must("delete", "web")
	if out := h.must("start", "npm", "-i", "2", "--name", "shell", "--env", "PORT=0", "--", "run", "shell"); !strings.Contains(out, "needs a shell") {
		t.Errorf("nobody is told why it is no cluster:\n%s", out)
	}
}
