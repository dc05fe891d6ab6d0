package proc

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"gpm/app"
)

func TestStopEndsTheTree(t *testing.T) {
	for _, program := range []string{"sleep", "setsid", "daemon"} {
		t.Run(program, func(t *testing.T) {
			bothWays(t, func(t *testing.T, cgroups func(*host)) {
				h := newHost(t, program, func(h *host, _ *app.Policy) { cgroups(h) })
				h.start()
				h.hear("sleep")
				if st := h.stop(); st.Exit.Signal != "SIGTERM" || st.Exit.By != "test" || st.State != app.Stopped {
					t.Errorf("unexpected end: %+v", st.Exit)
				}
			})
		})
	}
}

func TestStopOfStubborn(t *testing.T) {
	bothWays(t, func(t *testing.T, cgroups func(*host)) {
		h := newHost(t, "stubborn", func(h *host, p *app.Policy) {
			cgroups(h)
			p.KillTimeout = 100 * time.Millisecond
		})
		h.start()
		h.hear("stubborn")
		if st := h.stop(); st.Exit.Signal != "SIGKILL" || st.Exit.OOM {
			t.Errorf("unexpected end: %+v", st.Exit)
		}
	})
}

// TestWiped is a descendant that left the session, has no mark, and outlives its
// parent: it must have been seen before.
func TestWiped(t *testing.T) {
	bothWays(t, func(t *testing.T, cgroups func(*host)) {
		h := newHost(t, "wiped", func(h *host, p *app.Policy) {
			cgroups(h)
			p.KillTimeout = 100 * time.Millisecond
		})
		h.start()
		pid := h.hear("stubborn")
		t.Cleanup(func() {
			if isAlive(pid) {
				syscall.Kill(pid, syscall.SIGKILL)
			}
		})
		if h.stop(); isAlive(pid) {
			t.Errorf("process %d lives on", pid)
		}
	})
}

func TestForkBomb(t *testing.T) {
	// Every one of 200 shells in sessions of their own forks on as long as it lives; a bomb that
	// is not defused ends by itself.
	const bomb = `
		spawner='i=0; while [ $i -lt 10 ]; do sleep 1 & sleep 0.5; i=$((i+1)); done'
		trap "" TERM INT
		n=0; while [ $n -lt 200 ]; do setsid sh -c "$spawner" & n=$((n+1)); done
		wait`
	bothWays(t, func(t *testing.T, cgroups func(*host)) {
		h := newHost(t, "", func(h *host, p *app.Policy) {
			cgroups(h)
			p.KillTimeout = 0
			h.argv = []string{"/bin/sh", "-c", bomb}
		})
		h.start()
		h.until("200 processes", func() bool { return len(h.alive()) > 200 })
		h.stop()
	})
}

// TestCrashLeavesNothing checks that what a crashed leader leaves behind is gone
// before its end is reported.
func TestCrashLeavesNothing(t *testing.T) {
	bothWays(t, func(t *testing.T, cgroups func(*host)) {
		h := newHost(t, "crash", func(h *host, _ *app.Policy) { cgroups(h) })
		h.start()
		h.until("stopped", func() bool { return h.Status().State == app.Stopped })
		if st := h.Status(); st.Exit.Code != 3 || st.Exit.PeakRSS == 0 {
			t.Errorf("unexpected end: %+v", st.Exit)
		}
		if left := h.alive(); len(left) > 0 {
			t.Errorf("%d processes live on", len(left))
		}
	})
}

// TestWrapperDrains checks that a server behind a wrapper ends in good order.
func TestWrapperDrains(t *testing.T) {
	bothWays(t, func(t *testing.T, cgroups func(*host)) {
		file := filepath.Join(t.TempDir(), "drained")
		h := newHost(t, "wrapper "+file, func(h *host, _ *app.Policy) { cgroups(h) })
		h.start()
		h.hear("drain")
		h.stop()
		if _, err := os.Stat(file); err != nil {
			t.Errorf("the server was not left in peace: %v", err)
		}
	})
}

func TestRestartsOfRealProcess(t *testing.T) {
	bothWays(t, func(t *testing.T, cgroups func(*host)) {
		h := newHost(t, "exit 7", func(h *host, p *app.Policy) {
			cgroups(h)
			p.NoAutorestart, p.MaxRestarts, p.BackoffFirst = false, 3, time.Millisecond
		})
		h.start()
		h.until("given up", func() bool { return h.Status().State == app.Errored })
		if st := h.Status(); st.Exit.Code != 7 || st.Restarts != 2 || st.Seq != 3 {
			t.Errorf("unexpected status: %+v, %+v", st, st.Exit)
		}
	})
}

func TestMissingProgram(t *testing.T) {
	h := newHost(t, "", func(h *host, _ *app.Policy) { h.argv = []string{"/nonexistent/program"} })
	if st := h.start(); st.State != app.Errored || st.Exit.SpawnError == "" {
		t.Errorf("unexpected status: %+v", st)
	}
}

func TestLeaderOnly(t *testing.T) {
	h := newHost(t, "setsid", func(h *host, _ *app.Policy) { h.whole = false })
	h.start()
	pid := h.hear("sleep")
	h.must(h.Stop(t.Context(), "test"))
	if left := h.alive(); !slices.Equal(left, []int{pid}) {
		t.Errorf("got %v, want only the grandchild %d", left, pid)
	}
}

// TestForeignLeader looks for the tree of a leader that is not a child of the
// master: nothing but the mark leads to its orphans then.
func TestForeignLeader(t *testing.T) {
	h := newHost(t, "daemon", func(h *host, _ *app.Policy) { h.trees = NewTrees(1) })
	h.start()
	h.hear("sleep")
	h.stop()
}

// TestReusedPID checks that a signal meant for an earlier process of a pid does
// not reach the present one.
func TestReusedPID(t *testing.T) {
	h := newHost(t, "sleep", nil)
	st := h.start()
	h.hear("sleep")
	earlier := member{st.PID, st.Start - 1}
	if err := earlier.signal(syscall.SIGKILL); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("got %v, want that it is done", err)
	}
	if !isAlive(st.PID) {
		t.Error("a stranger was killed")
	}
	if err := (member{st.PID, st.Start}).signal(syscall.SIGKILL); err != nil {
		t.Error(err)
	}
	h.until("stopped", func() bool { return h.Status().State == app.Stopped })
	h.stop()
}

// TestWithoutKernelList compares the fallback for kernels that do not list
// children with the list.
func TestWithoutKernelList(t *testing.T) {
	h := newHost(t, "setsid", nil)
	st := h.start()
	grandchild := h.hear("sleep")
	w := walkAll()
	if got := w.children(st.PID); !slices.Equal(got, []int{grandchild}) {
		t.Errorf("children of %d: got %v, want %d", st.PID, got, grandchild)
	}
	if got := w.children(os.Getpid()); !slices.Contains(got, st.PID) {
		t.Errorf("our children %v miss %d", got, st.PID)
	}
	h.stop()
}

func TestDeepestFirst(t *testing.T) {
	got := deepestFirst(map[member]int{{10, 1}: 1, {30, 1}: 20, {20, 1}: 10, {40, 1}: 1, {50, 1}: 50})
	want := []int{50, 30, 20, 10, 40}
	for i, pid := range want {
		if got[i].pid != pid {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
}

// TestAbandonedKill checks that a kill whose daemon ends does not claim success,
// yet leaves nobody merely frozen.
func TestAbandonedKill(t *testing.T) {
	h := newHost(t, "setsid", nil)
	st := h.start()
	grandchild := h.hear("sleep")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	tree := h.trees.Tree(st.PID, st.Start, "", "")
	if err := tree.killMembers(ctx); err == nil {
		t.Error("no error although nobody waited for the end")
	}
	h.until("grandchild killed", func() bool { return !isAlive(grandchild) })
	h.stop()
}
