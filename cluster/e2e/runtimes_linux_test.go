package e2e

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"gpm/cluster/primary"
	"gpm/testprog/install"
)

func newDeno(t *testing.T, script string, args ...string) *app {
	program := install.Program(t, "deno") + "/deno"
	a := newApp(t, `import process from 'node:process'; import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);`+script, args...)
	a.runtime, a.command = primary.Deno, []string{program, "run", "-A", "--no-config", "--ext=mjs"}
	return a
}

func newBun(t *testing.T, script string, args ...string) *app {
	program := install.Program(t, "bun") + "/bun"
	a := newApp(t, script, args...)
	a.runtime, a.command = primary.Bun, []string{program}
	return a
}

const talks = `process.on('message', m => process.send(m)); process.send([require('cluster').isWorker])`

func TestMessagesOfOtherRuntimes(t *testing.T) {
	for name, newOne := range map[string]func(*testing.T, string, ...string) *app{"deno": newDeno, "bun": newBun} {
		t.Run(name, func(t *testing.T) {
			w := newOne(t, talks).start(0)
			if got := w.message(t); got != `[true]` {
				t.Errorf("got %s", got)
			}
			long := `{"a":"` + strings.Repeat("x", 1<<20) + `"}`
			for _, m := range []string{`"hello"`, `[1,null]`, long} {
				if err := w.ch.Send([]byte(m)); err != nil {
					t.Fatal(err)
				}
				if got := w.message(t); got != m {
					t.Errorf("%.50s came back as %.50s", m, got)
				}
			}
		})
	}
}

// TestDenoIsPassedConnections: its workers share a port, and one may go.
func TestDenoIsPassedConnections(t *testing.T) {
	a := newDeno(t, httpServer)
	w, port := startTwo(t, a)
	client := fresh(&http.Transport{})
	ask := func() (string, error) { return get(client, url(port)) }
	reached(t, w, ask)
	a.stop(w[0])
	w[0].exits(t)
	if pid, err := ask(); pid != strconv.Itoa(w[1].cmd.Process.Pid) {
		t.Errorf("answer from %s, %v", pid, err)
	}
}

// TestBunSharesByItself: node:http binds with SO_REUSEPORT in the worker, node:net is refused.
func TestBunSharesByItself(t *testing.T) {
	a := newBun(t, `require('http').createServer((q, r) => r.end(String(process.pid))).listen(+process.argv[2], '127.0.0.1')`, strconv.Itoa(freePort(t)))
	w, port := startTwo(t, a)
	client := fresh(&http.Transport{})
	reached(t, w, func() (string, error) { return get(client, url(port)) })
	a.stop(w[0]) // it disconnects but serves on: the server is its own
	waitGone(t, a, w[0])
	if err := w[0].cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	w[0].exits(t)
	if _, err := get(client, url(port)); err != nil {
		t.Error(err)
	}
	refused := newBun(t, fmt.Sprintf(netServer, `0, '127.0.0.1'`)).start(0)
	if got := refused.message(t); !strings.Contains(got, `"code"`) {
		t.Errorf("got %s", got)
	}
}

// waitGone waits until the worker's channel has ended.
func waitGone(t *testing.T, a *app, w *worker) {
	t.Helper()
	for gone := false; !gone; {
		a.do(func() { gone = w.state.Phase == primary.Gone })
		if t.Context().Err() != nil {
			t.Fatal("it does not disconnect")
		}
	}
}

// TestNewerNode runs what depends on Node's version with a newer one too.
func TestNewerNode(t *testing.T) {
	if os.Getenv("GPM_TEST_NEWER") != "" {
		t.Skip("this is the newer one")
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, "-test.count=1", "-test.run", "AClusterWorker|Listen|UnixPath|Exclusive|BindErrors|SamePort|UDP|HTTP|Upgrade|Disconnect|MayLeave|Ready")
	cmd.Env = append(os.Environ(), "GPM_TEST_NEWER=1", "PATH="+install.Program(t, "node")+":"+os.Getenv("PATH"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
