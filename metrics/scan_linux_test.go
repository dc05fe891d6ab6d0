package metrics

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/shirou/gopsutil/v3/process"
	"golang.org/x/sys/unix"
)

func TestScanAgreesWithGopsutil(t *testing.T) {
	tab, err := scan(nil)
	if err != nil {
		t.Fatal(err)
	}
	i, ok := tab.find(os.Getpid())
	if !ok || tab.procs[i].ppid != os.Getppid() || tab.procs[i].born <= 0 || tab.procs[i].born > tab.now {
		t.Fatalf("own line %+v of %d at %v", tab.procs[i], len(tab.procs), tab.now)
	}
	p, err := process.NewProcess(int32(os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	mem, err := p.MemoryInfo()
	if ratio := float64(tab.procs[i].rss) / float64(mem.RSS); err != nil || ratio < 0.5 || ratio > 2 {
		t.Errorf("rss %d, gopsutil says %d, %v", tab.procs[i].rss, mem.RSS, err)
	}
}

func TestDetailMemory(t *testing.T) {
	u := New().Detail(t.Context(), os.Getpid())
	if u.PSS <= 0 || u.Heap <= 0 || u.Heap > u.RSS*2 || u.PSS > u.RSS*2 {
		t.Errorf("detail %+v", u)
	}
}

func TestSumMaps(t *testing.T) {
	pss, heap := sumMaps([]process.MemoryMapsStat{
		{Path: "[heap]", Rss: 10, Pss: 5}, {Path: "0", Rss: 20, Pss: 20}, {Path: "[anon:v8]", Rss: 1, Pss: 1},
		{Path: "[stack]", Rss: 100, Pss: 1}, {Path: "/lib/libc.so", Rss: 100, Pss: 2},
	})
	if pss != 29<<10 || heap != 31<<10 {
		t.Errorf("pss %d heap %d", pss, heap)
	}
}

// BenchmarkSample looks at 5,000 processes; the machine must allow as many.
func BenchmarkSample(b *testing.B) {
	if testing.Short() {
		b.Skip("starts 5,000 processes")
	}
	roots := map[int][]int{}
	for id := range 5000 {
		cmd := exec.Command("sleep", "600")
		if err := cmd.Start(); err != nil {
			b.Skipf("cannot start process %d: %v", id, err)
		}
		roots[id] = []int{cmd.Process.Pid}
		b.Cleanup(func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		})
	}
	s := New()
	before := cpuTime(b)
	for b.Loop() {
		s.last.at = s.last.at.Add(-fresh)
		if got := len(s.Sample(b.Context(), roots)); got != len(roots) {
			b.Fatalf("%d of %d trees", got, len(roots))
		}
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/look")
	b.ReportMetric(float64((cpuTime(b)-before).Milliseconds())/float64(b.N), "cpu-ms/look")
}

// cpuTime is what this process consumed: unlike wall time, it means something on a busy machine.
func cpuTime(b *testing.B) time.Duration {
	var ru unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &ru); err != nil {
		b.Fatal(err)
	}
	return time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
}
