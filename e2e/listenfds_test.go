//go:build linux

package e2e

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gpm/app"
	"gpm/testprog/install"
)

// wsgi is an app for gunicorn, asgi one for uvicorn.
const (
	wsgi = `
import os
def app(environ, start):
    start("200 OK", [])
    return [str(os.getpid()).encode()]
`
	asgi = `
import os
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": str(os.getpid()).encode()})
`
)

// TestPythonServers: gunicorn takes its socket as from systemd, uvicorn by number.
func TestPythonServers(t *testing.T) {
	needNode(t)
	dir, err := install.Python("wsgi-1", "gunicorn==27.0.1", "uvicorn==0.54.0")
	install.Have(t, dir, err)
	for name, args := range map[string][]string{"gunicorn": {"wsgi:app", "--workers", "1", "--no-control-socket"}, "uvicorn": {"asgi:app", "--fd", "3"}} {
		t.Run(name, func(t *testing.T) {
			h := newHome(t)
			port := freePort(t)
			h.write("wsgi.py", wsgi, 0o644)
			h.write("asgi.py", asgi, 0o644)
			h.must(append([]string{
				"start", filepath.Join(dir, "bin", name), "-i", "2", "--interpreter", "python3", "--env", "PYTHONPATH=" + dir,
				"--listen", "tcp://127.0.0.1:" + port, "--",
			}, args...)...)
			h.until("both serve", hang, func() bool { return len(h.servers8(port)) == 2 })
			before := pidsOf(h.instances(name))
			h.must("reload", name)
			if after := pidsOf(h.instances(name)); after[0] == before[0] || after[1] == before[1] {
				t.Errorf("pids were %v and are %v", before, after)
			}
			h.until("both serve again", hang, func() bool { return len(h.servers8(port)) == 2 })
		})
	}
}

// plainServer is a program that knows nothing: it waits in accept, serves one after the other, and ends when it has served.
const plainServer = `
import os, signal, socket
idle, over, broken = False, False, os.path.exists("broken")
def end(*_):
    global over
    over = True
    if idle: os._exit(0)
signal.signal(signal.SIGINT, end)
s = socket.socket(fileno=3)
while not over:
    idle = True
    c, _ = s.accept()
    idle = False
    while not broken and b"\r\n\r\n" not in c.recv(65536): pass
    if not broken: c.sendall(b"HTTP/1.0 200 OK\r\n\r\n%d" % os.getpid())
    c.close()
`

// TestPlainServer: a program of another language that waits in accept goes on when the daemon dies, no request fails when it
// is replaced, and what a new version would do to its clients is not tried on them.
func TestPlainServer(t *testing.T) {
	h := newHome(t)
	port := freePort(t)
	h.write("web.py", plainServer, 0o644)
	h.must("start", "web.py", "-i", "2", "--listen", "tcp://127.0.0.1:"+port, "--ready", "exec:test ! -e broken", "--listen-timeout", "1m")
	h.until("both serve", hang, func() bool { return len(h.servers8(port)) == 2 })
	tr := startTraffic(port)
	h.must("reload", "web")
	before := pidsOf(h.instances("web"))
	kill(t, h.daemon().PID)
	h.must("reload", "web")
	if after := pidsOf(h.instances("web")); after[0] == before[0] || after[1] == before[1] {
		t.Errorf("pids were %v and are %v", before, after)
	}
	h.until("both serve, so that they are not of the version that comes now", hang, func() bool { return len(h.servers8(port)) == 2 })
	h.write("broken", "", 0o644)
	h.fails("does not get ready", "reload", "web", "--listen-timeout", "1s")
	tr.checkOnly(t, "new", "slow")
}

// TestListenManyAddresses gives a Go program sockets of every kind; it serves the first.
func TestListenManyAddresses(t *testing.T) {
	h := newHome(t)
	path := filepath.Join(h.cwd, "app.sock")
	port, udp := freePort(t), freePort(t)
	h.must("start", progBin, "-i", "2", "--name", "web", "--listen", "unix://"+path, "--listen", "tcp://127.0.0.1:"+port, "--listen", "udp://127.0.0.1:"+udp, "--", "http")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}}
	answers := func() bool {
		pid, err := ask(t.Context(), client, "1", "/")
		return err == nil && strings.TrimSpace(pid) != ""
	}
	h.until("it answers", hang, answers)
	h.must("reload", "web")
	if !answers() {
		t.Error("it does not answer after a reload")
	}
	for _, st := range h.instances("web") {
		if st.State != app.Online {
			t.Errorf("%d is %s", st.ID, st.State)
		}
	}
	h.fails("("+progBin+" http)", "start", progBin, "--name", "other", "--listen", "tcp://127.0.0.1:"+port, "--", "http")
	h.fails("in use", "start", progBin, "--name", "third", "--listen", "udp://127.0.0.1:"+udp, "--", "http")
	h.must("delete", "all")
	if _, err := os.Stat(path); err == nil {
		t.Error("the file of the socket is still there")
	}
}
