package sockets

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// open is a group with the slots given, closed at the end of the test.
func open(t testing.TB, a Address, slots ...int) *Group {
	t.Helper()
	g := NewGroup(a, PerSlot, 0)
	t.Cleanup(func() { g.Close() })
	for _, slot := range slots {
		if _, err := g.Join(slot); err != nil {
			t.Fatal(err)
		}
	}
	return g
}

var loopback = Address{Host: "127.0.0.1"}

// dial makes connections and returns how many wait in each slot's queue.
func dial(t testing.TB, g *Group, count int) map[int]int {
	t.Helper()
	for range count {
		c, err := net.Dial("tcp", g.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
	}
	return queues(t, g)
}

func queues(t testing.TB, g *Group) map[int]int {
	t.Helper()
	out := map[int]int{}
	for _, slot := range g.Slots() {
		n, limit, err := g.Queue(slot)
		if err != nil || limit != DefaultBacklog {
			t.Fatalf("queue of slot %d: limit %d, %v", slot, limit, err)
		}
		if n > 0 {
			out[slot] = n
		}
	}
	return out
}

func TestSteerKeepsConnectionsFromADeadSlot(t *testing.T) {
	g := open(t, loopback, 0, 1, 2)
	for _, live := range [][]int{{0, 1, 2}, {0, 2}, {1}, {0, 1, 2}} {
		before := queues(t, g)
		if err := g.Steer(live, Evenly); err != nil {
			t.Fatal(err)
		}
		after := dial(t, g, 100)
		for slot, n := range after {
			got := n - before[slot]
			if slices.Contains(live, slot) && got < 100/len(live)/3 || !slices.Contains(live, slot) && got != 0 {
				t.Errorf("live %v: slot %d got %d of 100", live, slot, got)
			}
		}
	}
}

func TestByClientSticks(t *testing.T) {
	for _, host := range []string{"127.0.0.1", ""} {
		g := open(t, Address{Host: host}, 0, 2, 4)
		if err := g.Steer([]int{0, 2, 4}, ByClient); err != nil {
			t.Fatal(err)
		}
		used := map[int]bool{}
		for client := range 20 {
			before := queues(t, g)
			for range 4 {
				from := &net.TCPAddr{IP: net.IPv4(127, 0, byte(client), 9)}
				d := net.Dialer{LocalAddr: from}
				c, err := d.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", g.Addr().Port()))
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
			}
			for slot, n := range queues(t, g) {
				if n != before[slot] {
					used[slot] = true
					if n-before[slot] != 4 {
						t.Fatalf("client %d: before %v, now %v", client, before, queues(t, g))
					}
				}
			}
		}
		if len(used) != 3 {
			t.Errorf("20 clients used slots %v only", used)
		}
	}
}

// TestTheKernelAgreesOnTheOrder: after any joins and leaves, steering to one slot reaches it.
func TestTheKernelAgreesOnTheOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		g := open(t, loopback, 0)
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			slot := rapid.IntRange(0, 5).Draw(rt, "slot")
			if _, err := g.Socket(slot); err != nil {
				if _, err := g.Join(slot); err != nil {
					rt.Fatal(err)
				}
			} else if len(g.Slots()) > 1 {
				if err := g.Leave(slot); err != nil {
					rt.Fatal(err)
				}
			}
		}
		for _, slot := range g.Slots() {
			if err := g.Steer([]int{slot}, Evenly); err != nil {
				rt.Fatal(err)
			}
			c, err := net.Dial("tcp", g.Addr().String())
			if err != nil {
				rt.Fatal(err)
			}
			n, err := g.Drain(slot, func(fd int) error { return unix.Close(fd) })
			c.Close()
			if n != 1 || err != nil {
				rt.Fatalf("order %v: slot %d got %d connections, %v", g.order, slot, n, err)
			}
		}
		g.Close()
	})
}

// TestForeignListenersAreInTheWay, even those that would share.
func TestForeignListenersAreInTheWay(t *testing.T) {
	for _, reuse := range []bool{false, true} {
		lc := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
			return raw.Control(func(fd uintptr) {
				if reuse {
					unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
				}
			})
		}}
		l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		for _, host := range []string{"127.0.0.1", ""} {
			a := Address{Host: host, Port: port}
			_, err = NewGroup(a, PerSlot, 0).Join(0)
			if !errors.Is(err, syscall.EADDRINUSE) {
				t.Errorf("reuse %v, %s: %v", reuse, a, err)
			}
			holders, err := FindHolders(a)
			if err != nil || len(holders) != 1 || holders[0].PID != os.Getpid() || !strings.Contains(holders[0].Command, "sockets.test") {
				t.Errorf("holders of %s: %+v, %v", a, holders, err)
			}
		}
		l.Close()
		if _, err := open(t, Address{Host: "127.0.0.1", Port: port}).Join(0); err != nil {
			t.Error(err)
		}
	}
}

// TestTwoGroupsDoNotShare: another app of ours is a foreign listener too.
func TestTwoGroupsDoNotShare(t *testing.T) {
	g := open(t, loopback, 0, 1)
	other := NewGroup(Address{Host: "127.0.0.1", Port: int(g.Addr().Port())}, PerSlot, 0)
	if _, err := other.Join(0); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("got %v", err)
	}
}

func TestAPortWithOldConnectionsIsFree(t *testing.T) {
	g := open(t, loopback, 0)
	client, err := net.Dial("tcp", g.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var conn int
	g.Drain(0, func(fd int) error { conn = fd; return nil })
	port := int(g.Addr().Port())
	g.Close()
	unix.Close(conn) // the server closes first: its side stays in FIN_WAIT or TIME_WAIT
	open(t, Address{Host: "127.0.0.1", Port: port}, 0, 1)
}

func TestFamilies(t *testing.T) {
	for _, c := range []struct {
		a      Address
		v4, v6 bool
	}{
		{Address{}, true, true},
		{Address{Host: "::"}, true, true},
		{Address{Host: "::", Family: IPv6Only}, false, true},
		{Address{Host: "0.0.0.0"}, true, false},
		{Address{Host: "::1"}, false, true},
		{Address{Family: IPv4}, true, false},
	} {
		g := open(t, c.a, 0, 1)
		for addr, want := range map[string]bool{"127.0.0.1": c.v4, "::1": c.v6} {
			conn, err := net.Dial("tcp", net.JoinHostPort(addr, strconv.Itoa(int(g.Addr().Port()))))
			if (err == nil) != want {
				t.Errorf("%+v from %s: %v", c.a, addr, err)
			}
			if err == nil {
				conn.Close()
			}
		}
	}
	for host, want := range map[string]error{"nonsense": syscall.EINVAL, "192.0.2.1": syscall.EADDRNOTAVAIL} {
		if _, err := NewGroup(Address{Host: host}, PerSlot, 0).Join(0); !errors.Is(err, want) {
			t.Errorf("%s: %v", host, err)
		}
	}
}

// TestRetireResetsNobody: while clients connect all the time, slots are scaled down and up,
// and what waited in their queues is served by a sibling.
func TestRetireResetsNobody(t *testing.T) {
	g := open(t, loopback, 0, 1, 2)
	stop := make(chan struct{})
	var failed, done atomic.Int64
	var clients, servers sync.WaitGroup
	serve(t, &servers, g, 0, stop) // slots 1 and 2 have no worker at all: theirs must be drained
	for range 8 {
		clients.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := talk(g.Addr().String()); err != nil {
					t.Log(err)
					failed.Add(1)
				}
				done.Add(1)
			}
		})
	}
	for round := range 10 {
		for _, slot := range []int{1, 2} {
			steer(t, g, 0)
			if round > 0 {
				if _, err := g.Join(slot); err != nil {
					t.Fatal(err)
				}
			}
			steer(t, g, 0, slot)
			waitFor(t, func() bool { n, _, err := g.Queue(slot); return err == nil && n > 0 })
			steer(t, g, 0)
			fd, err := g.Socket(slot)
			if err != nil {
				t.Fatal(err)
			}
			if err := Retire(fd, 20*time.Millisecond, nil, answer); err != nil {
				t.Fatal(err)
			}
			if err := g.Leave(slot); err != nil {
				t.Fatal(err)
			}
		}
	}
	close(stop)
	clients.Wait()
	servers.Wait()
	if failed.Load() > 0 {
		t.Errorf("%d of %d failed", failed.Load(), done.Load())
	}
	t.Logf("%d connections", done.Load())
}

func steer(t testing.TB, g *Group, live ...int) {
	t.Helper()
	if err := g.Steer(live, Evenly); err != nil {
		t.Fatal(err)
	}
}

// waitFor polls a published state; each try gives the others a turn.
func waitFor(t testing.TB, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	limit := time.After(30 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatal("waited in vain")
		}
	}
}

// answer is a worker that serves one connection.
func answer(conn int) error {
	defer unix.Close(conn)
	_, err := unix.Write(conn, []byte("hi"))
	return err
}

func serve(t testing.TB, wg *sync.WaitGroup, g *Group, slot int, stop chan struct{}) {
	fd, err := g.Socket(slot)
	if err != nil {
		t.Fatal(err)
	}
	wg.Go(func() {
		for {
			if err := Retire(fd, 10*time.Millisecond, nil, answer); err != nil {
				t.Error(err)
				return
			}
			select {
			case <-stop:
				return
			default:
			}
		}
	})
}

func talk(addr string) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	got, err := io.ReadAll(c)
	if err == nil && string(got) != "hi" {
		return fmt.Errorf("got %q", got)
	}
	return err
}

// TestAdopt: the descriptors alone, and the order, are enough to go on.
func TestAdopt(t *testing.T) {
	g := open(t, Address{}, 0, 1, 2)
	if err := g.Leave(0); err != nil {
		t.Fatal(err)
	}
	fds := map[int]int{}
	for _, slot := range g.Slots() {
		fd, err := g.Socket(slot)
		if err != nil {
			t.Fatal(err)
		}
		if fds[slot], err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0); err != nil {
			t.Fatal(err)
		}
	}
	h := g.Held()
	g.Detach()
	again, err := Adopt(h, fds)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if again.Addr() != g.Addr() {
		t.Errorf("at %s, was at %s", again.Addr(), g.Addr())
	}
	for _, slot := range []int{1, 2, 7} {
		if _, err := again.Join(slot); err != nil {
			t.Fatal(err)
		}
		before := queues(t, again)[slot]
		steer(t, again, slot)
		if got := dial(t, again, 5)[slot]; got != before+5 {
			t.Errorf("slot %d got %d of 5", slot, got-before)
		}
	}
	if _, err := Adopt(h, map[int]int{}); !errors.Is(err, ErrNotOpen) {
		t.Errorf("without descriptors: %v", err)
	}
}

// TestAdoptWhatLeft: whoever described the group ended while it closed a socket, before or after its last copy was dropped.
func TestAdoptWhatLeft(t *testing.T) {
	for _, dropped := range []bool{false, true} {
		g := open(t, loopback, 0, 1, 2)
		h, fds := g.Held(), map[int]int{}
		for _, slot := range g.Slots() {
			fd, err := g.Socket(slot)
			if err != nil {
				t.Fatal(err)
			}
			if fds[slot], err = Dup(fd); err != nil {
				t.Fatal(err)
			}
		}
		if err := g.Leave(0); err != nil {
			t.Fatal(err)
		}
		g.Detach()
		if dropped {
			CloseConn(fds[0])
			delete(fds, 0)
		}
		again, err := Adopt(h, fds)
		if err != nil {
			t.Fatal(err)
		}
		steer(t, again, 2)
		if got := dial(t, again, 5); got[2] != 5 || len(again.Slots()) != 2 {
			t.Errorf("of 5 connections to slot 2, and slots %v: %v", again.Slots(), got)
		}
		if err := again.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestUnixPath(t *testing.T) {
	a := Address{Network: Unix, Path: filepath.Join(t.TempDir(), "s"), Readable: true, Writable: true}
	g := open(t, a, 0, 1)
	first, _ := g.Socket(0)
	if second, _ := g.Socket(1); first != second {
		t.Error("two sockets for one path")
	}
	if info, err := os.Stat(a.Path); err != nil || info.Mode().Perm()&0o666 != 0o666 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if _, err := NewGroup(a, PerSlot, 0).Join(0); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("second user: %v", err)
	}
	if holders, err := FindHolders(a); err != nil || len(holders) != 1 || holders[0].PID != os.Getpid() {
		t.Errorf("holders %+v, %v", holders, err)
	}
	if err := g.Leave(0); err != nil {
		t.Fatal(err)
	}
	if c, err := net.Dial("unix", a.Path); err != nil {
		t.Error(err)
	} else {
		c.Close()
	}
	if err := g.Leave(1); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(a.Path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file is left: %v", err)
	}
}

func TestUDPIsShared(t *testing.T) {
	g := open(t, Address{Network: UDP, Host: "127.0.0.1"}, 0, 1)
	first, _ := g.Socket(0)
	if second, _ := g.Socket(1); first != second {
		t.Error("two sockets")
	}
	a := Address{Network: UDP, Host: "127.0.0.1", Port: int(g.Addr().Port())}
	if _, err := NewGroup(a, PerSlot, 0).Join(0); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("second user: %v", err)
	}
	if holders, err := FindHolders(a); err != nil || len(holders) != 1 {
		t.Errorf("holders %+v, %v", holders, err)
	}
	if err := g.Steer([]int{0}, Evenly); err != nil {
		t.Error(err)
	}
}

// TestListenFDs: the child finds its sockets where systemd would put them, and LISTEN_PID
// is its own.
func TestListenFDs(t *testing.T) {
	if os.Getenv("SOCKETS_TEST_EXEC") != "" {
		argv := []string{"sh", "-c", `echo $LISTEN_FDS $LISTEN_FDNAMES $(test $LISTEN_PID = $$ && echo mine); readlink /proc/self/fd/3`}
		t.Fatal(ExecListening("/bin/sh", argv, os.Environ()))
	}
	g := open(t, loopback, 0)
	fd, _ := g.Socket(0)
	dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(dup), "")
	defer f.Close()
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestListenFDs$")
	cmd.Env = ListenEnv(append(os.Environ(), "SOCKETS_TEST_EXEC=1", "LISTEN_PID=1"), 0, []string{"http:80\n"})
	cmd.ExtraFiles = []*os.File{f}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "1 http_80_ mine\nsocket:[") {
		t.Errorf("%v: %s", err, out)
	}
}

// TestUnprivileged runs this package's tests as a user without any right.
func TestUnprivileged(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("this is the unprivileged user")
	}
	dir, err := os.MkdirTemp("", "sockets")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	exe, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/sockets.test", exe, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(dir+"/sockets.test", "-test.count=1")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TMPDIR="+dir, "HOME="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// TestACopyElsewhereDoesNotHoldASocketThatIsLeft: whoever is between fork and exec has copies of all descriptors, so that
// a close takes effect later than it was made, and would change the kernel's order then.
func TestACopyElsewhereDoesNotHoldASocketThatIsLeft(t *testing.T) {
	g := open(t, loopback, 0, 1, 2)
	if err := g.Steer([]int{1, 2}, Evenly); err != nil {
		t.Fatal(err)
	}
	fd, err := g.Socket(0)
	if err != nil {
		t.Fatal(err)
	}
	elsewhere, err := Dup(fd)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(elsewhere)
	if err := g.Leave(0); err != nil {
		t.Fatal(err)
	}
	if err := g.Steer([]int{1, 2}, Evenly); err != nil {
		t.Fatal(err)
	}
	if got := dial(t, g, 40); got[1]+got[2] != 40 {
		t.Errorf("of 40 connections %v came to the slots that are left", got)
	}
}

// TestNobodyIsLedAstrayWhileASlotLeaves: between a slot's leaving and the next program too, nobody comes to a slot that does
// not serve.
func TestNobodyIsLedAstrayWhileASlotLeaves(t *testing.T) {
	g := open(t, loopback, 0, 1, 2, 3)
	steer(t, g, 1, 2, 3)
	var stop atomic.Bool
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for !stop.Load() {
				if c, err := net.Dial("tcp", g.Addr().String()); err == nil { // those of a slot that leaves are reset
					c.(*net.TCPConn).SetLinger(0)
					c.Close()
				}
			}
		})
	}
	for range 50 {
		for _, slot := range []int{1, 2, 3} {
			if err := g.Steady(slot); err != nil {
				t.Fatal(err)
			}
			Settle()
			if err := g.Leave(slot); err != nil {
				t.Fatal(err)
			}
			if _, err := g.Join(slot); err != nil {
				t.Fatal(err)
			}
			steer(t, g, 1, 2, 3)
			for _, other := range []int{1, 2, 3} {
				fd, _ := g.Socket(other)
				if _, err := Drain(fd, func(conn int) error { CloseConn(conn); return nil }); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	stop.Store(true)
	clients.Wait()
	if n, _, err := g.Queue(0); err != nil || n > 0 {
		t.Errorf("%d connections came to the slot that does not serve, %v", n, err)
	}
}
