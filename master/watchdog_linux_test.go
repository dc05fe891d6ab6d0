package master

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"
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
		w := watchdog{interval: interval, delay: func() time.Duration { return sum }}
		gaveUp, told := 0, 0
		for i, wait := range c.waits {
			sum += wait
			switch w.judge(i + 1) {
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
	w := watchdog{interval: interval, delay: func() time.Duration { t.Error("it looked at a daemon that answers"); return 0 }}
	for range 5 {
		if w.judge(1) != beating {
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

// TestRunDelay: who competes for a processor is seen to wait.
func TestRunDelay(t *testing.T) {
	if _, err := os.Stat("/proc/self/schedstat"); err != nil {
		t.Skip("this kernel does not count it")
	}
	var cpus unix.CPUSet
	if err := unix.SchedGetaffinity(0, &cpus); err != nil {
		t.Fatal(err)
	}
	first := 0
	for !cpus.IsSet(first) {
		first++
	}
	var one unix.CPUSet
	one.Set(first)
	start := func(script string) int {
		cmd := exec.CommandContext(t.Context(), "sh", "-c", script)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
		if err := unix.SchedSetaffinity(cmd.Process.Pid, &one); err != nil {
			t.Fatal(err)
		}
		return cmd.Process.Pid
	}
	rivals := []int{start("while :; do :; done"), start("while :; do :; done")}
	for begin := time.Now(); runDelay(rivals[0]) < 100*time.Millisecond; <-time.After(10 * time.Millisecond) {
		if time.Since(begin) > patience {
			t.Fatalf("two processes on one processor: one has waited %v", runDelay(rivals[0]))
		}
	}
}
