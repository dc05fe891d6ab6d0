package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"gpm/cluster/primary"
	"gpm/cluster/sockets"
	"gpm/ipc/channel"

	"golang.org/x/sys/unix"
)

// A take-over has three parties: the worker; daemons, which are copies of this test binary
// that are killed at any moment; and the test itself, which holds what the master would.

// saved is what a daemon leaves with the holder; the listening socket goes with it.
type saved struct {
	State primary.Worker
	Key   string
	Held  sockets.Held
}

// The descriptors of a daemon under test.
const (
	daemonChannel = 3
	daemonReport  = 4 // a packet for each message handled, and one for saved
	daemonSocket  = 5 // the listening socket, from the second daemon on
)

const takeOverScript = `
	let n = 0, bad = 0
	const http = require('http')
	http.createServer((q, r) => r.end('up')).listen(0, '127.0.0.1')
	const timer = setInterval(() => { for (let i = 0; i < 20; i++) process.send(n++) }, 1)
	process.on('message', m => {
		if (m === 'stop') { clearInterval(timer); process.send({total: n, bad, connected: process.connected}) }
		else if (m === 'open') http.createServer((q, r) => r.end('second')).listen(0, '127.0.0.1')
		else if (m.got === undefined) bad++ })
	process.on('exit', () => { process.exitCode = 42 })`

// TestTakeOver kills a daemon eight times while its worker talks to it and serves HTTP. The
// worker stays connected, misses no answer's form, loses no message, and no request fails.
func TestTakeOver(t *testing.T) {
	if os.Getenv("E2E_TEST_DAEMON") != "" {
		daemon(t)
		return
	}
	a := newApp(t, takeOverScript)
	ours, theirs, err := channel.Pair()
	if err != nil {
		t.Fatal(err)
	}
	node := exec.Command("node", a.script)
	node.Env = append(os.Environ(), "NODE_CHANNEL_FD=3", "NODE_UNIQUE_ID=1")
	node.ExtraFiles, node.Stderr = []*os.File{theirs}, os.Stderr
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	t.Cleanup(func() { node.Process.Kill() })

	h := &holder{t: t, channel: ours, seen: map[int]bool{}}
	h.daemonUntil(time.Hour) // until it has saved
	port := h.socketPort()
	l := newLoad(port, 2)
	for range 8 {
		h.daemonUntil(time.Duration(20+rand.IntN(150)) * time.Millisecond)
	}
	l.end(t, 0)
	finish(t, a, h, node)
}

// finish is the last daemon: the test's own driver.
func finish(t *testing.T, a *app, h *holder, node *exec.Cmd) {
	g, err := sockets.Adopt(h.saved.Held, map[int]int{0: int(h.socket)})
	if err != nil {
		t.Fatal(err)
	}
	a.groups[h.saved.Key] = &group{Group: g, live: map[int]*worker{}}
	var total struct{ Total, Bad int }
	end := make(chan error, 1)
	a.onMessage = func(_ *worker, text string) {
		if n, err := strconv.Atoi(text); err == nil {
			h.seen[n] = true
			return
		}
		end <- json.Unmarshal([]byte(text), &total)
	}
	var w *worker
	a.do(func() {
		w = a.newWorker(1, 0, h.channel, channel.Options{Resumed: true})
		w.state = primary.Resume(h.saved.State, rand.Uint64())
	})
	for _, m := range []string{`"open"`, `"stop"`} {
		if err := w.ch.Send([]byte(m)); err != nil {
			t.Fatal(err)
		}
	}
	if body, err := get(fresh(&http.Transport{}), url(w.port(t))); body != "second" || err != nil {
		t.Errorf("the second server: %q, %v", body, err)
	}
	select {
	case err = <-end:
	case <-time.After(patience):
		t.Fatal("the worker does not answer")
	}
	if err != nil || total.Bad != 0 || total.Total < 100 {
		t.Errorf("%+v, %v", total, err)
	}
	for n := range total.Total {
		if !h.seen[n] {
			t.Errorf("message %d of %d was lost", n, total.Total)
		}
	}
	t.Logf("%d messages, %d handled twice", total.Total, h.twice)
	w.held.Close() // the last copies: the worker sees its channel end
	w.ch.Close()
	if err := node.Wait(); err == nil || err.Error() != "exit status 42" {
		t.Errorf("the worker ended with %v", err)
	}
}

// holder keeps what must outlive a daemon.
type holder struct {
	t       *testing.T
	channel *os.File
	socket  uintptr
	saved   *saved
	seen    map[int]bool
	twice   int
}

func (h *holder) socketPort() int {
	h.t.Helper()
	sa, err := unix.Getsockname(int(h.socket))
	if err != nil {
		h.t.Fatal(err)
	}
	return sa.(*unix.SockaddrInet4).Port
}

// daemonUntil runs a daemon and kills it after so long, the first one when it has saved.
func (h *holder) daemonUntil(life time.Duration) {
	h.t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		h.t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		h.t.Fatal(err)
	}
	cmd := exec.Command(exe, "-test.run=^TestTakeOver$")
	report := os.NewFile(uintptr(pair[1]), "report")
	cmd.Env = append(os.Environ(), "E2E_TEST_DAEMON=1")
	cmd.ExtraFiles, cmd.Stderr = []*os.File{h.channel, report}, os.Stderr
	first := h.saved == nil
	if !first {
		text, err := json.Marshal(h.saved)
		if err != nil {
			h.t.Fatal(err)
		}
		cmd.Env = append(cmd.Env, "E2E_TEST_SAVED="+string(text))
		dup, err := unix.FcntlInt(h.socket, unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			h.t.Fatal(err)
		}
		socket := os.NewFile(uintptr(dup), "socket")
		defer socket.Close()
		cmd.ExtraFiles = append(cmd.ExtraFiles, socket)
	}
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	report.Close()
	timer := time.AfterFunc(life, func() { cmd.Process.Kill() })
	defer timer.Stop()
	buf, oob := make([]byte, 1<<16), make([]byte, 64)
	for {
		n, oobn, _, _, err := unix.Recvmsg(pair[0], buf, oob, 0)
		if err != nil || n == 0 {
			break
		}
		if h.take(string(buf[:n]), oob[:oobn]); first && h.saved != nil {
			cmd.Process.Kill()
		}
	}
	unix.Close(pair[0])
	cmd.Wait() // killed, as its status says
	if !cmd.ProcessState.Sys().(syscall.WaitStatus).Signaled() {
		h.t.Fatalf("the daemon ended by itself: %v", cmd.ProcessState)
	}
}

// take notes one report.
func (h *holder) take(text string, oob []byte) {
	if n, err := strconv.Atoi(text); err == nil {
		if h.seen[n] {
			h.twice++
		}
		h.seen[n] = true
		return
	}
	var s saved
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil || len(msgs) != 1 || json.Unmarshal([]byte(text), &s) != nil {
		h.t.Errorf("report %.100q, %v", text, err)
		return
	}
	fds, err := unix.ParseUnixRights(&msgs[0])
	if err != nil {
		h.t.Error(err)
		return
	}
	h.saved, h.socket = &s, uintptr(fds[0])
}

// daemon serves the worker on the inherited channel until it is killed.
func daemon(t *testing.T) {
	a := newApp(t, "")
	opts := channel.Options{}
	state := primary.Start(primary.Node)
	if text := os.Getenv("E2E_TEST_SAVED"); text != "" {
		var s saved
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			t.Fatal(err)
		}
		g, err := sockets.Adopt(s.Held, map[int]int{0: daemonSocket})
		if err != nil {
			t.Fatal(err)
		}
		a.groups[s.Key] = &group{Group: g, live: map[int]*worker{}}
		opts.Resumed, state = true, primary.Resume(s.State, rand.Uint64())
	}
	a.onMessage = func(w *worker, text string) {
		if err := unix.Sendto(daemonReport, []byte(text), 0, nil); err != nil {
			t.Error(err)
		}
		a.note(w.ch.Send(fmt.Appendf(nil, `{"got":%s,"filler":"%s"}`, text, strings.Repeat("x", 200))))
	}
	var w *worker
	a.do(func() {
		w = a.newWorker(1, 0, os.NewFile(daemonChannel, "channel"), opts)
		w.state = state
	})
	if !opts.Resumed {
		w.port(t)
		a.do(func() { save(t, a, w) })
	}
	<-w.ended // never: it is killed
}

func save(t *testing.T, a *app, w *worker) {
	g := a.groups[w.last.Key]
	text, err := json.Marshal(saved{State: w.state, Key: w.last.Key, Held: g.Held()})
	if err != nil {
		t.Fatal(err)
	}
	fd, err := g.Socket(w.slot)
	a.note(err)
	if err := unix.Sendmsg(daemonReport, text, unix.UnixRights(fd), nil, 0); err != nil {
		t.Error(err)
	}
}
