//go:build unix

package frame

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// pair returns two connected ends.
func pair(t testing.TB) (*Conn, *Conn) {
	t.Helper()
	a, fd, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	b, err := New(fd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

// half returns a Conn and the raw blocking descriptor at its other end.
func half(t testing.TB) (*Conn, int) {
	t.Helper()
	c, fd, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c, fd
}

func isOpen(fd int) bool {
	_, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	return err == nil
}

func TestPayloadsOfAllSizesArriveWhole(t *testing.T) {
	a, b := pair(t)
	sizes := []int{0, 1, 5, 4095, 1 << 16, 3 << 20, 20 << 20}
	var wg sync.WaitGroup
	wg.Go(func() {
		for _, n := range sizes {
			if err := a.Write(Message{Payload: bytes.Repeat([]byte{byte(n), 7}, n)[:n]}); err != nil {
				t.Error(err)
			}
		}
		a.Close()
	})
	for _, n := range sizes {
		m, err := b.Read()
		if err != nil || !bytes.Equal(m.Payload, bytes.Repeat([]byte{byte(n), 7}, n)[:n]) {
			t.Fatalf("size %d: %d bytes, %v", n, len(m.Payload), err)
		}
	}
	if _, err := b.Read(); err != io.EOF {
		t.Fatalf("after the last message: %v, want io.EOF", err)
	}
	wg.Wait()
}

// Descriptors belong to the message they were sent with, also when many frames
// wait in the socket at once.
func TestDescriptorsStayWithTheirMessage(t *testing.T) {
	a, b := pair(t)
	for i := range 20 {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(w, "%d", i)
		w.Close()
		m := Message{Payload: fmt.Append(nil, i)}
		if i%3 != 0 {
			m.FDs = []int{int(r.Fd())}
		}
		if err := a.Write(m); err != nil {
			t.Fatal(err)
		}
		r.Close()
	}
	for i := range 20 {
		m, err := b.Read()
		if err != nil || string(m.Payload) != fmt.Sprint(i) {
			t.Fatalf("message %d: %q, %v", i, m.Payload, err)
		}
		if want := min(1, i%3); len(m.FDs) != want {
			t.Fatalf("message %d: %d descriptors, want %d", i, len(m.FDs), want)
		}
		for _, fd := range m.FDs {
			checkPipe(t, fd, fmt.Sprint(i))
		}
	}
}

func checkPipe(t *testing.T, fd int, want string) {
	t.Helper()
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	if err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("descriptor is not close-on-exec: %v", err)
	}
	f := os.NewFile(uintptr(fd), "pipe")
	defer f.Close()
	if got, err := io.ReadAll(f); err != nil || string(got) != want {
		t.Errorf("read %q, %v; want %q", got, err, want)
	}
}

func TestManyWriters(t *testing.T) {
	a, b := pair(t)
	const writers, each = 8, 50
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for range each {
				if err := a.Write(Message{Payload: bytes.Repeat([]byte{byte(w)}, 10_000*w+1)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	var count [writers]int
	for range writers * each {
		m, err := b.Read()
		if err != nil {
			t.Fatal(err)
		}
		w := m.Payload[0]
		if want := bytes.Repeat([]byte{w}, 10_000*int(w)+1); !bytes.Equal(m.Payload, want) {
			t.Fatalf("a message of writer %d is mixed up", w)
		}
		count[w]++
	}
	wg.Wait()
	for w, n := range count {
		if n != each {
			t.Errorf("writer %d: %d messages", w, n)
		}
	}
}

func TestTooLargeIsRefusedByBothEnds(t *testing.T) {
	a, fd := half(t)
	if err := a.Write(Message{Payload: make([]byte, MaxPayload+1)}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("write: %v", err)
	}
	if err := a.Write(Message{FDs: make([]int, MaxFDs+1)}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("write of descriptors: %v", err)
	}
	unix.Write(fd, []byte("GET / HTTP/1.1\r\n"))
	unix.Close(fd)
	_, err := a.Read()
	if !errors.Is(err, ErrTooLarge) || !strings.HasPrefix(err.Error(), "cannot read a message") {
		t.Errorf("read: %v", err)
	}
}

// A peer may die at any byte of a frame: the reader gets a clear error and keeps no descriptor.
func TestCutAtEveryByte(t *testing.T) {
	frame := append(binary.BigEndian.AppendUint32(nil, 6), "abcdef"...)
	for cut := 1; cut < len(frame); cut++ {
		a, fd := half(t)
		p := make([]int, 2)
		if err := unix.Pipe(p); err != nil {
			t.Fatal(err)
		}
		if err := unix.Sendmsg(fd, frame[:cut], unix.UnixRights(p[1]), nil, 0); err != nil {
			t.Fatal(err)
		}
		unix.Close(p[1])
		unix.Close(fd)
		if _, err := a.Read(); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("cut at %d: %v", cut, err)
		}
		// All write ends are closed exactly when the reader of the pipe sees its end.
		if n, err := unix.Read(p[0], make([]byte, 1)); n != 0 || err != nil {
			t.Errorf("cut at %d: the descriptor is still open (%d, %v)", cut, n, err)
		}
		unix.Close(p[0])
	}
}

func TestTooManyDescriptorsAreClosed(t *testing.T) {
	a, fd := half(t)
	p := make([]int, 2)
	if err := unix.Pipe(p); err != nil {
		t.Fatal(err)
	}
	many := make([]int, MaxFDs+3)
	for i := range many {
		many[i] = p[1]
	}
	if err := unix.Sendmsg(fd, []byte{0, 0, 0, 0}, unix.UnixRights(many...), nil, 0); err != nil {
		t.Fatal(err)
	}
	unix.Close(p[1])
	if _, err := a.Read(); !errors.Is(err, ErrTooLarge) {
		t.Errorf("read: %v", err)
	}
	if n, err := unix.Read(p[0], make([]byte, 1)); n != 0 || err != nil {
		t.Errorf("a descriptor is still open (%d, %v)", n, err)
	}
	unix.Close(p[0])
	unix.Close(fd)
}

func TestCloseWakesReader(t *testing.T) {
	a, _ := pair(t)
	done := make(chan error)
	go func() { _, err := a.Read(); done <- err }()
	a.Close()
	if err := <-done; !errors.Is(err, os.ErrClosed) {
		t.Errorf("read: %v, want os.ErrClosed", err)
	}
	if err := a.Write(Message{Payload: []byte("x")}); !errors.Is(err, os.ErrClosed) {
		t.Errorf("write: %v, want os.ErrClosed", err)
	}
}

func TestWriteToTheDead(t *testing.T) {
	a, fd := half(t)
	unix.Close(fd)
	if err := a.Write(Message{Payload: []byte("x")}); !errors.Is(err, unix.EPIPE) {
		t.Errorf("write: %v, want EPIPE", err)
	}
}

func TestNewRefusesWhatIsNoSocket(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	defer r.Close()
	if _, err := New(int(r.Fd())); !errors.Is(err, unix.ENOTSOCK) {
		t.Errorf("a pipe: %v, want ENOTSOCK", err)
	}
}

// script is a source that delivers bytes in pieces as a fuzzer dictates, with
// real descriptors now and then.
type script struct {
	data  []byte
	plan  []byte
	given []int
}

func (s *script) recv(p []byte) (received, error) {
	if len(s.data) == 0 {
		return received{}, io.EOF
	}
	var step byte
	if len(s.plan) > 0 {
		step, s.plan = s.plan[0], s.plan[1:]
	}
	n := min(len(p), len(s.data), int(step%16)+1)
	copy(p, s.data[:n])
	s.data = s.data[n:]
	r := received{n: n, lost: step&0x80 != 0}
	for range int(step >> 4 & 3) {
		fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return r, err
		}
		s.given = append(s.given, fd)
		r.fds = append(r.fds, fd)
	}
	return r, nil
}

// Whatever bytes come, in whatever pieces: no panic, no payload that was not
// announced, no descriptor kept open by a refused message.
func FuzzDecode(f *testing.F) {
	f.Add([]byte{0, 0, 0, 2, 'h', 'i'}, []byte{0x10, 1})
	f.Add([]byte{0, 0, 0, 0}, []byte{0x91})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff}, []byte{})
	f.Add([]byte{0, 0, 0, 9, 'x'}, []byte{3, 0x23})
	f.Fuzz(func(t *testing.T, data, plan []byte) {
		src := &script{data: data, plan: plan}
		kept := map[int]bool{}
		for {
			m, err := decode(src)
			if len(m.Payload) > len(data) {
				t.Fatalf("%d bytes of payload from %d", len(m.Payload), len(data))
			}
			for _, fd := range m.FDs {
				kept[fd] = true
			}
			if err != nil && !errors.Is(err, ErrFDsLost) {
				break
			}
			if err != nil && m.FDs != nil {
				t.Fatal("descriptors together with an error")
			}
		}
		for fd := range kept {
			if !isOpen(fd) {
				t.Errorf("descriptor %d of a delivered message is closed", fd)
			}
			unix.Close(fd)
		}
		for _, fd := range src.given {
			if !kept[fd] && isOpen(fd) {
				t.Errorf("descriptor %d of a refused message is open", fd)
			}
		}
	})
}

func BenchmarkRoundTrip(b *testing.B) {
	x, y := pair(b)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			m, err := y.Read()
			if err != nil || y.Write(m) != nil {
				return
			}
		}
	})
	m := Message{Payload: make([]byte, 200)}
	for b.Loop() {
		if err := x.Write(m); err != nil {
			b.Fatal(err)
		}
		if _, err := x.Read(); err != nil {
			b.Fatal(err)
		}
	}
	x.Close()
	wg.Wait()
}
