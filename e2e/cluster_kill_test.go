//go:build linux

package e2e

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// oneByOne answers one request after the other, each after ten milliseconds of work, and writes down which
// connections it took, by the client's port.
const oneByOne = `
const fs = require('fs')
const log = fs.openSync('taken.log', 'a')
require('http').createServer((req, res) => {
  for (const end = process.hrtime.bigint() + 10_000_000n; process.hrtime.bigint() < end;);
  res.end(String(process.pid))
}).prependListener('connection', (s) => fs.writeSync(log, s.remotePort + '\n')).listen(Number(process.env.PORT))
`

// patient waits for answers that do not come at once.
var patient = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: hang}

// lost is a request that was not answered.
type lost struct {
	port string // of the client
	err  error
	took time.Duration
}

// strangers are clients of which each makes a connection for each request.
type strangers struct {
	mu    sync.Mutex
	lost  []lost
	asked int
	took  []time.Duration // by those that were answered
}

// start has n of them ask until stop is closed.
func (s *strangers) start(n int, port string) (clients *sync.WaitGroup, stop chan struct{}) {
	clients, stop = new(sync.WaitGroup), make(chan struct{})
	for range n {
		clients.Go(func() { s.run(stop, port) })
	}
	return clients, stop
}

func (s *strangers) run(stop <-chan struct{}, port string) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		began := time.Now()
		mine, err := askOnce(port)
		s.mu.Lock()
		if s.asked++; err != nil {
			s.lost = append(s.lost, lost{mine, err, time.Since(began)})
		} else {
			s.took = append(s.took, time.Since(began))
		}
		s.mu.Unlock()
	}
}

func (s *strangers) count() (asked, failed int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked, len(s.lost)
}

// askOnce returns the client's port, by which the server knows it too.
func askOnce(port string) (mine string, err error) {
	conn, err := net.Dial("tcp", "127.0.0.1:"+port)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	_, mine, _ = net.SplitHostPort(conn.LocalAddr().String())
	conn.SetDeadline(time.Now().Add(60 * time.Second))
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err != nil {
		return mine, err
	}
	answer, err := io.ReadAll(conn)
	if err == nil && !strings.HasPrefix(string(answer), "HTTP/1.1 200") {
		err = fmt.Errorf("the answer is %q", answer)
	}
	return mine, err
}

// TestClusterWorkersKilled: of each kill is lost what the dead process had taken: the request that it was executing, and
// the connections that Node had accepted ahead, which are more when clients are slow to write after they have connected.
// What waited is answered by the others, and nobody is left waiting.
func TestClusterWorkersKilled(t *testing.T) {
	needNode(t)
	t.Run("alone", func(t *testing.T) { killWorkers(t, many(20, 10), func(*home, int) {}) })
	t.Run("with the daemon", func(t *testing.T) {
		killWorkers(t, many(20, 5), func(h *home, i int) {
			pid := h.daemon().PID
			time.AfterFunc(time.Duration(i%5)*5*time.Millisecond, func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
		})
	})
}

// killWorkers kills one of two after the other under load. also does something at about the same moment.
func killWorkers(t *testing.T, kills int, also func(h *home, i int)) {
	h := newHome(t)
	port := freePort(t)
	h.write("web.js", oneByOne, 0o644)
	h.must("start", "web.js", "-i", "2", "--env", "PORT="+port, "--exp-backoff-restart-delay", "1")
	h.until("both serve", hang, func() bool { return len(h.servers8(port)) == 2 })
	var s strangers
	clients, stop := s.start(4, port)
	worst := 0
	for i := range kills {
		st := h.instances("web")[i%2]
		_, before := s.count()
		also(h, i)
		kill(t, st.PID)
		h.until("it is replaced", hang, func() bool {
			got := h.servers8(port)
			return len(got) == 2 && got[strconv.Itoa(st.PID)] == 0
		})
		h.until("a daemon answers", hang, func() bool { return h.run("list").code == 0 })
		_, after := s.count()
		worst = max(worst, after-before)
	}
	close(stop)
	clients.Wait()
	t.Logf("%d kills, %d requests, %d lost, at most %d of a kill, %s", kills, s.asked, len(s.lost), worst, (&count{took: s.took}).pace())
	if s.asked < 50 {
		t.Errorf("there was no load: %d requests", s.asked)
	}
	h.checkTaken(s.lost)
}

// checkTaken fails when requests were lost that no worker had. A few workers may have died between accept and
// the end of the write that notes it; were the queues lost, it would be some of every kill.
func (h *home) checkTaken(all []lost) {
	t := h.t
	t.Helper()
	taken, err := os.ReadFile(h.cwd + "/taken.log")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, port := range lines(string(taken)) {
		known[port] = true
	}
	unknown := 0
	for _, l := range all {
		if !known[l.port] {
			unknown++
			t.Logf("client %s, after %s: %v", l.port, l.took.Round(time.Millisecond), l.err)
		}
		if errors.Is(l.err, os.ErrDeadlineExceeded) {
			t.Errorf("client %s was left waiting", l.port)
		}
	}
	if unknown > 5 {
		t.Errorf("%d requests were lost before a worker had them", unknown)
	}
}

// TestReloadAfterAnUnfinishedOne: the daemon dies in a reload whose new process hangs and does not heed its end. The next
// reload does not wait for that one.
func TestReloadAfterAnUnfinishedOne(t *testing.T) {
	needNode(t)
	h := newHome(t)
	port := freePort(t)
	h.write("web.js", `
const fs = require('fs')
fs.appendFileSync('begun', '.')
if (fs.existsSync('stuck')) { process.on('SIGINT', () => {}); setInterval(() => {}, 1000) }
else require('http').createServer((req, res) => res.end(String(process.pid))).listen(Number(process.env.PORT))`, 0o644)
	h.must("start", "web.js", "-i", "1", "--env", "PORT="+port, "--listen-timeout", "1m", "--kill-timeout", "4s")
	h.until("it serves", hang, func() bool { return len(h.servers8(port)) == 1 })
	before := h.status("web").PID
	h.write("stuck", "", 0o644)
	first := h.command("reload", "web")
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	h.until("the new process hangs", hang, func() bool {
		begun, err := os.ReadFile(filepath.Join(h.cwd, "begun"))
		return err == nil && len(begun) == 2
	})
	kill(t, h.daemon().PID)
	if first.Wait() == nil {
		t.Error("the reload that was cut short has succeeded")
	}
	if err := os.Remove(filepath.Join(h.cwd, "stuck")); err != nil {
		t.Fatal(err)
	}
	h.must("reload", "web")
	if after := h.status("web").PID; after == before {
		t.Errorf("the process is still %d", after)
	}
}
