package metrics

import (
	"net"
	"os"
	"testing"
)

func TestListens(t *testing.T) {
	s := New()
	if s.Listens(t.Context(), []int{os.Getpid()}) {
		t.Skip("something in this process listens already")
	}
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if !s.Listens(t.Context(), []int{os.Getpid()}) {
		t.Error("a socket that accepts connections is not seen")
	}
}
