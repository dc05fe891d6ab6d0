package master

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gpm/ipc/frame"
)

// serveRaw serves a table; the other end is a raw descriptor.
func serveRaw(t *testing.T, table *Table, beat time.Duration) (fd int, served chan error) {
	t.Helper()
	conn, fd, err := frame.Pair()
	if err != nil {
		t.Fatal(err)
	}
	served = make(chan error, 1)
	go func() { served <- Serve(context.Background(), conn, table, 0, beat) }()
	return fd, served
}

func waitServed(t *testing.T, served chan error) error {
	t.Helper()
	select {
	case err := <-served:
		return err
	case <-time.After(patience):
		t.Fatal("Serve does not end")
	}
	return nil
}

// A daemon may die at any byte of a request: the master loses nothing and keeps no descriptor of it.
func TestRequestCutAtEveryByte(t *testing.T) {
	table := newTable(t, Options{})
	data, err := json.Marshal(request{ID: 1, Op: opHold, Key: "cut"})
	if err != nil {
		t.Fatal(err)
	}
	whole := append(binary.BigEndian.AppendUint32(nil, uint32(len(data))), data...)
	for cut := 1; cut <= len(whole); cut++ {
		fd, served := serveRaw(t, table, patience)
		var p [2]int
		if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
		if err := unix.Sendmsg(fd, whole[:cut], unix.UnixRights(p[1]), nil, 0); err != nil {
			t.Fatal(err)
		}
		closeFDs(p[1], fd)
		if err := waitServed(t, served); err == nil {
			t.Errorf("cut at %d: no error", cut)
		}
		list, _ := table.List(t.Context())
		if kept := len(list.Held) == 1; kept != (cut == len(whole)) {
			t.Errorf("cut at %d: held %q", cut, list.Held)
		}
		_ = table.Drop(t.Context(), "cut")
		if n, err := unix.Read(p[0], make([]byte, 1)); n != 0 || err != nil { // the end: no copy is open
			t.Errorf("cut at %d: the descriptor is open (%d, %v)", cut, n, err)
		}
		closeFDs(p[0])
	}
}

func TestUnhealthyDaemonIsCutOff(t *testing.T) {
	table := newTable(t, Options{})
	fd, served := serveRaw(t, table, 20*time.Millisecond)
	conn, err := frame.New(fd)
	if err != nil {
		t.Fatal(err)
	}
	healthy, block := make(chan struct{}), make(chan struct{})
	beats := 0
	l := Dial(conn, func() {
		if beats++; beats > 5 {
			<-block
		}
		if beats == 5 {
			close(healthy)
		}
	})
	<-healthy // five beats went well
	if err := waitServed(t, served); !errors.Is(err, errHung) {
		t.Errorf("serve: %v", err)
	}
	<-l.Gone()
	close(block)
	l.Close()
}

func TestMasterIsGone(t *testing.T) {
	table := newTable(t, Options{})
	fd, served := serveRaw(t, table, patience)
	conn, err := frame.New(fd)
	if err != nil {
		t.Fatal(err)
	}
	l := Dial(conn, nil)
	if l.PID() != os.Getpid() {
		t.Errorf("pid %d", l.PID())
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("enough")
	cancel(cause)
	if _, err := l.List(ctx); err != nil && !errors.Is(err, cause) {
		t.Errorf("cancelled: %v", err)
	}
	l.conn.Close()
	<-l.Gone()
	_ = waitServed(t, served)
	if _, err := l.List(t.Context()); !errors.Is(err, ErrGone) || !strings.HasPrefix(err.Error(), "cannot ask the master to list") {
		t.Errorf("list: %v", err)
	}
	if _, ok := <-l.Exits(); ok {
		t.Error("an exit from nowhere")
	}
	l.Close()
}

// Each daemon hears of every child that has ended and is not released.
func TestNextLinkHearsOfOldExits(t *testing.T) {
	table := newTable(t, Options{})
	first := newLink(t, table)
	for _, key := range []string{"a", "b"} {
		spawnIt(t, first, self(t, key, "exit 1"))
		nextExit(t, first)
	}
	second := newLink(t, table)
	for _, key := range []string{"a", "b"} {
		exitOf(t, second, key)
	}
	third := newLink(t, table)
	if list, err := third.List(t.Context()); err != nil || len(list.Children) != 0 {
		t.Errorf("%+v, %v", list.Children, err)
	}
	select {
	case e := <-third.Exits():
		t.Errorf("a released child's exit: %+v", e)
	default:
	}
}

func TestStoppingReachesEveryLink(t *testing.T) {
	table := newTable(t, Options{})
	before := newLink(t, table)
	table.Stop()
	table.Stop()
	after := newLink(t, table)
	<-before.Stopping()
	<-after.Stopping()
	<-table.Stopping()
}
