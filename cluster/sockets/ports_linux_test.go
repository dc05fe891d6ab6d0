package sockets

import (
	"net"
	"os"
	"slices"
	"testing"
)

// TestPorts: a port is seen as long as it listens, as ours and as that of a tree we are in.
func TestPorts(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	look := func() []bool {
		p, ok := LookAtPorts()
		if !ok {
			t.Fatal("cannot look")
		}
		return []bool{
			slices.Contains(ListeningPorts(), port), slices.Contains(p.Of(os.Getpid()), port),
			slices.Contains(p.OfTree(os.Getppid()), port), slices.Contains(p.Of(os.Getppid()), port),
		}
	}
	if got := look(); !slices.Equal(got, []bool{true, true, true, false}) {
		t.Errorf("while it listens: %v", got)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if got := look(); slices.Contains(got, true) {
		t.Errorf("when it is closed: %v", got)
	}
}
