package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"gpm/cluster/primary"
)

// load asks for new connections all the time until stopped; every failure counts.
type load struct {
	stop         chan struct{}
	wg           sync.WaitGroup
	done, failed atomic.Int64
	last         atomic.Value
}

func newLoad(port, clients int) *load {
	l := &load{stop: make(chan struct{})}
	client := fresh(&http.Transport{})
	for range clients {
		l.wg.Go(func() {
			for {
				select {
				case <-l.stop:
					return
				default:
				}
				if _, err := get(client, url(port)); err != nil {
					l.failed.Add(1)
					l.last.Store(err.Error())
				}
				l.done.Add(1)
			}
		})
	}
	return l
}

func (l *load) end(t *testing.T, allowed int64) {
	t.Helper()
	close(l.stop)
	l.wg.Wait()
	if n := l.failed.Load(); n > allowed {
		t.Errorf("%d of %d failed, last: %v", n, l.done.Load(), l.last.Load())
	}
	t.Logf("%d requests, %d failed", l.done.Load(), l.failed.Load())
}

func TestTwentyReloadsFailNoNewConnection(t *testing.T) {
	a := newApp(t, httpServer)
	w, port := startTwo(t, a)
	l := newLoad(port, 8)
	for i := range 20 {
		slot := i % 2
		old := w[slot]
		w[slot] = a.start(slot)
		w[slot].port(t)
		a.stop(old)
		if err := old.exits(t); err != nil {
			t.Errorf("the old worker: %v", err)
		}
	}
	l.end(t, 0)
}

func TestBalance(t *testing.T) {
	a := newApp(t, httpServer)
	_, port := startTwo(t, a)
	client := fresh(&http.Transport{})
	count := map[string]int{}
	for range 600 {
		pid, err := get(client, url(port))
		if err != nil {
			t.Fatal(err)
		}
		count[pid]++
	}
	for pid, n := range count {
		if len(count) != 2 || n < 240 { // 300 ± 12 is one standard deviation
			t.Errorf("%s answered %d of 600: %v", pid, n, count)
		}
	}
}

// TestKilledWorkers: only requests in execution fail, at most one for each client; what
// waited in the queue of the dead is answered by its sibling.
func TestKilledWorkers(t *testing.T) {
	a := newApp(t, httpServer)
	w, port := startTwo(t, a)
	const clients, kills = 8, 6
	l := newLoad(port, clients)
	for i := range kills {
		slot := i % 2
		if err := w[slot].cmd.Process.Signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		w[slot].exits(t)
		w[slot] = a.start(slot)
		w[slot].port(t)
	}
	l.end(t, kills*clients/2)
}

// TestQueueOfAStuckWorkerIsHandedOver: clients that stand in the queue of a worker in an
// endless loop, and of one that is then killed, all get an answer from the other.
func TestQueueOfAStuckWorkerIsHandedOver(t *testing.T) {
	a := newApp(t, httpServer+`; process.on('message', () => { process.send('stuck'); for (;;); })`)
	w, port := startTwo(t, a)
	stuck, other := w[0], strconv.Itoa(w[1].cmd.Process.Pid)
	if err := stuck.ch.Send([]byte(`1`)); err != nil {
		t.Fatal(err)
	}
	stuck.message(t)
	answers := make(chan string, 50)
	client := fresh(&http.Transport{})
	var clients sync.WaitGroup
	for range 50 {
		clients.Go(func() {
			pid, err := get(client, url(port))
			if err != nil {
				pid = err.Error()
			}
			answers <- pid
		})
	}
	waiting := func() (n int) {
		a.do(func() {
			for _, g := range a.groups {
				var err error
				n, _, err = g.Queue(0)
				a.note(err)
			}
		})
		return n
	}
	for first := waiting(); first < 5; first = waiting() {
		if t.Context().Err() != nil {
			t.Fatal("nobody waits")
		}
	}
	a.do(func() {
		for key, g := range a.groups {
			delete(g.live, 0)
			a.steer(g)
			a.handOver(g, key, 0)
		}
	})
	stuck.cmd.Process.Kill()
	clients.Wait()
	close(answers)
	for pid := range answers {
		if pid != other {
			t.Errorf("answer from %s, want %s", pid, other)
		}
	}
}

// TestGracefulDisconnect: a request in progress is answered, then the worker ends with 0.
func TestGracefulDisconnect(t *testing.T) {
	a := newApp(t, `
		require('http').createServer((q, r) => { process.send('asked'); process.once('message', () => r.end('done')) }).listen(0, '127.0.0.1')`)
	w := a.start(0)
	port := w.port(t)
	answer := make(chan string, 1)
	go func() {
		body, err := get(fresh(&http.Transport{}), url(port))
		answer <- fmt.Sprint(body, err)
	}()
	w.message(t)
	a.stop(w)
	if err := w.ch.Send([]byte(`1`)); err != nil {
		t.Fatal(err)
	}
	if got := <-answer; got != "done<nil>" {
		t.Errorf("got %s", got)
	}
	if err := w.exits(t); err != nil {
		t.Errorf("ended with %v", err)
	}
}

func TestTheApplicationMayLeave(t *testing.T) {
	for _, how := range []string{"disconnect", "kill"} {
		a := newApp(t, `
			const c = require('cluster')
			const s = require('http').createServer().listen(0, '127.0.0.1', () => c.worker[process.argv[2]]())`, how)
		w := a.start(0)
		if err := w.exits(t); err != nil {
			t.Errorf("%s: %v", how, err)
		}
		a.do(func() {
			if !w.leaves {
				t.Errorf("%s: it did not say so", how)
			}
		})
	}
}

// TestConnectionsPassedOneByOne is the way for Deno, which Node understands as well.
func TestConnectionsPassedOneByOne(t *testing.T) {
	a := newApp(t, httpServer)
	a.way = primary.Passed
	w, port := startTwo(t, a)
	client := fresh(&http.Transport{})
	reached(t, w, func() (string, error) { return get(client, url(port)) })
}

func TestReadyBeforeAndWithoutListening(t *testing.T) {
	a := newApp(t, `process.send('ready'); setInterval(() => {}, 1e6)`)
	w := a.start(0)
	if got := w.message(t); got != `"ready"` {
		t.Errorf("got %s", got)
	}
	a.do(func() {}) // the state follows the message
	a.do(func() {
		if !w.state.Ready || w.state.IsListening() || !w.state.Online {
			t.Errorf("%+v", w.state)
		}
	})
}

// TestAWorkerThatExitsInsideTheHandshake: nobody hangs, and the next one gets the socket.
func TestAWorkerThatExitsInsideTheHandshake(t *testing.T) {
	port := strconv.Itoa(freePort(t))
	a := newApp(t, `
		const s = require('http').createServer((q, r) => r.end(String(process.pid)))
		s.listen(+process.argv[2], '127.0.0.1')
		if (require('cluster').worker.id === 1) process.exit(7)`, port)
	first := a.start(0)
	var status *exec.ExitError
	if err := first.exits(t); !errors.As(err, &status) || status.ExitCode() != 7 {
		t.Errorf("ended with %v", err)
	}
	second := a.start(0)
	if got := second.port(t); strconv.Itoa(got) != port {
		t.Errorf("listens on %d", got)
	}
	if _, err := get(fresh(&http.Transport{}), "http://127.0.0.1:"+port+"/"); err != nil {
		t.Error(err)
	}
}
