package metrics

import (
	"bufio"
	"context"
	"errors"
	"io"
	"math"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shirou/gopsutil/v3/net"

	"gpm/app"
)

// TestMain lets the test binary be the process that is measured: it starts as many
// descendants in a row as the variable has letters, says "up", and ends with its stdin.
func TestMain(m *testing.M) {
	if depth := os.Getenv("GPM_METRICS_CHILD"); depth != "" {
		runChild(depth[1:])
		return
	}
	os.Exit(m.Run())
}

func runChild(deeper string) {
	if deeper == "" {
		os.Stdout.WriteString("up\n")
		_, _ = io.Copy(io.Discard, os.Stdin)
		return
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "GPM_METRICS_CHILD="+deeper)
	cmd.Stdin, cmd.Stdout = os.Stdin, os.Stdout
	_ = cmd.Run()
}

// startTree starts a chain of processes and returns its root and what ends it.
func startTree(t *testing.T, depth string) (pid int, end func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "GPM_METRICS_CHILD="+depth)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	end = sync.OnceFunc(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	t.Cleanup(end)
	if lines := bufio.NewScanner(out); !lines.Scan() || lines.Text() != "up" {
		t.Fatal("the tree did not come up")
	}
	return cmd.Process.Pid, end
}

func TestRealTree(t *testing.T) {
	pid, end := startTree(t, "xxx")
	s := New()
	u := s.Sample(t.Context(), map[int][]int{5: {pid, pid}, 6: {1 << 30}})
	if len(u) != 1 || u[5].Processes != 3 || u[5].RSS < 3<<20 || u[5].Threads < 3 {
		t.Errorf("usage %+v, want one of three processes", u)
	}
	end()
	if u := New().Sample(t.Context(), map[int][]int{5: {pid}}); len(u) != 0 {
		t.Errorf("usage of a tree that is gone: %+v", u)
	}
}

func TestOwnUsage(t *testing.T) {
	s := New()
	roots := map[int][]int{0: {os.Getpid()}}
	for begin := time.Now(); ; {
		if u := s.Sample(t.Context(), roots)[0]; u.CPU > 0 && u.CPUTimeMS > 0 {
			break
		}
		if time.Since(begin) > 20*time.Second {
			t.Fatal("a busy process has no CPU time")
		}
	}
	u := s.Detail(t.Context(), os.Getpid())
	if u.RSS <= 0 || u.Files < 3 || u.Processes < 1 {
		t.Errorf("detail %+v", u)
	}
	if u := s.Detail(t.Context(), 1<<30); u != (app.Usage{}) {
		t.Errorf("detail of nothing: %+v", u)
	}
}

// fake is a process table that a test sets.
type fake struct {
	table
	err   error
	scans atomic.Int32
}

func (f *fake) scan([]proc) (table, error) {
	f.scans.Add(1)
	return table{procs: slices.Clone(f.procs), now: f.now}, f.err
}

func near(a, b float64) bool { return math.Abs(a-b) < 0.01 }

func TestCPU(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		s := &Sampler{scan: f.scan}
		sec := time.Second
		cpu := func(procs ...proc) float64 {
			f.procs = procs
			return s.Sample(context.Background(), map[int][]int{1: {10}})[1].CPU
		}
		f.now = 100 * sec
		if got := cpu(proc{pid: 10, born: 80 * sec, cpu: 5 * sec}, proc{pid: 11, ppid: 10, born: 90 * sec, cpu: 5 * sec}); !near(got, 50) {
			t.Errorf("first look: %v %%, want 50: 10 s in 20 s", got)
		}
		<-time.After(2 * sec)
		f.now += 2 * sec
		if got := cpu(proc{pid: 10, born: 80 * sec, cpu: 6 * sec}, proc{pid: 12, ppid: 10, born: 101 * sec, cpu: sec}); !near(got, 100) {
			t.Errorf("second look: %v %%, want 100: 1 s of the old and 1 s of a new process in 2 s", got)
		}
		<-time.After(sec / 2)
		f.now += sec / 2
		if got := cpu(proc{pid: 10, born: 80 * sec, cpu: 60 * sec}); !near(got, 100) || f.scans.Load() != 2 {
			t.Errorf("within a second: %v %% after %d scans, want the sample before", got, f.scans.Load())
		}
		<-time.After(sec)
		f.now += sec
		if got := cpu(proc{pid: 10, born: 102 * sec, cpu: sec}); !near(got, 100*1/1.5) {
			t.Errorf("the pid was used again: %v %%, want the average of the new process, 66.67", got)
		}
		f.err = errors.New("no /proc")
		<-time.After(2 * sec)
		if got := cpu(); !near(got, 100*1/1.5) {
			t.Errorf("after a scan that failed: %v %%", got)
		}
	})
}

func TestFreshness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{table: table{procs: []proc{{pid: 10, rss: 5}}}}
		s := &Sampler{scan: f.scan}
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() { s.Sample(t.Context(), map[int][]int{1: {10}}) })
		}
		wg.Wait()
		if n := f.scans.Load(); n != 1 {
			t.Errorf("50 looks at once took %d scans", n)
		}
		<-time.After(500 * time.Millisecond)
		f.procs = []proc{{pid: 10, rss: 6}, {pid: 20, rss: 7}}
		got := s.Sample(t.Context(), map[int][]int{1: {10}, 2: {20}})
		if got[2].RSS != 7 || f.scans.Load() != 2 {
			t.Errorf("a process that is new is not seen: %+v", got)
		}
		if s.Sample(t.Context(), map[int][]int{3: {30}}); f.scans.Load() != 2 {
			t.Error("a process that does not exist makes every look a scan")
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		<-time.After(time.Minute)
		if s.Sample(ended, nil); f.scans.Load() != 2 {
			t.Error("a look that nobody waits for made a scan")
		}
	})
}

func TestTree(t *testing.T) {
	tab := table{procs: []proc{
		{pid: 1, ppid: 0}, {pid: 5, ppid: 9}, {pid: 6, ppid: 5}, {pid: 7, ppid: 5}, {pid: 8, ppid: 7},
		{pid: 9, ppid: 1, born: 50}, {pid: 20, ppid: 20}, {pid: 21, ppid: 20},
	}}
	tab.link()
	pids := func(roots ...int) (out []int) {
		for _, i := range tab.tree(roots) {
			out = append(out, tab.procs[i].pid)
		}
		slices.Sort(out)
		return out
	}
	for _, c := range []struct{ roots, want []int }{
		{[]int{5}, []int{5, 6, 7, 8}},
		{[]int{5, 7, 99}, []int{5, 6, 7, 8}},
		{[]int{9}, []int{9}}, // 5 is older than its "parent": pid 9 was used again
		{[]int{20}, []int{20, 21}},
		{nil, nil},
	} {
		if got := pids(c.roots...); !reflect.DeepEqual(got, c.want) {
			t.Errorf("tree(%v) = %v, want %v", c.roots, got, c.want)
		}
	}
}

func TestHost(t *testing.T) {
	s := New()
	h := s.Host(t.Context())
	if h.CPU < 0 || h.CPU > 100 || h.Memory <= 0 || h.Memory > 100 || h.MemoryTotal < h.MemoryAvailable {
		t.Errorf("host %+v", h)
	}
	if again := s.Host(t.Context()); !reflect.DeepEqual(again, h) {
		t.Errorf("two looks at once differ: %+v %+v", h, again)
	}
}

func TestRates(t *testing.T) {
	before := counters{at: time.Unix(100, 0), busy: 10, all: 40, diskRead: 1000, diskWrite: 500, nets: map[string]net.IOCountersStat{"eth0": {BytesRecv: 100, Errin: 1}}}
	now := counters{at: time.Unix(110, 0), busy: 15, all: 60, diskRead: 3000, diskWrite: 100, nets: map[string]net.IOCountersStat{"eth0": {BytesRecv: 1100, Errin: 3}}}
	h := rates(before, now)
	if h.CPU != 25 || h.DiskRead != 200 || h.DiskWrite != 0 || len(h.Nets) != 1 || h.Nets[0].Received != 100 || h.Nets[0].ErrorsIn != 12 {
		t.Errorf("rates %+v", h)
	}
	if disks := wholeDisks([]string{"loop0", "ram1", "sda", "sda1", "sdb", "vda"}); !reflect.DeepEqual(disks, []string{"sda", "sdb", "vda"}) {
		t.Errorf("disks %v", disks)
	}
}

func BenchmarkHost(b *testing.B) {
	for b.Loop() {
		count(b.Context())
	}
}
