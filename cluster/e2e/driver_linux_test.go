package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"gpm/cluster/primary"
	"gpm/cluster/sockets"
	"gpm/ipc/channel"

	"golang.org/x/sys/unix"
)

const patience = 60 * time.Second

// app is the owner of an application's workers: everything below is touched by its one
// goroutine only, which runs the functions in inbox.
type app struct {
	t       testing.TB
	script  string
	args    []string
	runtime primary.Runtime
	command []string    // that runs a script
	way     primary.Way // instead of the runtime's own, when set

	onMessage func(*worker, string) // in the channel's goroutine
	policy    sockets.Policy
	groups    map[string]*group
	tickets   primary.Tickets
	workers   map[int]*worker // by id
	conns     map[uint64]conn // being handed over
	token     uint64
	nextID    int

	inbox   chan func()
	running sync.WaitGroup // goroutines that feed the inbox
}

// group is a listening address with the workers that serve it.
type group struct {
	*sockets.Group
	live map[int]*worker // slot → who listens
	stop chan struct{}   // ends the accepting goroutine of Passed
}

type conn struct {
	fd    int
	key   string
	tried []int // ids of workers that did not take it
}

// worker is one process, or one that another driver started (no cmd).
type worker struct {
	id, slot int
	cmd      *exec.Cmd
	ch       *channel.Channel
	held     *os.File // a duplicate of its channel, as the master has one
	state    primary.Worker
	messages chan string // of the application
	listens  chan primary.Listens
	last     primary.Listens
	leaves   bool
	ended    chan struct{} // closed when the process has ended
	result   error         // of Wait; read after ended
}

func newApp(t testing.TB, script string, args ...string) *app {
	t.Helper()
	a := &app{
		t: t, command: []string{"node"}, script: filepath.Join(t.TempDir(), "app.js"), args: args,
		groups: map[string]*group{}, tickets: primary.Tickets{}, workers: map[int]*worker{},
		conns: map[uint64]conn{}, inbox: make(chan func(), 1<<12),
		onMessage: func(w *worker, text string) { w.messages <- text },
	}
	needs(t, "node")
	if err := os.WriteFile(a.script, []byte(script), 0o644); err != nil {
		t.Fatal(err)
	}
	var owner sync.WaitGroup
	owner.Go(func() {
		for f := range a.inbox {
			f()
		}
	})
	t.Cleanup(func() {
		a.do(a.killAll)
		a.running.Wait()
		close(a.inbox)
		owner.Wait()
		for _, g := range a.groups {
			g.Close()
		}
	})
	return a
}

// needs skips a test whose runtime is not installed.
func needs(t testing.TB, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skip(program + " is not installed")
	}
}

// do runs f in the owner and waits for it.
func (a *app) do(f func()) {
	done := make(chan struct{})
	a.inbox <- func() { defer close(done); f() }
	<-done
}

func (a *app) killAll() {
	for _, w := range a.workers {
		if w.cmd != nil {
			w.cmd.Process.Kill()
		}
		w.ch.Close()
		if w.held != nil {
			w.held.Close()
		}
	}
	for _, g := range a.groups {
		if g.stop != nil {
			close(g.stop)
		}
	}
}

// start makes a worker in a slot.
func (a *app) start(slot int) *worker {
	a.t.Helper()
	ours, theirs, err := channel.Pair()
	if err != nil {
		a.t.Fatal(err)
	}
	var w *worker
	a.do(func() {
		a.nextID++
		w = a.newWorker(a.nextID, slot, ours, channel.Options{Framing: a.runtime.Framing()})
		words := slices.Concat(a.command, []string{a.script}, a.args)
		w.cmd = exec.Command(words[0], words[1:]...)
		w.cmd.Env = append(os.Environ(), "NODE_CHANNEL_FD=3", "NODE_UNIQUE_ID="+strconv.Itoa(w.id))
		w.cmd.ExtraFiles = []*os.File{theirs}
		w.cmd.Stderr = os.Stderr
		if err = w.cmd.Start(); err != nil {
			return
		}
		theirs.Close()
		a.running.Go(func() {
			w.result = w.cmd.Wait()
			close(w.ended)
		})
	})
	if err != nil {
		a.t.Fatal(err)
	}
	return w
}

// newWorker serves a channel; our end of it.
func (a *app) newWorker(id, slot int, ours *os.File, opts channel.Options) *worker {
	w := &worker{
		id: id, slot: slot, state: primary.Start(a.runtime), messages: make(chan string, 1<<12),
		listens: make(chan primary.Listens, 64), ended: make(chan struct{}),
	}
	w.held = duplicate(a.t, ours)
	ch, err := channel.New(ours, opts)
	if err != nil {
		a.t.Error(err)
		return w
	}
	w.ch = ch
	a.workers[id] = w
	a.running.Go(func() {
		if err := ch.Serve(func(e channel.Event) { a.deliver(w, e) }); err != nil {
			a.t.Error(err)
		}
		a.inbox <- func() { a.step(w, primary.End{}) }
	})
	return w
}

func duplicate(t testing.TB, f *os.File) *os.File {
	raw, err := f.SyscallConn()
	if err != nil {
		t.Error(err)
		return nil
	}
	fd := -1
	raw.Control(func(p uintptr) { fd, err = unix.FcntlInt(p, unix.F_DUPFD_CLOEXEC, 3) })
	if err != nil {
		t.Error(err)
	}
	return os.NewFile(uintptr(fd), "held")
}

func (a *app) deliver(w *worker, e channel.Event) {
	text := bytes.Clone(e.JSON)
	switch e.Kind {
	case channel.Cluster:
		a.inbox <- func() { a.step(w, primary.FromWorker{JSON: text}) }
	case channel.App:
		a.inbox <- func() { a.step(w, primary.FromApp{JSON: text}) }
		a.onMessage(w, string(text))
	default:
		a.t.Errorf("worker %d: %v", w.id, e.Err)
	}
}

func (a *app) step(w *worker, in primary.Input) {
	var effects []primary.Effect
	w.state, effects = w.state.Step(in)
	for _, e := range effects {
		a.perform(w, e)
	}
	if _, ended := in.(primary.End); ended {
		a.lost(w)
	}
}

func (a *app) perform(w *worker, e primary.Effect) {
	switch e := e.(type) {
	case primary.Reply:
		a.note(w.ch.Post(e.JSON))
	case primary.Bind:
		a.step(w, a.bind(w, e))
	case primary.PassSocket:
		fd, err := a.groups[e.Key].Socket(w.slot)
		a.note(err)
		a.note(w.ch.Pass(e.JSON, e.Type, fd, func(err error) {
			if err != nil && !errors.Is(err, channel.ErrClosed) {
				a.t.Errorf("socket of %s: %v", e.Key, err)
			}
		}))
	case primary.PassConn:
		a.passConn(w, e)
	case primary.Settled:
		a.settled(w, e)
	case primary.Listens:
		w.last = e
		if g := a.groups[e.Key]; g != nil {
			g.live[w.slot] = w
			a.steer(g)
		}
		w.listens <- e
	case primary.Closed:
		a.closed(w, e)
	case primary.Leaves:
		w.leaves = true
	}
}

// note reports what went wrong; a worker that has just gone is no error.
func (a *app) note(err error) {
	if err != nil && !errors.Is(err, channel.ErrClosed) {
		a.t.Error(err)
	}
}

// address turns a query into an address to bind.
func address(q primary.Query) sockets.Address {
	out := sockets.Address{Host: q.Address, Port: q.Port}
	switch q.Type {
	case primary.Unix:
		return sockets.Address{Network: sockets.Unix, Path: q.Address, Readable: q.ReadableAll, Writable: q.WritableAll}
	case primary.UDP4, primary.UDP6:
		out.Network = sockets.UDP
		out.ReuseAddr = q.Flags&primary.FlagUDPReuseAddr != 0
		out.Family = sockets.IPv4
		if q.Type == primary.UDP6 {
			out.Family = sockets.IPv6
		}
	}
	if q.Flags&primary.FlagIPv6Only != 0 {
		out.Family = sockets.IPv6Only
	}
	return out
}

func (a *app) bind(w *worker, b primary.Bind) primary.Bound {
	out := primary.Bound{Seq: b.Seq, Key: b.Key, Way: b.Way, Data: a.tickets.Share(b.Key, b.Query.Data)}
	if a.way != primary.Refused {
		out.Way = a.way
	}
	g := a.groups[b.Key]
	if g == nil {
		sharing := sockets.PerSlot
		if out.Way != primary.Own {
			sharing = sockets.Single
		}
		g = &group{Group: sockets.NewGroup(address(b.Query), sharing, b.Query.Backlog), live: map[int]*worker{}}
	}
	if _, err := g.Join(w.slot); err != nil {
		out.Errno = primary.ErrnoOf(err)
		return out
	}
	a.groups[b.Key] = g
	a.steer(g)
	if out.Way == primary.Passed {
		out.Sockname = &primary.Sockname{Address: g.Addr().Addr().String(), Family: "IPv4", Port: int(g.Addr().Port())}
		a.acceptFor(g, b.Key, w.slot)
	}
	return out
}

// acceptFor accepts in gpm and offers each connection to a worker.
func (a *app) acceptFor(g *group, key string, slot int) {
	if g.stop != nil {
		return
	}
	g.stop = make(chan struct{})
	fd, err := g.Socket(slot)
	a.note(err)
	a.running.Go(func() {
		for {
			err := sockets.Retire(fd, 20*time.Millisecond, nil, func(c int) error {
				a.inbox <- func() { a.offer(conn{fd: c, key: key}) }
				return nil
			})
			select {
			case <-g.stop:
				return
			default:
				a.note(err)
			}
		}
	})
}

func (a *app) steer(g *group) {
	if err := g.Steer(slices.Collect(maps.Keys(g.live)), a.policy); err != nil {
		a.t.Error(err)
	}
}

// offer gives a connection to a worker that has not refused it yet; with none it is closed.
func (a *app) offer(c conn) {
	for _, w := range a.shuffled(a.groups[c.key]) {
		if slices.Contains(c.tried, w.id) {
			continue
		}
		c.tried = append(c.tried, w.id)
		a.token++
		a.conns[a.token] = c
		a.step(w, primary.Offer{Key: c.key, Token: a.token})
		return
	}
	unix.Close(c.fd)
}

func (a *app) shuffled(g *group) []*worker {
	out := slices.Collect(maps.Values(g.live))
	rand.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

func (a *app) passConn(w *worker, e primary.PassConn) {
	err := w.ch.Pass(e.JSON, "net.Native", a.conns[e.Token].fd, func(err error) {
		if err != nil {
			a.running.Go(func() { a.inbox <- func() { a.step(w, primary.NotPassed{Token: e.Token}) } })
		}
	})
	if err != nil {
		a.step(w, primary.NotPassed{Token: e.Token})
	}
}

func (a *app) settled(_ *worker, e primary.Settled) {
	c, ok := a.conns[e.Token]
	delete(a.conns, e.Token)
	switch {
	case !ok:
	case e.Accepted:
		unix.Close(c.fd)
	default:
		a.offer(c)
	}
}

// closed: on purpose, the slot's socket goes too; else the slot's next worker has it.
func (a *app) closed(w *worker, e primary.Closed) {
	g := a.groups[e.Key]
	if g == nil {
		return
	}
	if g.live[w.slot] == w {
		delete(g.live, w.slot)
	}
	if e.Deliberate {
		a.steer(g)
		a.note(g.Leave(w.slot))
	}
	if len(g.Slots()) == 0 {
		delete(a.groups, e.Key)
		return
	}
	a.steer(g)
}

// lost: a worker's channel has ended. What waits in its slot goes to its siblings, unless
// a replacement listens there already.
func (a *app) lost(w *worker) {
	for key, g := range a.groups {
		if g.live[w.slot] != w {
			continue
		}
		delete(g.live, w.slot)
		a.steer(g)
		a.handOver(g, key, w.slot)
	}
}

func (a *app) handOver(g *group, key string, slot int) {
	if len(g.live) == 0 {
		return
	}
	_, err := g.Drain(slot, func(fd int) error {
		a.offer(conn{fd: fd, key: key})
		return nil
	})
	a.note(err)
}

// The test's side.

// message waits for the next message of the application.
func (w *worker) message(t testing.TB) string {
	t.Helper()
	select {
	case m := <-w.messages:
		return m
	case <-time.After(patience):
		t.Fatal("no message")
	}
	return ""
}

// into decodes the next message.
func (w *worker) into(t testing.TB, v any) {
	t.Helper()
	m := w.message(t)
	if err := json.Unmarshal([]byte(m), v); err != nil {
		t.Fatalf("%s: %v", m, err)
	}
}

// port waits until the worker listens.
func (w *worker) port(t testing.TB) int {
	t.Helper()
	select {
	case l := <-w.listens:
		return l.Query.Port
	case <-time.After(patience):
		t.Fatal("it does not listen")
	}
	return 0
}

// exits waits for the end of the process.
func (w *worker) exits(t testing.TB) error {
	t.Helper()
	select {
	case <-w.ended:
		return w.result
	case <-time.After(patience):
		t.Fatal("it does not end")
	}
	return nil
}

// stop asks a worker to disconnect. Its slot's new connections go elsewhere before, unless
// another worker has the slot.
func (a *app) stop(w *worker) {
	a.do(func() {
		for _, g := range a.groups {
			if g.live[w.slot] == w && len(g.live) > 1 {
				delete(g.live, w.slot)
				a.steer(g)
			}
		}
		a.step(w, primary.Stop{})
	})
}

func url(port int) string { return fmt.Sprintf("http://127.0.0.1:%d/", port) }
