//go:build linux

package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gpm/app"
	"gpm/pm2"
)

// flooder says so many numbered messages of a kilobyte as it is told to; a batch fits into what the daemon keeps for a listener.
const (
	flooder = `
let n = 0
process.on('message', (m) => { for (let i = 0; i < m.say; i++) process.send({ type: 'flood', data: { n: n++, text: 'x'.repeat(1000) } }) })`
	batch   = 4000
	batches = 3
)

// flooded reads a message of the flooder.
func flooded(t *testing.T, m app.Message) int {
	t.Helper()
	var data struct{ N int }
	if err := json.Unmarshal(m.Data, &data); err != nil || m.Type != "flood" {
		t.Fatalf("heard %.200v: %v", m, err)
	}
	return data.N
}

// soon takes the next message.
func soon(t *testing.T, heard <-chan app.Message) (m app.Message) {
	t.Helper()
	select {
	case m = <-heard:
	case <-time.After(hang):
		t.Fatal("no message comes any more")
	}
	return m
}

// TestSlowSubscriber: a client of pub.sock that does not read holds up neither the app nor another client, and what it has
// missed is told.
func TestSlowSubscriber(t *testing.T) {
	needNode(t)
	h := newHome(t)
	h.write("flood.js", flooder, 0o644)
	h.must("start", "flood.js", "-i", "1")
	subscribe := func() net.Conn {
		c, err := net.Dial("unix", filepath.Join(h.dir, "pub.sock"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	slow, quick := subscribe(), subscribe()
	settle(t, 300*time.Millisecond) // until the daemon knows of them
	in := bufio.NewReader(quick)
	next := func() int {
		quick.SetReadDeadline(time.Now().Add(hang))
		for {
			m, err := pm2.ReadMessage(in, 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			if string(m[0]) != "s:flood" {
				continue // what else there is to tell
			}
			var packet struct{ Data struct{ N int } }
			if err := json.Unmarshal(m[1][len("j:"):], &packet); err != nil {
				t.Fatal(err)
			}
			return packet.Data.N
		}
	}
	for said := range batches {
		h.must("send", "flood", fmt.Sprintf(`{"say":%d}`, batch))
		for i := range batch {
			if n := next(); n != said*batch+i {
				t.Fatalf("message %d of batch %d is %d", i, said, n)
			}
		}
	}
	slow.Close()
	quick.Close()
	h.until("what was missed is told", hang, func() bool {
		text, err := os.ReadFile(filepath.Join(h.dir, "daemon.log"))
		return err == nil && strings.Contains(string(text), "pub.sock read too slowly")
	})
}

// TestSlowListener: one that does not read holds up neither the app nor another listener, which misses nothing; and when it
// reads again, it is told how much it has missed.
func TestSlowListener(t *testing.T) {
	needNode(t)
	h := newHome(t)
	h.write("flood.js", flooder, 0o644)
	h.must("start", "flood.js", "-i", "1")
	cmd := h.command("bus")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	heard := h.listen()
	say := func(n int) { h.must("send", "flood", fmt.Sprintf(`{"say":%d}`, n)) }

	for said := range batches {
		say(batch)
		for i := range batch {
			if m := soon(t, heard); flooded(t, m) != said*batch+i || m.Dropped > 0 {
				t.Fatalf("message %d of batch %d is %d after %d that were dropped", i, said, flooded(t, m), m.Dropped)
			}
		}
	}
	// It reads what was kept for it. By then there is room again, and the next message tells of what there was none for.
	slow := bufio.NewScanner(out)
	read, missed := 0, 0
	next := func() (n int) {
		if !slow.Scan() {
			t.Fatalf("the slow listener has ended: %v", slow.Err())
		}
		var m app.Message
		if err := json.Unmarshal(slow.Bytes(), &m); err != nil {
			t.Fatal(err)
		}
		read, missed = read+1, missed+int(m.Dropped)
		return flooded(t, m)
	}
	for read < batch {
		if n := next(); n != read-1 {
			t.Fatalf("message %d is %d", read-1, n)
		}
	}
	say(1)
	for next() < batches*batch {
	}
	if missed == 0 || read+missed != batches*batch+1 {
		t.Errorf("it has read %d messages and been told of %d that it has missed, of %d", read, missed, batches*batch+1)
	}
	if d := decode[[]app.Detail](h, "describe", "flood", "--json")[0]; d.Traffic == nil || d.Traffic.Received < batches*batch+1 {
		t.Errorf("the app has said %+v", d.Traffic)
	}
	if strings.Contains(h.must("describe", "flood"), "Messages it did not read") {
		t.Error("the app is blamed for its listener")
	}
}
