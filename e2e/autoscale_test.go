//go:build linux

package e2e

import (
	"context"
	"strings"
	"testing"
	"time"

	"gpm/app"
)

// busyWeb works for 5 ms for each request.
const busyWeb = `
require('http').createServer((req, res) => {
  for (const end = Date.now() + 5; Date.now() < end; );
  res.end(String(process.pid))
}).listen(Number(process.env.PORT))
`

// TestAutoscale: under load there are more instances, without it fewer, and no request fails meanwhile.
func TestAutoscale(t *testing.T) {
	needNode(t)
	h := newHome(t)
	port := freePort(t)
	h.must("start", h.write("busy.js", busyWeb, 0o644), "--autoscale", "1-2,target=50,cooldown=3s", "--env", "PORT="+port)
	if list := h.instances("busy"); len(list) != 1 || list[0].Mode != app.Cluster {
		t.Fatalf("it begins with %v", list)
	}
	h.until("it serves", time.Minute, func() bool { return get(t.Context(), port) == nil })
	tr := startTraffic(port)
	h.until("there are two", time.Minute, func() bool { return len(h.instances("busy")) == 2 && h.all("busy", app.Online) })
	tr.check(t)
	h.until("there is one again", time.Minute, func() bool { return len(h.instances("busy")) == 1 })
	var reasons []string
	for _, ev := range h.history("busy") {
		if ev.Kind == app.EventScale {
			reasons = append(reasons, ev.Reason)
		}
	}
	if all := strings.Join(reasons, "\n"); !strings.Contains(all, "from 2 to 1 instances by autoscale: event loop busy") {
		t.Errorf("the reasons are %q", all)
	}
	if _, err := ask(context.Background(), fresh, port, "/"); err != nil {
		t.Error(err)
	}
	h.fails("cannot scale between", "start", "busy.js", "-n", "bad", "--autoscale", "3-1")
	h.fails("cannot scale to", "restart", "busy", "--autoscale", "1-4,target=200")
}
