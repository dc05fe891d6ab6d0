//go:build linux

package e2e

import (
	"strconv"
	"strings"
	"testing"

	"gpm/app"
)

// TestHungWorker: a worker in an endless loop loses its clients to its siblings, and its place. Only what it had taken
// is lost, and where it hangs is known.
func TestHungWorker(t *testing.T) {
	needNode(t)
	h := newHome(t)
	port := freePort(t)
	h.write("web.js", strings.Replace(oneByOne, "(req, res) => {", "(req, res) => {\n  if (req.url === '/hang') spin()", 1)+`
function spin() { for (;;); }`, 0o644)
	h.must("start", "web.js", "--listen-timeout", "60s", "-i", "4", "--hang-limit", "1s", "--env", "PORT="+port)
	h.until("all serve", hang, func() bool { return len(h.servers8(port)) == 4 })
	before := pidsOf(h.instances("web"))
	var s strangers
	clients, stop := s.start(4, port)
	if _, err := ask(t.Context(), patient, port, "/hang"); err == nil {
		t.Error("the request that hangs was answered")
	}
	h.until("it is replaced", hang, func() bool { return len(h.servers8(port)) == 4 })
	close(stop)
	clients.Wait()
	changed := 0
	for i, pid := range pidsOf(h.instances("web")) {
		if pid != before[i] {
			changed++
		}
	}
	if changed != 1 {
		t.Errorf("%d workers were replaced", changed)
	}
	why := h.must("why", "web")
	if !strings.Contains(why, "at spin (") || !strings.Contains(why, "did not turn for 1s") {
		t.Errorf("the place is not recorded:\n%s", why)
	}
	if ill, end := strings.Index(why, "unhealthy"), strings.LastIndex(why, "SIGKILL"); ill < 0 || end < ill {
		t.Errorf("it was not unhealthy before it was replaced:\n%s", why)
	}
	h.checkTaken(s.lost)
	if t.Logf("%d requests, %d lost", s.asked, len(s.lost)); len(s.lost) > 2 {
		t.Errorf("%d requests were lost", len(s.lost))
	}
}

// TestNodeFigures: Node's own figures are there without a change in the app.
func TestNodeFigures(t *testing.T) {
	needNode(t)
	h := newHome(t)
	h.startWeb(1)
	d := decode[[]app.Detail](h, "describe", "web", "--json")[0]
	if d.Usage == nil || d.Usage.Node == nil || d.Usage.Node.HeapUsed < 1<<20 || d.Usage.Node.Handles == 0 {
		t.Errorf("figures: %+v", d.Usage)
	}
	h.must("delete", "web")
	h.startWeb(1, "--no-agent")
	if d := decode[[]app.Detail](h, "describe", "web", "--json")[0]; d.Usage.Node != nil {
		t.Errorf("figures without an agent: %+v", d.Usage.Node)
	}
}

// odd are workers with bad habits. Each must come online, leave the daemon alone, and be stoppable.
var odd = map[string]string{
	"does not listen": `setInterval(() => {}, 1000)`,
	"speaks garbage":  `require('fs').writeSync(3, 'no json\n\n\x00\xff{"cmd":"NODE_CLUSTER","act":"nonsense"}\n{"cmd":"NODE_HANDLE"}\n'); setInterval(() => {}, 1000)`,
	"half a line":     `require('fs').writeSync(3, '{"cmd":"NODE_CLUS'); setInterval(() => {}, 1000)`,
	"long message":    `process.send('x'.repeat(100 << 20)); setInterval(() => {}, 1000)`,
	"disconnects":     `require('cluster').worker.exitedAfterDisconnect = true; process.disconnect(); setInterval(() => {}, 1000)`,
	"opens again": `
const server = require('http').createServer((req, res) => res.end('ok'))
let n = 0
const again = () => { if (n++ < 10) server.listen(0, () => server.close(again)); else console.log('ten times') }
again(); setInterval(() => {}, 1000)`,
	"exits in the handshake": `require('http').createServer().listen(0); process.exit(0)`,
	"never takes its socket": `require('http').createServer().listen(0); for (;;);`,
	"reserved port":          `require('http').createServer().on('error', (e) => console.log(e.code)).listen({ port: 1, host: '203.0.113.1' }); setInterval(() => {}, 1000)`,
}

func TestOddWorkers(t *testing.T) {
	needNode(t)
	h := newHome(t)
	for name, code := range odd {
		file := strings.ReplaceAll(name, " ", "-")
		h.write(file+".js", code, 0o644)
		h.must("start", file+".js", "-i", "1", "--listen-timeout", "3s", "--kill-timeout", "1s", "--no-autorestart="+strconv.FormatBool(strings.Contains(name, "exits")))
		if name == "exits in the handshake" {
			h.untilState(file, app.Stopped)
			continue
		}
		if st := h.untilState(file, app.Online); st.Reason != "" {
			t.Errorf("%s: %s", name, st.Reason)
		}
	}
	for file, words := range map[string]string{"opens-again": "ten times", "reserved-port": "EADDRNOTAVAIL"} {
		h.until(file, hang, func() bool { return strings.Contains(h.must("logs", file, "--nostream", "--raw", "--out"), words) })
	}
	h.until("it is told that it does not listen", hang, func() bool {
		return strings.Contains(h.must("why", "never-takes-its-socket"), "has asked for *:0, but does not listen there")
	})
	h.must("reload", "does-not-listen")
	h.must("stop", "all")
}
