package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gpm/app"
	"gpm/testprog"
)

// store is a keeper within the test.
type store struct {
	mu    sync.Mutex
	files map[string]int
	notes map[string][]byte
}

func newStore(t *testing.T) *store {
	s := &store{files: map[string]int{}, notes: map[string][]byte{}}
	t.Cleanup(func() {
		for _, fd := range s.files {
			unix.Close(fd)
		}
	})
	return s
}

func (s *store) Hold(_ context.Context, name string, f *os.File) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Control(func(fd uintptr) { s.files[name], err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 3) })
}

func (s *store) Take(_ context.Context, name string) (*os.File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fd, ok := s.files[name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	fd, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	return os.NewFile(uintptr(fd), name), err
}

func (s *store) Drop(_ context.Context, names ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range names {
		if fd, ok := s.files[name]; ok {
			unix.Close(fd)
			delete(s.files, name)
		}
	}
	return nil
}

func (s *store) Note(_ context.Context, notes map[string][]byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, text := range notes {
		if text == nil {
			delete(s.notes, name)
		} else {
			s.notes[name] = text
		}
	}
	return nil
}

// bench is a hub with what is around it.
type bench struct {
	t     *testing.T
	store *store
	hub   *hub
	ready chan Ref
	end   func() // ends the hub as the end of a daemon does
}

func newBench(t *testing.T, s *store) *bench {
	b := &bench{t: t, store: s, ready: make(chan Ref, 100)}
	ctx, cancel := context.WithCancel(context.Background())
	b.hub = newHub(ctx, hubConfig{
		app: 7, keeper: s, log: slog.New(slog.DiscardHandler),
		spec:  func() app.Spec { return app.Spec{Policy: app.DefaultPolicy()} },
		ready: func(r Ref) { b.ready <- r }, event: func(Ref, app.Event) {},
		heard: func(Heard) {}, listening: func() bool { return false },
	})
	done := make(chan struct{})
	go func() { defer close(done); b.hub.run() }()
	b.end = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(b.end)
	return b
}

func (b *bench) do(f func()) {
	b.t.Helper()
	if err := b.hub.do(context.Background(), f); err != nil {
		b.t.Fatal(err)
	}
}

// node is a Node worker as far as the hub can tell.
type node struct {
	t    *testing.T
	conn *net.UnixConn
}

// start prepares a worker and takes the part of its process.
func (b *bench) start(ref Ref, slot int, as role) *node {
	b.t.Helper()
	gear, err := b.hub.prepare(context.Background(), ref, slot, as, Need{Runtime: "node", Clustered: true})
	if err != nil {
		b.t.Fatal(err)
	}
	if !gear.Awaited || gear.Files[firstFD] == "" {
		b.t.Fatalf("gear: %+v", gear)
	}
	f, err := b.store.Take(context.Background(), gear.Files[firstFD])
	if err != nil {
		b.t.Fatal(err)
	}
	defer f.Close()
	conn, err := net.FileConn(f)
	if err != nil {
		b.t.Fatal(err)
	}
	b.hub.launched(ref, 1)
	n := &node{t: b.t, conn: conn.(*net.UnixConn)}
	b.t.Cleanup(func() { n.conn.Close() })
	n.say(`{"cmd":"NODE_CLUSTER","act":"online","seq":0}`)
	if got := <-b.ready; got != ref {
		b.t.Errorf("%s is ready, want %s", got, ref)
	}
	return n
}

func (n *node) say(line string) {
	n.t.Helper()
	if _, err := n.conn.Write([]byte(line + "\n")); err != nil {
		n.t.Fatal(err)
	}
}

// listen goes through the whole of a server's listen, and returns the socket that it gets.
func (n *node) listen(port int) net.Listener {
	n.t.Helper()
	query := fmt.Sprintf(`"address":"127.0.0.1","port":%d,"addressType":4,"index":0,"flags":0,"backlog":511,"data":null`, port)
	n.say(`{"cmd":"NODE_CLUSTER","act":"queryServer","seq":1,` + query + `}`)
	buf, oob := make([]byte, 4096), make([]byte, 256)
	n.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	size, oobSize, _, _, err := n.conn.ReadMsgUnix(buf, oob)
	if err != nil {
		n.t.Fatal(err)
	}
	var m struct {
		Cmd string
		Msg struct{ Errno, Ack int }
	}
	if err := json.Unmarshal(buf[:size], &m); err != nil || m.Cmd != "NODE_HANDLE" || m.Msg.Ack != 1 {
		n.t.Fatalf("answer %q, %v", buf[:size], err)
	}
	messages, err := unix.ParseSocketControlMessage(oob[:oobSize])
	if err != nil || len(messages) != 1 {
		n.t.Fatalf("no socket: %v", err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		n.t.Fatal(err)
	}
	n.say(`{"cmd":"NODE_HANDLE_ACK"}`)
	n.say(`{"cmd":"NODE_CLUSTER","act":"listening","seq":2,` + query + `}`)
	f := os.NewFile(uintptr(fds[0]), "listener")
	defer f.Close()
	l, err := net.FileListener(f)
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { l.Close() })
	return l
}

// untilLive waits until these seats get the connections of the only address.
func (b *bench) untilLive(want ...int) {
	b.t.Helper()
	var got []int
	err := b.hub.await(timeout(b.t), Ref{}, func(*worker) (bool, error) {
		got = nil
		for key := range b.hub.listeners {
			got = b.hub.live(key)
		}
		return slices.Equal(got, want), nil
	})
	if err != nil {
		b.t.Fatalf("seats %v serve, want %v: %v", got, want, err)
	}
}

func timeout(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func freePort(t *testing.T) int {
	t.Helper()
	port, err := testprog.Port(1)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func TestTrialGetsNoConnection(t *testing.T) {
	b, port := newBench(t, newStore(t)), freePort(t)
	b.start(Ref{0, 1}, 0, official).listen(port)
	b.start(Ref{1, 1}, 1, official).listen(port)
	b.untilLive(0, 2)
	b.start(Ref{0, 1001}, 0, hidden).listen(port)
	if err := b.hub.awaitServing(timeout(t), Ref{0, 1001}, nil); err != nil {
		t.Fatal(err)
	}
	b.untilLive(0, 2)
	b.do(func() { b.hub.promote(Ref{0, 1001}) })
	b.untilLive(0, 1, 2)
	b.do(func() { b.hub.dismiss(b.hub.workers[Ref{0, 1}]) })
	b.untilLive(1, 2)
}

// TestHandOver: what waits for a worker that dies is given to its sibling.
func TestHandOver(t *testing.T) {
	b, port := newBench(t, newStore(t)), freePort(t)
	first := b.start(Ref{0, 1}, 0, official)
	l := first.listen(port)
	b.untilLive(0)
	client, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	second := b.start(Ref{1, 1}, 1, official)
	second.listen(port)
	b.untilLive(0, 2)
	l.Close()
	first.conn.Close()
	buf, oob := make([]byte, 4096), make([]byte, 256)
	second.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	n, oobSize, _, _, err := second.conn.ReadMsgUnix(buf, oob)
	if err != nil || oobSize == 0 {
		t.Fatalf("no connection came: %q, %v", buf[:n], err)
	}
	b.untilLive(2)
}

// TestRestore: the next daemon goes on with the same conversation and the same sockets.
func TestRestore(t *testing.T) {
	s, port := newStore(t), freePort(t)
	b := newBench(t, s)
	n := b.start(Ref{0, 1}, 0, official)
	n.listen(port)
	b.start(Ref{1, 1}, 1, official).listen(port)
	b.untilLive(0, 2)
	b.end()

	b = newBench(t, s)
	b.do(func() {
		b.hub.restore(s.notes, func(r Ref) bool { return r.ID == 0 })
		b.hub.resume()
	})
	b.untilLive(0)
	n.listen(freePort(t))
	var claimed []string
	b.do(func() { claimed = b.hub.holds() })
	s.mu.Lock()
	defer s.mu.Unlock()
	var kept []string
	for name := range s.files {
		kept = append(kept, name)
	}
	if stale := Stale(kept, claimed); len(stale) > 0 {
		t.Errorf("kept for nobody: %v", stale)
	}
	for name := range s.notes {
		if name == "cluster/7/worker/1.1" {
			t.Error("the note of a worker that is gone is kept")
		}
	}
}

// TestStopFreesThePort: a stopped app must not keep others from listening.
func TestStopFreesThePort(t *testing.T) {
	s, port := newStore(t), freePort(t)
	b := newBench(t, s)
	n := b.start(Ref{0, 1}, 0, official)
	l := n.listen(port)
	b.untilLive(0)
	l.Close()
	b.do(func() { b.hub.observe(app.Status{ID: 0, Seq: 1, State: app.Stopped}, 0, official) })
	free, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	free.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.files) != 0 || len(s.notes) != 0 {
		t.Errorf("still kept: %v %v", s.files, s.notes)
	}
}

// TestEndToldTwice: a second copy of a socket that is being emptied would outlive the first, and the kernel's order of
// sockets would not be the one that connections are steered by.
func TestEndToldTwice(t *testing.T) {
	b, port := newBench(t, newStore(t)), freePort(t)
	b.start(Ref{0, 1}, 0, official).listen(port)
	b.start(Ref{1, 1}, 1, official).listen(port)
	b.untilLive(0, 2)
	open := 0
	b.do(func() {
		for range 2 {
			b.hub.observe(app.Status{ID: 0, Seq: 1, State: app.Stopped}, 0, official)
		}
		open = len(b.hub.emptying)
	})
	if open != 1 {
		t.Errorf("the socket is emptied %d times", open)
	}
	if err := b.hub.await(timeout(t), Ref{}, func(*worker) (bool, error) { return len(b.hub.emptying) == 0, nil }); err != nil {
		t.Error(err)
	}
	b.untilLive(2)
}

func TestAwaitEndsWithTheWorker(t *testing.T) {
	b := newBench(t, newStore(t))
	n := b.start(Ref{3, 1}, 0, hidden)
	n.conn.Close()
	if err := b.hub.awaitServing(timeout(t), Ref{3, 1}, []string{"somewhere"}); err != errEnded {
		t.Errorf("got %v", err)
	}
}
