package proc

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gpm/app"
	"gpm/master"
)

// patience is how long a test waits for what should happen within moments.
const patience = 20 * time.Second

// host is a real master in this process, with a supervisor of one real program.
type host struct {
	*Supervisor
	t       *testing.T
	table   *master.Table
	watcher *Watcher
	trees   *Trees
	cgroups *Cgroups
	argv    []string
	program string // of the test binary; "" when argv is another program
	whole   bool   // stop the whole tree
	name    string // in treeVar

	said    chan string // lines of output
	readers sync.WaitGroup
	files   []*os.File
}

// newHost supervises a program; change may alter the host and the policy.
func newHost(t *testing.T, program string, change func(*host, *app.Policy)) *host {
	t.Helper()
	table, err := master.NewTable(master.Options{Home: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	h := &host{
		t: t, table: table, watcher: NewWatcher(table.Exits()), trees: NewTrees(table.PID()),
		argv: []string{exe}, program: program, whole: true, said: make(chan string, 1000),
		name: fmt.Sprintf("%s-%d-%d", t.Name(), os.Getpid(), time.Now().UnixNano()),
	}
	policy := app.DefaultPolicy()
	policy.KillSignal, policy.NoAutorestart = "SIGTERM", true
	if change != nil {
		change(h, &policy)
	}
	h.Supervisor = New(Config{Status: app.Status{ID: 3, Name: "real"}, Policy: policy, Launcher: h})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { h.watcher.Run(ctx) })
	running.Go(func() { h.Run(ctx) })
	t.Cleanup(func() {
		h.sweep()
		cancel()
		running.Wait()
		h.close()
	})
	return h
}

// close ends what the table and the readers hold. What is left of the children is
// a zombie that nobody but us can reap.
func (h *host) close() {
	if err := h.table.Close(); err != nil {
		h.t.Error(err)
	}
	for _, f := range h.files {
		f.Close()
	}
	h.readers.Wait()
	if err := h.cgroups.Close(); err != nil {
		h.t.Error(err)
	}
	pids, _ := childrenOf(os.Getpid())
	for _, pid := range pids {
		if st, ok := readStat(pid); ok && st.dead {
			unix.Wait4(pid, nil, unix.WNOHANG, nil)
		}
	}
}

// sweep kills by pid what a failed test has left, even if it forks.
func (h *host) sweep() {
	for range 100 {
		pids := h.alive()
		for _, pid := range pids {
			syscall.Kill(pid, syscall.SIGKILL)
		}
		if len(pids) == 0 {
			return
		}
	}
}

func (h *host) Launch(ctx context.Context, seq uint64) (Child, error) {
	key := fmt.Sprintf("3:%d", seq)
	mark := Mark(h.name, 3, seq)
	env := append(os.Environ(), programVar+"="+h.program, treeVar+"="+h.name, mark)
	dir := h.cgroups.Make(fmt.Sprintf("3.%d", seq))
	s, err := h.table.Spawn(ctx, master.Spawn{
		Key: key, Path: h.argv[0], Argv: h.argv, Env: env, Dir: "/", Cgroup: dir,
	})
	if err != nil {
		return nil, err
	}
	h.listen(s.Stdout)
	h.listen(s.Stderr)
	cfg := ChildConfig{Host: h.table, Exits: h.watcher, Key: key, PID: s.PID, Start: s.Start}
	if h.whole {
		cfg.Tree = h.trees.Tree(s.PID, s.Start, mark, dir)
		if (cfg.Tree.group != "") != (dir != "") {
			h.t.Errorf("born in %q, tree believes in %q", dir, cfg.Tree.group)
		}
	}
	return NewChild(cfg), nil
}

// listen forwards lines until the file is closed or ends.
func (h *host) listen(f *os.File) {
	h.files = append(h.files, f)
	h.readers.Go(func() {
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			select {
			case h.said <- lines.Text():
			default: // nobody listens any more
			}
		}
		if err := lines.Err(); err != nil && !errors.Is(err, os.ErrClosed) && !errors.Is(err, io.EOF) {
			h.t.Error(err)
		}
	})
}

// hear waits for a program to announce itself and returns its pid.
func (h *host) hear(name string) int {
	h.t.Helper()
	for {
		select {
		case line := <-h.said:
			var pid int
			if n, _ := fmt.Sscanf(line, name+" %d", &pid); n == 1 {
				return pid
			}
			h.t.Logf("said: %s", line)
		case <-time.After(patience):
			h.t.Fatalf("%s does not come up", name)
		}
	}
}

// until waits for a condition of real processes.
func (h *host) until(what string, ok func() bool) {
	h.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for limit := time.After(patience); !ok(); {
		select {
		case <-tick.C:
		case <-limit:
			h.t.Fatalf("waited in vain: %s; %+v", what, h.Status())
		}
	}
}

// alive lists the processes of this test, found by the test's own mark.
func (h *host) alive() []int {
	var pids []int
	for _, pid := range allPIDs() {
		env, err := os.ReadFile(procFile(pid, "environ"))
		if err == nil && bytes.Contains(env, []byte(treeVar+"="+h.name)) && isAlive(pid) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// isAlive reads the state letter itself: neither absent nor a zombie.
func isAlive(pid int) bool {
	b, err := os.ReadFile(procFile(pid, "stat"))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	return !strings.HasPrefix(rest, "Z") && !strings.HasPrefix(rest, "X")
}

// start starts the program; must is for commands that have to succeed.
func (h *host) start() app.Status {
	h.t.Helper()
	return h.must(h.Start(h.t.Context(), "test"))
}

func (h *host) must(st app.Status, err error) app.Status {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
	return st
}

// stop stops it and checks that nothing is left.
func (h *host) stop() app.Status {
	h.t.Helper()
	st := h.must(h.Stop(h.t.Context(), "test"))
	if left := h.alive(); len(left) > 0 {
		h.t.Errorf("stopped, but %d processes live on: %v", len(left), left)
	}
	return st
}

// bothWays runs a test with a cgroup and without.
func bothWays(t *testing.T, test func(t *testing.T, cgroups func(*host))) {
	t.Run("walk", func(t *testing.T) { test(t, func(*host) {}) })
	t.Run("cgroup", func(t *testing.T) {
		c, err := OpenCgroups(t.TempDir())
		if err != nil {
			t.Skip(err)
		}
		test(t, func(h *host) { h.cgroups = c })
	})
}
