//go:build linux

package e2e

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gpm/app"
)

// webApp is an unmodified Node server: /slow answers after 200 ms, everything else at once, with the pid.
const webApp = `
const http = require('http')
const server = http.createServer((req, res) => {
  const answer = () => res.end(String(process.pid))
  if (req.url === '/slow') setTimeout(answer, 200)
  else answer()
})
server.listen(Number(process.env.PORT), () => console.log('listening'))
`

// startWeb starts a cluster of webApp and returns its port.
func (h *home) startWeb(n int, args ...string) string {
	h.t.Helper()
	return h.startWebAs(n, n, args...)
}

// startWebAs waits until so many workers answer one client. The limit of a reload only tells waiting from hanging.
func (h *home) startWebAs(n, answering int, args ...string) string {
	h.t.Helper()
	port := freePort(h.t)
	path := h.write("web.js", webApp, 0o644)
	h.must(append([]string{"start", path, "-i", strconv.Itoa(n), "--listen-timeout", "60s", "--env", "PORT=" + port}, args...)...)
	h.until("all workers serve", hang, func() bool { return len(h.servers8(port)) == answering })
	return port
}

// servers8 asks a number of times and returns the pids that answered.
func (h *home) servers8(port string) map[string]int {
	pids := map[string]int{}
	for range 16 {
		pid, err := ask(h.t.Context(), fresh, port, "/")
		if err != nil {
			return nil
		}
		pids[pid]++
	}
	return pids
}

// fresh makes a connection for each request.
var fresh = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}

func ask(ctx context.Context, client *http.Client, port, path string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1:"+port+path, nil)
	if err != nil {
		return "", err
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %s", resp.Status)
	}
	return string(body), err
}

// traffic is constant load on a server, of several kinds at a time. Nothing is tried twice.
type traffic struct {
	stop context.CancelFunc
	work sync.WaitGroup
	kind map[string]*count
}

type count struct {
	asked, failed atomic.Int64
	mu            sync.Mutex
	errs          []error
	took          []time.Duration
}

func (c *count) note(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.took = append(c.took, d)
}

// pace says how long requests took.
func (c *count) pace() string {
	slices.Sort(c.took)
	at := func(q float64) time.Duration { return c.took[int(q*float64(len(c.took)-1))].Round(time.Millisecond) }
	return fmt.Sprintf("p50 %s, p99 %s, max %s", at(0.5), at(0.99), at(1))
}

// startTraffic has clients of each kind: new connections, kept ones, slow answers.
func startTraffic(port string) *traffic {
	ctx, cancel := context.WithCancel(context.Background())
	tr := &traffic{stop: cancel, kind: map[string]*count{"new": {}, "kept": {}, "slow": {}}}
	for range 4 {
		tr.work.Go(func() { tr.kind["new"].run(ctx, func() error { _, err := ask(ctx, fresh, port, "/"); return err }) })
		tr.work.Go(func() {
			tr.kind["slow"].run(ctx, func() error { _, err := ask(ctx, fresh, port, "/slow"); return err })
		})
		tr.work.Go(func() { tr.keepAlive(ctx, port) })
	}
	return tr
}

func (c *count) run(ctx context.Context, once func() error) {
	pace := time.NewTicker(10 * time.Millisecond)
	defer pace.Stop()
	for ctx.Err() == nil {
		began := time.Now()
		err := once()
		c.note(time.Since(began))
		if ctx.Err() != nil {
			return
		}
		c.asked.Add(1)
		if err != nil {
			c.failed.Add(1)
			c.mu.Lock()
			c.errs = append(c.errs, fmt.Errorf("%s: %w", time.Now().Format("05.000"), err))
			c.mu.Unlock()
		}
		select {
		case <-ctx.Done():
		case <-pace.C:
		}
	}
}

// keepAlive is one client on one connection. Unlike net/http it never tries again on another.
func (tr *traffic) keepAlive(ctx context.Context, port string) {
	var conn net.Conn
	var r *bufio.Reader
	tr.kind["kept"].run(ctx, func() (err error) {
		if conn == nil {
			if conn, err = net.Dial("tcp", "127.0.0.1:"+port); err != nil {
				return err
			}
			r = bufio.NewReader(conn)
		}
		again, err := askOn(conn, r)
		if err != nil || !again {
			conn.Close()
			conn = nil
		}
		return err
	})
	if conn != nil {
		conn.Close()
	}
}

func askOn(conn net.Conn, r *bufio.Reader) (again bool, err error) {
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		return false, err
	}
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return !resp.Close, err
}

// check ends the traffic, of which nothing may have failed.
func (tr *traffic) check(t *testing.T) {
	t.Helper()
	tr.checkOnly(t, "new", "kept", "slow")
}

// checkOnly is check for some kinds of requests.
func (tr *traffic) checkOnly(t *testing.T, kinds ...string) {
	t.Helper()
	tr.stop()
	tr.work.Wait()
	for name, c := range tr.kind {
		t.Logf("%s: %d requests, %d failed, %s", name, c.asked.Load(), c.failed.Load(), c.pace())
		if slices.Contains(kinds, name) && (c.asked.Load() < 20 || c.failed.Load() > 0) {
			t.Errorf("%s: %d of %d requests failed: %v", name, c.failed.Load(), c.asked.Load(), errors.Join(c.errs[:min(5, len(c.errs))]...))
		}
	}
}

func pidsOf(list []app.Status) []int {
	var out []int
	for _, st := range list {
		out = append(out, st.PID)
	}
	return out
}

func needNode(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("takes its time")
	}
}

// TestClusterReload reloads again and again under load: nobody may notice.
func TestClusterReload(t *testing.T) {
	needNode(t)
	h := newHome(t)
	port := h.startWeb(2)
	tr := startTraffic(port)
	reloads := many(20, 5)
	for i := range reloads {
		before := pidsOf(h.instances("web"))
		began := time.Now()
		h.must("reload", "web")
		after := pidsOf(h.instances("web"))
		t.Logf("reload %d: %s", i, time.Since(began).Round(time.Millisecond))
		if before[0] == after[0] || before[1] == after[1] {
			t.Fatalf("pids were %v and are %v", before, after)
		}
	}
	tr.check(t)
	if st := h.instances("web"); st[0].Restarts != reloads {
		t.Errorf("%d restarts, want %d", st[0].Restarts, reloads)
	}
}

// many is how often something is done: the whole number in `make chaos`, fewer times in every other run.
func many(whole, few int) int {
	if os.Getenv("GPM_CHAOS") != "" {
		return whole
	}
	return few
}
