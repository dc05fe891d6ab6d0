package master

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestSuccession: what a dead master kept reaches the next one by the daemon of the first, with what the daemon of
// before had taken from it.
func TestSuccession(t *testing.T) {
	home := filepath.Join(t.TempDir(), strings.Repeat("long", 40)) // no address of a socket has room for that
	if err := os.Mkdir(home, 0o700); err != nil {
		t.Fatal(err)
	}
	dead := newTable(t, Options{})
	r, w := pipeFiles(t)
	if err := dead.Hold(t.Context(), "old", w); err != nil {
		t.Fatal(err)
	}
	_ = dead.Note(t.Context(), map[string][]byte{"before": []byte("1"), "gone": []byte("1"), RollbackNote: []byte("why")})
	daemon := newLink(t, dead)
	takeEverything(t, daemon)
	_ = daemon.Hold(t.Context(), "new", w)
	_ = daemon.Hold(t.Context(), "dropped", w)
	_ = daemon.Drop(t.Context(), "dropped")
	_ = daemon.Note(t.Context(), map[string][]byte{"gone": nil, "later": []byte("2")})
	daemon.conn.Close()
	<-daemon.Gone()
	last(t, daemon, w)

	s, err := OpenSuccession(home)
	if err != nil {
		t.Fatal(err)
	}
	stray, err := atSocket(s.path, func(fd int, at unix.Sockaddr) error { return unix.Connect(fd, at) })
	if err != nil {
		t.Fatal(err)
	}
	_ = unix.Close(stray) // who goes again is no heir
	next := newTable(t, Options{})
	fetched := make(chan error, 1)
	go func() { fetched <- next.inherit(home) }()
	if err := daemon.Bequeath(s, patience); err != nil {
		t.Error(err)
	}
	if err := <-fetched; err != nil {
		t.Fatal(err)
	}
	checkHeir(t, next, "last", "new", "old")
	for _, f := range []*os.File{take(t, next, "old"), w} {
		f.Close()
	}
	dead.kept.close()
	daemon.copy.close()
	_ = next.Drop(t.Context(), "old", "new", "last")
	if n, err := r.Read(make([]byte, 1)); n != 0 || err == nil { // blocks while a copy is open
		t.Errorf("read %d, %v", n, err)
	}
	if err := next.Serving(t.Context()); err != nil {
		t.Fatal(err)
	}
	if inv, _ := next.List(t.Context()); inv.Heir {
		t.Error("an heir still, though a daemon has served")
	}
	if _, err := os.Lstat(s.path); err == nil {
		t.Error("the socket is left")
	}
}

func takeEverything(t *testing.T, daemon *Link) {
	t.Helper()
	if _, err := daemon.List(t.Context()); err != nil {
		t.Fatal(err)
	}
	f, err := daemon.Take(t.Context(), "old")
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
}

// last keeps something when the master is gone already.
func last(t *testing.T, daemon *Link, w *os.File) {
	t.Helper()
	if err := daemon.Hold(t.Context(), "last", w); err != nil {
		t.Error(err)
	}
	if err := daemon.Note(t.Context(), map[string][]byte{"last": []byte("3")}); err != nil {
		t.Error(err)
	}
	if err := daemon.Drop(t.Context(), "unknown"); err != nil {
		t.Error(err)
	}
}

func checkHeir(t *testing.T, next *Table, names ...string) {
	t.Helper()
	inv, _ := next.List(t.Context())
	if !inv.Heir || strings.Join(inv.Held, " ") != strings.Join(names, " ") {
		t.Errorf("%+v", inv)
	}
	if n := inv.Notes; len(n) != 3 || string(n["before"]) != "1" || string(n["later"]) != "2" || string(n["last"]) != "3" {
		t.Errorf("notes %q", n)
	}
}

func take(t *testing.T, table *Table, name string) *os.File {
	t.Helper()
	f, err := table.Take(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func pipeFiles(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	_ = r.SetReadDeadline(time.Now().Add(patience))
	return r, w
}

// TestNoSuccession: nobody there, a daemon that ended without a word, and one that ended in the middle leave nothing.
func TestNoSuccession(t *testing.T) {
	home := t.TempDir()
	next := newTable(t, Options{})
	if err := next.inherit(home); err != nil {
		t.Errorf("nobody there: %v", err)
	}
	s, err := OpenSuccession(home)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Close(s.fd); err != nil { // as the kernel does for one that was killed
		t.Fatal(err)
	}
	if err := next.inherit(home); err != nil {
		t.Errorf("nobody listens: %v", err)
	}
	if s, err = OpenSuccession(home); err != nil { // in spite of the old socket
		t.Fatal(err)
	}
	fetched := make(chan error, 1)
	go func() { fetched <- next.inherit(home) }()
	fd, _, err := unix.Accept(s.fd)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Write(fd, []byte("\x00\x00\x00\x40{")); err != nil {
		t.Fatal(err)
	}
	_ = unix.Close(fd)
	if err := <-fetched; err == nil {
		t.Error("half a message is no error")
	}
	if inv, _ := next.List(t.Context()); inv.Heir || len(inv.Held)+len(inv.Notes) > 0 {
		t.Errorf("%+v", inv)
	}
	link := newLink(t, newTable(t, Options{}))
	if err := link.Bequeath(s, time.Millisecond); err == nil {
		t.Error("nobody came, and no error")
	}
}

// TestSuccessionOfNothing: a daemon that has nothing yet says so, and does not wait for another heir.
func TestSuccessionOfNothing(t *testing.T) {
	home := t.TempDir()
	s, err := OpenSuccession(home)
	if err != nil {
		t.Fatal(err)
	}
	daemon, next := newLink(t, newTable(t, Options{})), newTable(t, Options{})
	fetched := make(chan error, 1)
	go func() { fetched <- next.inherit(home) }()
	if err := errors.Join(daemon.Bequeath(s, patience), <-fetched); err != nil {
		t.Error(err)
	}
	if inv, _ := next.List(t.Context()); !inv.Heir || len(inv.Held)+len(inv.Notes) > 0 {
		t.Errorf("%+v", inv)
	}
}
