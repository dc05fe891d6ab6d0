package sockets

import (
	"io"
	"net"
	"testing"
)

// answering accepts connections and says who has accepted them, until the test ends.
func answering(t *testing.T, l net.Listener, who string) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(conn, who)
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
}

// listenPlain listens by TCP, as Node does, where Go would by MPTCP.
func listenPlain(t *testing.T) net.Listener {
	t.Helper()
	var c net.ListenConfig
	c.SetMultipathTCP(false)
	l, err := c.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestBorrow: a group that begins with the socket of another program serves beside it, and after it.
func TestBorrow(t *testing.T) {
	old := listenPlain(t)
	answering(t, old, "old")
	at := Address{Host: "127.0.0.1", Port: old.Addr().(*net.TCPAddr).Port}
	g, err := Borrow(at, -2, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Close() })
	fd, err := g.Join(0)
	if err != nil {
		t.Fatal(err)
	}
	f, err := File(fd, "mine")
	if err != nil {
		t.Fatal(err)
	}
	mine, err := net.FileListener(f)
	if err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	answering(t, mine, "new")

	expect := func(live int, who string) {
		t.Helper()
		if err := g.Steer([]int{live}, Evenly); err != nil {
			t.Fatal(err)
		}
		for range 20 {
			conn, err := net.Dial("tcp", old.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(conn); err != nil || string(got) != who {
				t.Fatalf("%q answers, %v, want %q", got, err, who)
			}
			_ = conn.Close()
		}
	}
	expect(-2, "old")
	expect(0, "new")
	_ = old.Close()
	expect(0, "new")
	if err := g.Return(-2); err != nil {
		t.Fatal(err)
	}
	expect(0, "new")
}

// TestBorrowOther: what listens somewhere else is not taken for it.
func TestBorrowOther(t *testing.T) {
	l := listenPlain(t)
	defer l.Close()
	for _, host := range []string{"", "0.0.0.0", "127.0.0.2", "::1"} {
		if g, err := Borrow(Address{Host: host, Port: l.Addr().(*net.TCPAddr).Port}, -2, 0); err == nil {
			_ = g.Close()
			t.Errorf("%q was borrowed", host)
		}
	}
}
