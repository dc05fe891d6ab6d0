//go:build unix

package channel

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// fake is the other end, played by the test: it reads lines and writes what it likes.
type fake struct {
	*os.File
	lines *bufio.Scanner
}

func newFake(t *testing.T, opts Options) (*served, *fake) {
	t.Helper()
	ours, theirs, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { theirs.Close() })
	lines := bufio.NewScanner(theirs)
	lines.Buffer(nil, 32<<20)
	return serve(t, ours, opts), &fake{theirs, lines}
}

func (f *fake) expect(t *testing.T, want string) {
	t.Helper()
	if !f.lines.Scan() || f.lines.Text() != want {
		t.Fatalf("the process got %.200q, want %q (%v)", f.lines.Text(), want, f.lines.Err())
	}
}

func (f *fake) say(t *testing.T, text string) {
	t.Helper()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

const ack, nack = `{"cmd":"NODE_HANDLE_ACK"}`, `{"cmd":"NODE_HANDLE_NACK"}`

func TestGarbageAndHalfLines(t *testing.T) {
	c, peer := newFake(t, Options{})
	peer.say(t, "\n\n{]\n\x00\xff\n"+`{"cmd":"NODE_NOBODY_KNOWS"}`+"\n"+ack+"\n"+nack+"\n"+`"fi`)
	for range 2 {
		if e := c.next(t); e.Kind != Dropped || !errors.Is(e.Err, ErrGarbage) {
			t.Fatalf("got %+v", e)
		}
	}
	peer.say(t, "ne\"\n")
	c.expect(t, `"fine"`)
	peer.say(t, `"half`)
	peer.Close()
	if err := <-c.end; err != nil {
		t.Error(err)
	}
	if s := c.Stats(); s.Garbage != 2 || s.Received != 1 {
		t.Errorf("%+v", s)
	}
}

func TestHandleWithoutDescriptorIsAskedForAgain(t *testing.T) {
	c, peer := newFake(t, Options{})
	line := `{"cmd":"NODE_HANDLE","type":"net.Native","msg":{"cmd":"NODE_CLUSTER","act":"x"}}` + "\n"
	peer.say(t, line)
	peer.expect(t, nack)
	passOver(t, peer.File, line)
	peer.expect(t, ack)
	e := c.next(t)
	if e.Kind != Cluster || e.FD < 0 || string(e.JSON) != `{"cmd":"NODE_CLUSTER","act":"x"}` {
		t.Fatalf("got %+v", e)
	}
	unix.Close(e.FD)
}

// passOver writes a line together with a descriptor, as libuv does.
func passOver(t *testing.T, f *os.File, line string) {
	t.Helper()
	raw, err := f.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) {
		err = unix.Sendmsg(int(fd), []byte(line), unix.UnixRights(int(fd)), nil, 0)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestDescriptorOfAMessageTooLong is closed and acknowledged, or the process would wait.
func TestDescriptorOfAMessageTooLong(t *testing.T) {
	c, peer := newFake(t, Options{MaxLine: 100})
	passOver(t, peer.File, `{"cmd":"NODE_HANDLE","type":"net.Socket","msg":"`+strings.Repeat("x", 200)+`"}`+"\n")
	peer.expect(t, ack)
	if e := c.next(t); e.Kind != Dropped || e.FD != -1 {
		t.Fatalf("got %+v", e)
	}
}

func TestOneHandleInFlight(t *testing.T) {
	c, peer := newFake(t, Options{})
	done := make(chan error, 3)
	for i := range 3 {
		err := c.Pass(fmt.Appendf(nil, "%d", i), "net.Native", 0, func(err error) { done <- err })
		if err != nil {
			t.Fatal(err)
		}
	}
	c.send(t, `"last"`)
	wrapped := `{"cmd":"NODE_HANDLE","type":"net.Native","msg":%d}`
	peer.expect(t, fmt.Sprintf(wrapped, 0))
	if c.Stats().HandleSince.IsZero() {
		t.Error("nothing says that a handle is not acknowledged")
	}
	peer.say(t, nack+"\n")
	peer.expect(t, fmt.Sprintf(wrapped, 0))
	peer.say(t, ack+"\n")
	peer.expect(t, fmt.Sprintf(wrapped, 1))
	for range maxResends {
		peer.say(t, nack+"\n")
		peer.expect(t, fmt.Sprintf(wrapped, 1))
	}
	peer.say(t, nack+"\n")
	peer.expect(t, fmt.Sprintf(wrapped, 2))
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := <-done; !errors.Is(err, ErrRefused) {
		t.Errorf("refused four times, got %v", err)
	}
	c.Close()
	if err := <-done; !errors.Is(err, ErrClosed) {
		t.Errorf("closed, got %v", err)
	}
}

func TestABadDescriptorDoesNotStopTheChannel(t *testing.T) {
	c, peer := newFake(t, Options{})
	done := make(chan error, 1)
	if err := c.Pass([]byte(`1`), "net.Native", 1<<30, func(err error) { done <- err }); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, unix.EBADF) {
		t.Errorf("got %v", err)
	}
	c.send(t, `2`)
	peer.expect(t, `2`)
}

func TestResumedDropsTheEndOfALostLine(t *testing.T) {
	c, peer := newFake(t, Options{Resumed: true})
	peer.say(t, `d of a lost line"}`+"\n"+`"whole"`+"\n"+"garbage\n")
	c.expect(t, `"whole"`)
	if e := c.next(t); e.Kind != Dropped {
		t.Errorf("only the first line may be a fragment: %+v", e)
	}
	c2, peer2 := newFake(t, Options{Resumed: true})
	peer2.say(t, "\"first\"\n")
	c2.expect(t, `"first"`)
}

func TestHalfWrittenChannelOnlyReads(t *testing.T) {
	c, peer := newFake(t, Options{HalfWritten: true})
	if err := c.Send([]byte(`1`)); !errors.Is(err, ErrHalfWritten) {
		t.Errorf("got %v", err)
	}
	passOver(t, peer.File, `{"cmd":"NODE_HANDLE","type":"net.Native","msg":1}`+"\n")
	e := c.next(t)
	unix.Close(e.FD)
	c.Close()
	<-c.end
	if peer.lines.Scan() {
		t.Errorf("the process got %q", peer.lines.Text())
	}
}

// TestWholeLinesOrNothing: a full socket cuts only long lines, and those are announced.
// The reader here is slower than the writer for the whole time.
func TestWholeLinesOrNothing(t *testing.T) {
	var open bool
	c, peer := newFake(t, Options{MaxQueue: 64 << 20, Long: func(b bool) { open = b }})
	const count = 2000
	for i := range count {
		size := []int{10, 1000, 30_000}[i%3]
		c.send(t, fmt.Sprintf(`"%d-%s"`, i, strings.Repeat("y", size)))
	}
	c.send(t, `"`+strings.Repeat("z", 1<<20)+`"`)
	for i := range count {
		if !peer.lines.Scan() || !strings.HasPrefix(peer.lines.Text(), fmt.Sprintf(`"%d-`, i)) {
			t.Fatalf("line %d: %.30q", i, peer.lines.Text())
		}
	}
	if !peer.lines.Scan() || len(peer.lines.Text()) != 1<<20+2 {
		t.Fatal("the long line is cut")
	}
	c.Close()
	<-c.end
	if open {
		t.Error("a long line was announced and never ended")
	}
}

func TestAMessageThatNeverFitsSaysSo(t *testing.T) {
	c, peer := newFake(t, Options{MaxQueue: 1000})
	if err := c.Send([]byte(`"` + strings.Repeat("x", 1000) + `"`)); !errors.Is(err, ErrLineTooLong) {
		t.Errorf("got %v", err)
	}
	c.send(t, `"small"`)
	peer.expect(t, `"small"`)
}

func TestBunMarksInternalLines(t *testing.T) {
	c, peer := newFake(t, Options{Framing: Bun})
	if err := c.Post([]byte(`{"cmd":"NODE_CLUSTER","act":"disconnect"}`)); err != nil {
		t.Fatal(err)
	}
	c.send(t, `{"cmd":"NODE_mine"}`)
	peer.expect(t, "\x02"+`{"cmd":"NODE_CLUSTER","act":"disconnect"}`)
	peer.expect(t, `{"cmd":"NODE_mine"}`)
	peer.say(t, "\x02"+`{"cmd":"NODE_CLUSTER","act":"online"}`+"\n"+`{"cmd":"NODE_mine"}`+"\n")
	if e := c.next(t); e.Kind != Cluster {
		t.Errorf("got %+v", e)
	}
	c.expect(t, `{"cmd":"NODE_mine"}`)
}

func TestCloseInsideDeliver(t *testing.T) {
	ours, theirs, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	c, err := New(ours, Options{})
	if err != nil {
		t.Fatal(err)
	}
	theirs.WriteString("1\n2\n")
	if err := c.Serve(func(Event) { c.Close() }); err != nil {
		t.Error(err)
	}
}

// TestMemoryOfAThousandChannels: each costs less than 30 KB, its goroutine included, after
// it has been used both ways.
func TestMemoryOfAThousandChannels(t *testing.T) {
	const count = 1000
	before := inUse()
	channels := make([]*served, count)
	peers := make([]*fake, count)
	for i := range count {
		ours, theirs, err := Pair()
		if err != nil {
			t.Skip(err) // too few descriptors
		}
		c, err := New(ours, Options{})
		if err != nil {
			t.Fatal(err)
		}
		s := &served{c, make(chan Event, 4), make(chan error, 1)}
		go func() { s.end <- c.Serve(func(e Event) { s.events <- Event{Kind: e.Kind} }) }()
		channels[i], peers[i] = s, &fake{theirs, nil}
	}
	for i, c := range channels {
		peers[i].say(t, `"hello"`+"\n")
		c.send(t, `"hello"`)
		c.next(t)
	}
	each := (inUse() - before) / count
	t.Logf("%d bytes each", each)
	if each > 30_000 {
		t.Errorf("%d bytes each", each)
	}
	for i, c := range channels {
		peers[i].Close()
		<-c.end
	}
}

func inUse() int64 {
	runtime.GC()
	runtime.GC() // pools give up what they had at the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}
