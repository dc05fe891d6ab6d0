//go:build linux

package e2e

import (
	"strconv"
	"testing"

	"gpm/app"
)

// frailApp is webApp whose workers can be made ill and fat.
const frailApp = webApp + `
let ill = false
const eaten = []
server.prependListener('request', (req, res) => {
  if (req.url === '/ill') ill = true
  if (req.url === '/health' && ill) res.statusCode = 503
  if (req.url === '/eat') for (let i = 0; i < 250; i++) eaten.push(Buffer.alloc(1 << 20, 1))
})
`

// startFrail starts two workers of frailApp.
func (h *home) startFrail(args ...string) string {
	h.t.Helper()
	port := freePort(h.t)
	h.write("web.js", frailApp, 0o644)
	h.must(append([]string{"start", "web.js", "--listen-timeout", "60s", "-i", "2", "--env", "PORT=" + port}, args...)...)
	h.until("all workers serve", hang, func() bool { return len(h.servers8(port)) == 2 })
	return port
}

// replaced asks one of two workers for a path and waits until it, and no other, is replaced; no request may fail.
func (h *home) replaced(port, path string) {
	h.t.Helper()
	before := h.instances("web")
	tr := startTraffic(port)
	answer, err := ask(h.t.Context(), fresh, port, path)
	if err != nil {
		h.t.Fatal(err)
	}
	victim, err := strconv.Atoi(answer)
	if err != nil {
		h.t.Fatal(err)
	}
	h.until("the worker is gone", hang, func() bool { return !alive(victim) })
	tr.check(h.t)
	for i, st := range h.instances("web") {
		was := before[i].PID
		if st.State != app.Online || (was == victim) == (st.PID == was) || (was == victim) != (st.Restarts == 1) {
			h.t.Errorf("worker %d was process %d and is %d, %s after %d restarts; replaced should be %d", i, was, st.PID, st.State, st.Restarts, victim)
		}
	}
}

// TestIllWorker: of two workers the one that fails its health check is replaced without a failed request.
func TestIllWorker(t *testing.T) {
	needNode(t)
	t.Parallel()
	h := newHome(t)
	port := h.startFrail("--health-http", "/health", "--health-interval", "200", "--health-retries", "2")
	h.until("both are healthy", hang, func() bool { st := h.instances("web"); return st[0].Healthy && st[1].Healthy })
	h.replaced(port, "/ill")
	h.until("both are healthy again", hang, func() bool { st := h.instances("web"); return st[0].Healthy && st[1].Healthy })
	h.mustBeTold("web", "unhealthy: ", "503")
	if n := h.restartsFor("web", "unhealthy: "); n != 1 {
		t.Errorf("%d restarts for health, want 1", n)
	}
}

// TestMemoryLimitOfACluster: a worker above its limit is replaced without a failed request.
func TestMemoryLimitOfACluster(t *testing.T) {
	needNode(t)
	t.Parallel()
	h := newHome(t)
	port := h.startFrail("--max-memory-restart", "250M")
	h.replaced(port, "/eat")
	h.mustBeTold("web", "memory limit: ", "MB of 250 MB")
	if n := h.restartsFor("web", "memory limit: "); n != 1 {
		t.Errorf("%d restarts for the limit, want 1", n)
	}
}
