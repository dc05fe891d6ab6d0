package master

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// BenchmarkSpawn starts, sees the end of, and releases /bin/true over the link.
func BenchmarkSpawn(b *testing.B) {
	for _, c := range []struct {
		name string
		nice *int
	}{{"direct", nil}, {"trampoline", new(0)}} {
		b.Run(c.name, func(b *testing.B) {
			h := newLink(b, newTable(b, Options{}))
			s := Spawn{Key: "k", Path: "/bin/true", Argv: []string{"true"}, Nice: c.nice}
			for b.Loop() {
				p, err := h.Spawn(b.Context(), s)
				if err != nil {
					b.Fatal(err)
				}
				closeAll(p)
				exitOf(b, h, "k")
			}
		})
	}
}

// BenchmarkSpawn100 starts 100 children at once over the link.
func BenchmarkSpawn100(b *testing.B) {
	h := newLink(b, newTable(b, Options{}))
	for b.Loop() {
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				p, err := h.Spawn(b.Context(), Spawn{Key: fmt.Sprint(i), Path: "/bin/sleep", Argv: []string{"sleep", "1000"}})
				if err != nil {
					b.Error(err)
				}
				closeAll(p)
			})
		}
		wg.Wait()
		b.StopTimer()
		list, _ := h.List(b.Context())
		for _, c := range list.Children {
			_ = unix.Kill(c.PID, unix.SIGKILL)
		}
		for range 100 {
			_ = h.Release(b.Context(), nextExit(b, h).Key)
		}
		b.StartTimer()
	}
}

// BenchmarkMasterMemory reports the memory of a master process with children.
func BenchmarkMasterMemory(b *testing.B) {
	for _, n := range []int{0, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				daemon := "keep DIR"
				for i := range n {
					daemon += fmt.Sprintf(" k%d=sleep", i)
				}
				m := startMaster(b, "", time.Second, daemon)
				m.nextDaemon(0)
				b.ReportMetric(float64(memory(b, m.cmd.Process.Pid, "Pss")), "KiB-PSS")
				b.ReportMetric(float64(memory(b, m.cmd.Process.Pid, "Private_Dirty")), "KiB-private")
				_ = m.cmd.Process.Signal(unix.SIGTERM)
				m.exitCode()
			}
		})
	}
}

// memory is a line of /proc/PID/smaps_rollup in KiB.
func memory(b *testing.B, pid int, name string) (kib int) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			fmt.Sscan(rest, &kib)
		}
	}
	return kib
}
