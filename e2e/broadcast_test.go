//go:build linux

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"gpm/app"
)

// gossip: one sends, the others answer, and one of them reads no more.
const gossip = `
const tell = (data) => process.send({ type: 'gpm:broadcast', data })
const text = 'x'.repeat(100000)
let rounds = 0
process.on('message', (m) => {
  if (m === 'stick') for (;;);
  if (m === 'talk') tell(text)
  if (m.type !== 'gpm:broadcast') return
  if (m.data === text) tell('heard ' + m.from)
  else if (++rounds === 200) console.log('done')
  else tell(text)
})
setInterval(() => {}, 1000)`

// TestBroadcast: a worker that does not read loses what its queue has no room for, and holds up nobody.
func TestBroadcast(t *testing.T) {
	needNode(t)
	h := newHome(t)
	h.must("start", h.write("gossip.js", gossip, 0o644), "-i", "3", "--merge-logs")
	ids := h.instances("gossip")
	talker, stuck := fmt.Sprint(ids[0].ID), fmt.Sprint(ids[2].ID)
	h.must("send", stuck, `"stick"`)
	h.must("send", talker, `"talk"`)
	h.until("the other one has heard everything", time.Minute, func() bool { return strings.Contains(h.outLog("gossip"), "done") })
	for i, d := range decode[[]app.Detail](h, "describe", "gossip", "--json") {
		if d.Traffic == nil || (d.Traffic.Overflow > 0) != (i == 2) {
			t.Errorf("instance %d: %+v", i, d.Traffic)
		}
	}
	if out := h.must("describe", stuck); !strings.Contains(out, "Messages it did not read") {
		t.Error(out)
	}
	h.fails("does not read its messages", "send", stuck, `"`+strings.Repeat("y", 100_000)+`"`)
}
