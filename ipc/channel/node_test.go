//go:build unix

package channel

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const patience = 30 * time.Second

// startNode runs a script with a channel; our end and a wait function. The process is
// killed at the end of the test if it is still there.
func startNode(t testing.TB, script string) (*os.File, *exec.Cmd) {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed")
	}
	ours, theirs, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "app.js")
	if err := os.WriteFile(file, []byte(script), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(node, file)
	cmd.Env = append(os.Environ(), "NODE_CHANNEL_FD=3")
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return ours, cmd
}

// served is a channel whose events come on a Go channel, copied.
type served struct {
	*Channel
	events chan Event
	end    chan error
}

func serve(t testing.TB, f *os.File, opts Options) *served {
	t.Helper()
	c, err := New(f, opts)
	if err != nil {
		t.Fatal(err)
	}
	s := &served{c, make(chan Event, 1<<16), make(chan error, 1)}
	go func() {
		s.end <- c.Serve(func(e Event) {
			e.JSON = bytes.Clone(e.JSON)
			s.events <- e
		})
		close(s.events)
	}()
	t.Cleanup(func() {
		c.Close()
		for range s.events { // until Serve has ended
		}
	})
	return s
}

func (s *served) next(t testing.TB) Event {
	t.Helper()
	select {
	case e, ok := <-s.events:
		if !ok {
			t.Fatal("the channel ended")
		}
		return e
	case <-time.After(patience):
		t.Fatal("nothing came")
	}
	return Event{}
}

func (s *served) expect(t testing.TB, want string) {
	t.Helper()
	if e := s.next(t); e.Kind != App || string(e.JSON) != want {
		t.Fatalf("got %d %.200q, want %q", e.Kind, e.JSON, want)
	}
}

func (s *served) send(t testing.TB, text string) {
	t.Helper()
	if err := s.Send([]byte(text)); err != nil {
		t.Fatal(err)
	}
}

const echo = `process.on('message', m => process.send(m)); process.send('up')`

func TestNodeEchoesEveryJSONValue(t *testing.T) {
	f, _ := startNode(t, echo)
	c := serve(t, f, Options{})
	c.expect(t, `"up"`)
	for _, text := range []string{`"ready"`, `1.5`, `true`, `{"a":[1,{"b":"\n\u2028é"}]}`, `[]`, `""`, `{"cmd":"NODE_"}`} {
		c.send(t, text)
		got := c.next(t)
		if want := strings.ReplaceAll(text, `\u2028`, "\u2028"); string(got.JSON) != want {
			t.Errorf("%s came back as %s", text, got.JSON)
		}
	}
	for text, want := range map[string]error{"": ErrInvalid, "{": ErrInvalid, `{"cmd":"NODE_X"}`: ErrReserved} {
		if err := c.Send([]byte(text)); !errors.Is(err, want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	c.send(t, "{\n\"still\": \"alive\"\n}")
	c.expect(t, `{"still":"alive"}`)
}

func TestNodeLongMessages(t *testing.T) {
	f, _ := startNode(t, echo)
	var marks []bool
	c := serve(t, f, Options{MaxLine: 11 << 20, MaxQueue: 32 << 20, Long: func(b bool) { marks = append(marks, b) }})
	c.expect(t, `"up"`)
	long := `"` + strings.Repeat("x", 10<<20) + `"`
	c.send(t, long)
	c.expect(t, long)
	c.send(t, `"after"`)
	c.expect(t, `"after"`)
	if fmt.Sprint(marks) != "[true false]" {
		t.Errorf("marks %v", marks)
	}
}

func TestA100MBMessageIsDroppedAndTheChannelGoesOn(t *testing.T) {
	f, _ := startNode(t, `
		process.on('message', m => process.send(m));
		process.send('x'.repeat(100e6)); process.send('after')`)
	c := serve(t, f, Options{})
	if e := c.next(t); e.Kind != Dropped || !errors.Is(e.Err, ErrLineTooLong) || !strings.HasPrefix(string(e.JSON), `"xxx`) {
		t.Fatalf("got %d %v", e.Kind, e.Err)
	}
	c.expect(t, `"after"`)
	c.send(t, `1`)
	c.expect(t, `1`)
	if s := c.Stats(); s.TooLong != 1 || s.Received != 2 {
		t.Errorf("%+v", s)
	}
}

func TestNodeDisconnects(t *testing.T) {
	f, cmd := startNode(t, `process.send('bye'); process.disconnect()`)
	c := serve(t, f, Options{})
	c.expect(t, `"bye"`)
	if err := <-c.end; err != nil {
		t.Error(err)
	}
	if err := c.Send([]byte(`1`)); !errors.Is(err, ErrClosed) {
		t.Errorf("sending to a closed channel: %v", err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// TestNodePassesASocket: process.send(msg, socket) arrives with the descriptor, and the
// answer lets later messages through.
func TestNodePassesASocket(t *testing.T) {
	f, _ := startNode(t, `
		const net = require('net');
		const s = net.createServer(c => { process.send({to: 'gpm'}, c); process.send('behind') })
		s.listen(0, '127.0.0.1', () => process.send(s.address().port))`)
	c := serve(t, f, Options{})
	var port int
	fmt.Sscan(string(c.next(t).JSON), &port)
	client, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	e := c.next(t)
	if string(e.JSON) != `{"to":"gpm"}` || e.FD < 0 || e.Type != "net.Socket" {
		t.Fatalf("got %+v", e)
	}
	c.expect(t, `"behind"`)
	unix.Write(e.FD, []byte("from gpm"))
	unix.Close(e.FD)
	if got, _ := io.ReadAll(client); string(got) != "from gpm" {
		t.Errorf("the client got %q", got)
	}
}

// TestNodeTakesSockets: many handles and messages between them keep their order, and
// every handle is acknowledged.
func TestNodeTakesSockets(t *testing.T) {
	f, _ := startNode(t, `
		let n = 0
		process.on('message', (m, s) => { process.send([n++, m, !!s]); if (s) s.end('hello ' + m) })
		process.send('up')`)
	c := serve(t, f, Options{})
	c.expect(t, `"up"`)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	const count = 50
	acks := make(chan error, count)
	var clients []net.Conn
	for i := range count {
		client, server := connect(t, l)
		clients = append(clients, client)
		err := c.Pass(fmt.Appendf(nil, "%d", i), "net.Socket", server, func(err error) {
			unix.Close(server)
			acks <- err
		})
		if err != nil {
			t.Fatal(err)
		}
		c.send(t, `"plain"`)
	}
	for i := range count {
		c.expect(t, fmt.Sprintf(`[%d,%d,true]`, 2*i, i))
		c.expect(t, fmt.Sprintf(`[%d,"plain",false]`, 2*i+1))
	}
	for range count {
		if err := <-acks; err != nil {
			t.Error(err)
		}
	}
	for i, client := range clients {
		if got, _ := io.ReadAll(client); string(got) != fmt.Sprintf("hello %d", i) {
			t.Errorf("client %d got %q", i, got)
		}
		client.Close()
	}
}

// connect returns the two ends of a TCP connection, the second as a raw descriptor.
func connect(t testing.TB, l net.Listener) (net.Conn, int) {
	t.Helper()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var fd int
	raw.Control(func(p uintptr) { fd, err = unix.FcntlInt(p, unix.F_DUPFD_CLOEXEC, 0) })
	if err != nil {
		t.Fatal(err)
	}
	return client, fd
}

// TestANodeThatNeverReads: the queue is bounded, the overflow counted, and nobody waits.
func TestANodeThatNeverReads(t *testing.T) {
	f, _ := startNode(t, `process.send('up'); process.on('message', () => {}); for (;;);`)
	c := serve(t, f, Options{MaxQueue: 1 << 20})
	c.expect(t, `"up"`)
	text := []byte(`"` + strings.Repeat("x", 1000) + `"`)
	refused := 0
	for range 5000 {
		if err := c.Send(text); errors.Is(err, ErrQueueFull) {
			refused++
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if s := c.Stats(); refused == 0 || s.Overflow != uint64(refused) || s.Queued > 1<<20 {
		t.Errorf("%d refused, %+v", refused, s)
	}
	if err := c.Post([]byte(`{"cmd":"NODE_CLUSTER"}`)); err != nil {
		t.Errorf("the application's flood shut out the protocol: %v", err)
	}
}

// TestThroughput: messages a second from one Node process, one process.send each.
func TestThroughput(t *testing.T) {
	const count = 150_000
	f, _ := startNode(t, fmt.Sprintf(`
		let i = 0
		function some() { let ok = true; while (ok && i < %d) ok = process.send({seq: i++, a: 'b'}); if (i < %[1]d) setImmediate(some) }
		process.on('message', some); process.send('up')`, count))
	c, err := New(f, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var begin time.Time
	var cpu time.Duration
	n := 0
	err = c.Serve(func(Event) {
		n++
		switch n {
		case 1:
			begin, cpu = time.Now(), cpuTime()
			if err := c.Send([]byte(`1`)); err != nil {
				t.Error(err)
			}
		case count + 1:
			c.Close()
		}
	})
	rate := float64(n) / time.Since(begin).Seconds()
	if err != nil || n != count+1 {
		t.Fatalf("%d messages, %v", n, err)
	}
	t.Logf("%.0f messages/s in; %.0f for each second of our processor time", rate, count/(cpuTime()-cpu).Seconds())
}

// cpuTime is what this process has used.
func cpuTime() time.Duration {
	var u unix.Rusage
	unix.Getrusage(unix.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestANodeSurvivesTheUserOfItsChannel: a second user of the same end goes on with a running
// process, whose process.connected stays true.
func TestANodeSurvivesTheUserOfItsChannel(t *testing.T) {
	f, _ := startNode(t, `process.on('disconnect', () => process.exit(9)); `+echo)
	held, err := duplicate(f)
	if err != nil {
		t.Fatal(err)
	}
	first := serve(t, f, Options{})
	first.expect(t, `"up"`)
	first.send(t, `1`)
	first.expect(t, `1`)
	first.Close()
	<-first.end
	second := serve(t, held, Options{Resumed: true})
	second.send(t, `2`)
	second.expect(t, `2`)
}

func duplicate(f *os.File) (*os.File, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	var fd int
	var dupErr error
	if err := raw.Control(func(p uintptr) { fd, dupErr = unix.FcntlInt(p, unix.F_DUPFD_CLOEXEC, 0) }); err != nil {
		return nil, err
	}
	if dupErr != nil {
		return nil, dupErr
	}
	return os.NewFile(uintptr(fd), "held"), nil
}

// TestKilledWhileHandling: a process that dies by SIGKILL in deliver leaves the message
// for its successor.
func TestKilledWhileHandling(t *testing.T) {
	if os.Getenv("CHANNEL_TEST_VICTIM") != "" {
		c, err := New(os.NewFile(3, "channel"), Options{})
		if err != nil {
			t.Fatal(err)
		}
		c.Serve(func(Event) { syscall.Kill(os.Getpid(), syscall.SIGKILL) })
		return
	}
	if !keepsUnhandled {
		t.Skip("this platform consumes before it handles")
	}
	ours, theirs, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	theirs.Write([]byte("\"first\"\n\"second\"\n\"ha"))
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, "-test.run=^TestKilledWhileHandling$")
	cmd.Env = append(os.Environ(), "CHANNEL_TEST_VICTIM=1")
	cmd.ExtraFiles = []*os.File{ours}
	if err := cmd.Run(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Fatalf("the victim ended with %v", err)
	}
	c := serve(t, ours, Options{Resumed: true})
	c.expect(t, `"first"`)
	c.expect(t, `"second"`)
	theirs.Write([]byte("lf\"\n"))
	c.expect(t, `"half"`)
}

// TestAKilledWriterLeavesWholeLines: a process killed while it floods a reader that is
// slower leaves no half line, unless it had announced a long one.
func TestAKilledWriterLeavesWholeLines(t *testing.T) {
	if os.Getenv("CHANNEL_TEST_WRITER") != "" {
		floodUntilKilled(t)
		return
	}
	for _, long := range []string{"", "1"} {
		for range 5 {
			rest, announced := killWriter(t, long)
			t.Logf("%d bytes, announced %q", len(rest), announced)
			if long == "" && (len(rest) > 0 || announced != "") {
				t.Errorf("%d bytes of a half line, announced %q", len(rest), announced)
			}
			if long != "" && len(rest) > 0 && announced != "long" {
				t.Errorf("%d bytes of a long line that was not announced: %q", len(rest), announced)
			}
		}
	}
}

// floodUntilKilled writes as fast as it can; a file at descriptor 4 has the word "long" while
// a long line is being written.
func floodUntilKilled(t *testing.T) {
	mark := os.NewFile(4, "mark")
	c, err := New(os.NewFile(3, "channel"), Options{Long: func(begun bool) {
		mark.Truncate(0)
		if begun {
			mark.WriteAt([]byte("long"), 0)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	sizes := []int{5, 30_000, 700}
	if os.Getenv("CHANNEL_TEST_WRITER") == "long" {
		sizes = append(sizes, 1<<20)
	}
	for i := 0; ; i++ {
		err := c.Send([]byte(`"` + strings.Repeat("x", sizes[i%len(sizes)]) + `"`))
		if err != nil && !errors.Is(err, ErrQueueFull) {
			t.Fatal(err)
		}
	}
}

// killWriter reads some of what a writer floods, kills it, and returns what is behind the last
// newline and what was announced.
func killWriter(t *testing.T, long string) (rest []byte, announced string) {
	t.Helper()
	ours, theirs, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	mark, err := os.Create(filepath.Join(t.TempDir(), "mark"))
	if err != nil {
		t.Fatal(err)
	}
	defer mark.Close()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, "-test.run=^TestAKilledWriterLeavesWholeLines$")
	cmd.Env = append(os.Environ(), "CHANNEL_TEST_WRITER=short")
	if long != "" {
		cmd.Env = append(cmd.Env, "CHANNEL_TEST_WRITER=long")
	}
	cmd.ExtraFiles = []*os.File{ours, mark}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ours.Close()
	if _, err := io.CopyN(io.Discard, theirs, 5<<20); err != nil {
		t.Error(err)
	}
	cmd.Process.Kill()
	cmd.Wait() // killed
	all, err := io.ReadAll(theirs)
	if err != nil {
		t.Error(err)
	}
	text, err := os.ReadFile(mark.Name())
	if err != nil {
		t.Error(err)
	}
	return all[bytes.LastIndexByte(all, '\n')+1:], string(text)
}
