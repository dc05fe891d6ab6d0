package channel

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// TestAbandon: what a program that ends could not act upon is read by its successor.
func TestAbandon(t *testing.T) {
	ours, theirs, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	kept := copyOf(t, ours)
	if _, err := theirs.WriteString("{\"n\":1}\n"); err != nil {
		t.Fatal(err)
	}
	first, err := New(ours, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Serve(func(Event) { first.Abandon() }); err != nil {
		t.Fatal(err)
	}
	second, err := New(kept, Options{Resumed: true})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	if err := second.Serve(func(e Event) {
		got = append(got, string(e.JSON))
		if err := second.Close(); err != nil {
			t.Error(err)
		}
	}); err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got[0] != `{"n":1}` {
		t.Errorf("the successor got %q", got)
	}
}

func copyOf(t *testing.T, f *os.File) *os.File {
	t.Helper()
	raw, err := f.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	fd := -1
	if e := raw.Control(func(n uintptr) { fd, err = unix.FcntlInt(n, unix.F_DUPFD_CLOEXEC, 3) }); e != nil || err != nil {
		t.Fatal(e, err)
	}
	return os.NewFile(uintptr(fd), "copy")
}
