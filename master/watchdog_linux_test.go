package master

import (
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gpm/ipc/frame"
)

// TestWatchdog: a daemon that starves is given time, but not for ever; one that hangs is not.
func TestWatchdog(t *testing.T) {
	const interval = 5 * time.Second
	for name, c := range map[string]struct {
		waits []time.Duration // for a processor, between one ping and the next
		want  int             // the ping at which it is given up; 0 = never
		told  int             // times that its starving is told
	}{
		"hangs":            {make([]time.Duration, 20), 3, 0},
		"a busy machine":   {fill(20, interval/3), 3, 0},
		"starves":          {fill(20, 2*interval), 3 + lenientFor, 1},
		"starves a while":  {append(fill(6, interval), make([]time.Duration, 9)...), 7, 1},
		"waits only early": {[]time.Duration{interval, interval, 0, 0}, 3, 0},
	} {
		var sum time.Duration
		w := watchdog{delay: func() time.Duration { return sum }}
		var now time.Time
		gaveUp, told := 0, 0
		for i, wait := range c.waits {
			sum, now = sum+wait, now.Add(interval)
			switch w.judge(i+1, now) {
			case hung:
				if gaveUp == 0 {
					gaveUp = i + 1
				}
			case starved:
				told++
			}
		}
		if gaveUp != c.want || told != c.told {
			t.Errorf("%s: given up at ping %d, want %d; told %d times, want %d", name, gaveUp, c.want, told, c.told)
		}
	}
	w := watchdog{delay: func() time.Duration { t.Error("it looked at a daemon that answers"); return 0 }}
	for range 5 {
		if w.judge(1, time.Now()) != beating {
			t.Error("a daemon that answers is judged")
		}
	}
}

func fill(n int, d time.Duration) []time.Duration {
	out := make([]time.Duration, n)
	for i := range out {
		out[i] = d
	}
	return out
}

// TestStarvingDaemon: one that could run but never may is waited for, and given up in the end.
func TestStarvingDaemon(t *testing.T) {
	if _, err := os.Stat("/proc/self/schedstat"); err != nil {
		t.Skip("this kernel does not count who waits for a processor")
	}
	var log strings.Builder
	table := newTable(t, Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	conn, fd, err := frame.Pair()
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	const beat = 200 * time.Millisecond
	pid := rivals(t, 4)
	begin := time.Now()
	if err := Serve(t.Context(), conn, table, pid, beat); !errors.Is(err, errHung) {
		t.Errorf("serve: %v", err)
	}
	if took := time.Since(begin); took < (missedBeats+2)*beat || !strings.Contains(log.String(), "it gets no processor") {
		t.Errorf("given up after %v; log: %s", took, log.String())
	}
}

// rivals starts processes that want the same processor, and returns the pid of one.
func rivals(t *testing.T, n int) (pid int) {
	t.Helper()
	var allowed, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		t.Fatal(err)
	}
	first := 0
	for !allowed.IsSet(first) {
		first++
	}
	one.Set(first)
	for range n {
		cmd := exec.CommandContext(t.Context(), "sh", "-c", "while :; do :; done")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
		if pid = cmd.Process.Pid; unix.SchedSetaffinity(pid, &one) != nil {
			t.Fatal("cannot bind a process to one processor")
		}
	}
	return pid
}
