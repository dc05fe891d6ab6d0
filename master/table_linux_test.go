package master

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"gpm/ipc/frame"
)

// hosts runs a test on a Table, on a Table without pidfds, and on a Link to one.
func hosts(t *testing.T, test func(t *testing.T, h Host)) {
	t.Run("table", func(t *testing.T) { test(t, newTable(t, Options{})) })
	t.Run("sweep", func(t *testing.T) { test(t, newTable(t, Options{sweep: true})) })
	t.Run("link", func(t *testing.T) { test(t, newLink(t, newTable(t, Options{}))) })
}

// newLink serves a table to a Link, both in this process.
func newLink(t testing.TB, table *Table) *Link {
	t.Helper()
	conn, fd, err := frame.Pair()
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := frame.New(fd)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- Serve(context.Background(), conn, table, 0, patience) }()
	l := Dial(theirs, nil)
	t.Cleanup(func() {
		l.Close()
		if err := <-served; !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) { // with something unread
			t.Errorf("serve: %v", err)
		}
	})
	return l
}

func TestExitCodesAndSignals(t *testing.T) {
	hosts(t, func(t *testing.T, h Host) {
		for _, c := range []struct {
			mode string
			want Exit
		}{
			{"exit 0", Exit{Code: 0}},
			{"exit 42", Exit{Code: 42}},
			{"exit 255", Exit{Code: 255}},
			{"raise 11", Exit{Code: -1, Signal: 11}},
			{"raise 6", Exit{Code: -1, Signal: 6}},
			{"raise 9", Exit{Code: -1, Signal: 9}},
			{"raise 15", Exit{Code: -1, Signal: 15}},
		} {
			p := spawnIt(t, h, self(t, c.mode, c.mode))
			e := exitOf(t, h, c.mode)
			if e.PID != p.PID || e.Code != c.want.Code || e.Signal != c.want.Signal || e.Unknown || e.At.IsZero() {
				t.Errorf("%s: %+v", c.mode, e)
			}
		}
	})
}

func TestUsageIsReported(t *testing.T) {
	h := newTable(t, Options{})
	spawnIt(t, h, self(t, "k", "burn 64"))
	e := exitOf(t, h, "k")
	if e.MaxRSS < 64<<20 || e.MaxRSS > 512<<20 || e.CPUTime < 20e6 {
		t.Errorf("max rss %d, cpu time %v", e.MaxRSS, e.CPUTime)
	}
}

func TestSpawnErrorsKeepTheirErrno(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	garbage := file("garbage", "\x7fELF nonsense", 0o700)
	plain := file("plain", "text", 0o600)
	script := file("script", "#!/no/such/interpreter\n", 0o700)
	hosts(t, func(t *testing.T, h Host) {
		for _, c := range []struct {
			path, dir string
			want      syscall.Errno
			text      string
		}{
			{"/no/such/file", "", syscall.ENOENT, `cannot start "/no/such/file": no such file`},
			{plain, "", syscall.EACCES, "permission denied"},
			{dir, "", syscall.EACCES, "permission denied"},
			{garbage, "", syscall.ENOEXEC, "exec format error"},
			{script, "", syscall.ENOENT, "interpreter it names is missing"},
			{"/bin/true", "/no/such/dir", syscall.ENOENT, `cannot enter directory "/no/such/dir"`},
			{"/bin/true", plain, syscall.ENOTDIR, "is not a directory"},
		} {
			for _, limits := range []bool{false, true} { // directly and by the trampoline
				s := Spawn{Key: "k", Path: c.path, Argv: []string{"x"}, Dir: c.dir}
				if limits {
					s.Nice = new(1)
				}
				_, err := h.Spawn(t.Context(), s)
				if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
					t.Errorf("%s in %q (limits %v): %v", c.path, c.dir, limits, err)
				}
			}
		}
		list, err := h.List(t.Context())
		if err != nil || len(list.Children) != 0 {
			t.Errorf("after the failures: %+v, %v", list, err)
		}
	})
}

func TestZombieIsKeptUntilRelease(t *testing.T) {
	hosts(t, func(t *testing.T, h Host) {
		ctx := t.Context()
		p := spawnIt(t, h, self(t, "k", "exit 3"))
		nextExit(t, h)
		if s := state(p.PID); s != 'Z' {
			t.Errorf("state before release: %q", s)
		}
		list, _ := h.List(ctx)
		if len(list.Children) != 1 || list.Children[0].Exit == nil || list.Children[0].Exit.Code != 3 || list.Children[0].Start != p.Start {
			t.Errorf("list: %+v", list.Children)
		}
		if err := h.Signal(ctx, "k", 15, true); !errors.Is(err, os.ErrProcessDone) {
			t.Errorf("signal: %v", err)
		}
		if err := h.Release(ctx, "k"); err != nil {
			t.Error(err)
		}
		if s := state(p.PID); s != 0 {
			t.Errorf("state after release: %q", s)
		}
		for verb, err := range map[string]error{
			"release": h.Release(ctx, "k"), "signal": h.Signal(ctx, "k", 15, false), "attach": attachErr(h.Attach(ctx, "k")),
		} {
			if !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s after release: %v", verb, err)
			}
		}
	})
}

func attachErr(_ Spawned, err error) error { return err }

func TestRunningChildIsNotReleasedNorReplaced(t *testing.T) {
	hosts(t, func(t *testing.T, h Host) {
		p := spawnIt(t, h, self(t, "k", "wait"))
		if err := h.Release(t.Context(), "k"); !errors.Is(err, ErrNotEnded) {
			t.Errorf("release: %v", err)
		}
		if _, err := h.Spawn(t.Context(), self(t, "k", "wait")); !errors.Is(err, fs.ErrExist) {
			t.Errorf("second spawn: %v", err)
		}
		if err := h.Shutdown(t.Context()); !errors.Is(err, ErrChildren) {
			t.Errorf("shutdown: %v", err)
		}
		if err := h.Signal(t.Context(), "k", 9, false); err != nil {
			t.Error(err)
		}
		if e := exitOf(t, h, "k"); e.Signal != 9 || e.PID != p.PID {
			t.Errorf("%+v", e)
		}
		if err := h.Shutdown(t.Context()); err != nil {
			t.Errorf("shutdown without children: %v", err)
		}
	})
}

func TestSignalToGroupReachesGrandchildren(t *testing.T) {
	hosts(t, func(t *testing.T, h Host) {
		p := spawnIt(t, h, self(t, "k", "nested"))
		var nested int
		fmt.Sscan(firstLine(t, p), &nested)
		if err := h.Signal(t.Context(), "k", 9, false); err != nil {
			t.Fatal(err)
		}
		nextExit(t, h)
		if s := state(nested); s == 0 || s == 'Z' {
			t.Fatalf("grandchild is gone already: %q", s)
		}
		// The leader is a zombie; the rest of its group is still reached.
		if err := h.Signal(t.Context(), "k", 9, true); !errors.Is(err, os.ErrProcessDone) {
			t.Error(err)
		}
		until(t, "grandchild ends", func() bool { s := state(nested); return s == 0 || s == 'Z' })
		_ = h.Release(t.Context(), "k")
	})
}

func TestStdinAndAttach(t *testing.T) {
	hosts(t, func(t *testing.T, h Host) {
		s := self(t, "k", "cat")
		s.Stdin = true
		p := spawnIt(t, h, s)
		fmt.Fprintln(p.Stdin, "one")
		if got := firstLine(t, p); got != "one" {
			t.Errorf("got %q", got)
		}
		closeAll(p) // the daemon dies
		q, err := h.Attach(t.Context(), "k")
		if err != nil || q.PID != p.PID || q.Start != p.Start || q.Start == 0 {
			t.Fatalf("%+v, %v", q, err)
		}
		defer closeAll(q)
		fmt.Fprintln(q.Stdin, "two")
		if got := firstLine(t, q); got != "two" {
			t.Errorf("got %q", got)
		}
	})
}

func TestHoldTakeDrop(t *testing.T) {
	hosts(t, func(t *testing.T, h Host) {
		ctx := t.Context()
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if err := h.Hold(ctx, "pipe", w); err != nil {
			t.Fatal(err)
		}
		w.Close()
		got, err := h.Take(ctx, "pipe")
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(got, "through")
		got.Close()
		if list, _ := h.List(ctx); !slices.Equal(list.Held, []string{"pipe"}) {
			t.Errorf("held: %q", list.Held)
		}
		if err := h.Drop(ctx, "pipe", "unknown"); err != nil {
			t.Error(err)
		}
		if text, err := io.ReadAll(r); err != nil || string(text) != "through" { // ends when the last copy is closed
			t.Errorf("%q, %v", text, err)
		}
		if _, err := h.Take(ctx, "pipe"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("take after drop: %v", err)
		}
	})
}

func TestNotes(t *testing.T) {
	hosts(t, func(t *testing.T, h Host) {
		ctx := t.Context()
		steps := []map[string][]byte{{"a": []byte("1"), "b": {}, "c": {0xff, 0}}, {"a": []byte("2"), "c": nil}}
		for _, notes := range steps {
			if err := h.Note(ctx, notes); err != nil {
				t.Fatal(err)
			}
		}
		list, err := h.List(ctx)
		if err != nil || len(list.Notes) != 2 || string(list.Notes["a"]) != "2" || list.Notes["b"] == nil {
			t.Errorf("%q, %v", list.Notes, err)
		}
	})
}

func TestChildInheritsOnlyWhatItIsGiven(t *testing.T) {
	hosts(t, func(t *testing.T, h Host) {
		spawnIt(t, h, self(t, "other", "wait"))
		f, err := os.Open("/etc/passwd")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := h.Hold(t.Context(), "file", f); err != nil {
			t.Fatal(err)
		}
		for key, nice := range map[string]*int{"direct": nil, "trampoline": new(1)} {
			s := self(t, key, "self")
			s.Files, s.Nice = map[int]string{5: "file"}, nice
			r := report(t, spawnIt(t, h, s))
			if len(r.Files) != 4 || r.Files[0] != "/dev/null" || r.Files[5] != "/etc/passwd" ||
				!strings.HasPrefix(r.Files[1], "pipe:") || !strings.HasPrefix(r.Files[2], "pipe:") || r.Files[1] == r.Files[2] {
				t.Errorf("%s: descriptors %v", key, r.Files)
			}
			if r.SID != r.PID || r.Args[0] != "child-"+key {
				t.Errorf("%s: session %d of process %d, args %q", key, r.SID, r.PID, r.Args)
			}
			exitOf(t, h, key)
		}
		missing := self(t, "missing", "wait")
		missing.Files = map[int]string{3: "nothing"}
		if _, err := h.Spawn(t.Context(), missing); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("unknown name: %v", err)
		}
	})
}

func TestLargeEnvironment(t *testing.T) {
	hosts(t, func(t *testing.T, h Host) {
		for _, nice := range []*int{nil, new(1)} {
			s := self(t, "k", "env")
			for i := range 16 {
				s.Env = append(s.Env, fmt.Sprintf("BIG%d=%s", i, strings.Repeat("é\xff", 40_000)))
			}
			s.Nice = nice
			want := len(strings.Join(s.Env, "\x00"))
			p := spawnIt(t, h, s)
			exitOf(t, h, "k")
			got, _ := io.ReadAll(p.Stdout)
			if string(got) != fmt.Sprint(want) {
				t.Errorf("environment of %s bytes, want %d", got, want)
			}
			s.Env = append(s.Env, "HUGE="+strings.Repeat("x", 200<<10))
			if _, err := h.Spawn(t.Context(), s); !errors.Is(err, syscall.E2BIG) {
				t.Errorf("too long: %v", err)
			}
		}
	})
}

func TestStartOrderAndConcurrency(t *testing.T) {
	hosts(t, func(t *testing.T, h Host) {
		const n = 40
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() {
				s := self(t, fmt.Sprint(i), fmt.Sprintf("exit %d", i))
				p, err := h.Spawn(t.Context(), s)
				if err != nil {
					t.Error(err)
				}
				closeAll(p)
			})
		}
		seen := map[string]bool{}
		for range n {
			e := nextExit(t, h)
			if e.Key != fmt.Sprint(e.Code) || seen[e.Key] {
				t.Errorf("%+v", e)
			}
			seen[e.Key] = true
		}
		wg.Wait()
		for key := range seen {
			if err := h.Release(t.Context(), key); err != nil {
				t.Error(err)
			}
		}
	})
}

// After everything was released nothing of it is left in this process.
func TestNoDescriptorIsLeft(t *testing.T) {
	h := newLink(t, newTable(t, Options{}))
	round := func() {
		for _, s := range []Spawn{self(t, "a", "exit 0"), {Key: "b", Path: "/none", Argv: []string{"x"}}, self(t, "c", "exit 0")} {
			s.Stdin = true
			if s.Key == "c" {
				s.Nice = new(3)
			}
			p, err := h.Spawn(t.Context(), s)
			closeAll(p)
			if err == nil {
				exitOf(t, h, s.Key)
			}
		}
	}
	round()
	before := openFiles(t)
	for range 5 {
		round()
	}
	until(t, "descriptors are closed", func() bool { return openFiles(t) <= before })
}

func openFiles(t testing.TB) int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func TestCgroupOrWithout(t *testing.T) {
	h := newTable(t, Options{})
	s := self(t, "k", "wait")
	s.Cgroup = "/no/such/group"
	spawnIt(t, h, s) // runs all the same
	const root = "/sys/fs/cgroup/unified"
	dir, err := os.MkdirTemp(root, "gpm-test-")
	if err != nil {
		t.Skip("no cgroup can be made: ", err)
	}
	t.Cleanup(func() { until(t, "cgroup is removed", func() bool { return os.Remove(dir) == nil }) })
	s.Key, s.Cgroup = "born", dir
	p := spawnIt(t, h, s)
	procs, _ := os.ReadFile(dir + "/cgroup.procs")
	if strings.TrimSpace(string(procs)) != fmt.Sprint(p.PID) {
		t.Errorf("the group has %q, want %d", procs, p.PID)
	}
	s.Key, s.Path = "missing", "/no/such/file"
	if _, err := h.Spawn(t.Context(), s); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("missing file: %v", err)
	}
	_ = unix.Kill(-p.PID, unix.SIGKILL)
	exitOf(t, h, "born")
}

func TestWithoutProc(t *testing.T) {
	m := pipeMaker{home: t.TempDir()}
	for range 2 {
		ours, child, err := m.fifo()
		if err != nil {
			t.Fatal(err)
		}
		_, _ = unix.Write(child, []byte("ok"))
		unix.Close(child)
		b := make([]byte, 9)
		if n, err := unix.Read(ours, b); err != nil || string(b[:n]) != "ok" {
			t.Errorf("%q, %v", b[:n], err)
		}
		unix.Close(ours)
	}
	if left, _ := filepath.Glob(m.home + "/run/*"); len(left) != 0 {
		t.Errorf("left behind: %q", left)
	}
}
