package logs

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const benchLines, benchLength = 2_000_000, 92 // lines of 100 bytes

// BenchmarkCat is what BenchmarkPump has to beat: program | cat > file.
func BenchmarkCat(b *testing.B) {
	for b.Loop() {
		r, w := newPipe(b)
		file, err := os.Create(filepath.Join(b.TempDir(), "out"))
		if err != nil {
			b.Fatal(err)
		}
		cat := exec.Command("cat")
		cat.Stdin, cat.Stdout = r, file
		if err := cat.Start(); err != nil {
			b.Fatal(err)
		}
		_ = r.Close()
		start := time.Now()
		wait := run(b, w, fmt.Sprintf("flood %d %d", benchLines, benchLength))
		wait()
		if err := cat.Wait(); err != nil {
			b.Fatal(err)
		}
		report(b, file.Name(), start, cat.ProcessState.UserTime()+cat.ProcessState.SystemTime())
		_ = file.Close()
	}
}

func BenchmarkPump(b *testing.B) { benchmarkPump(b, Target{}) }

// BenchmarkPumpStamped has a time before each line.
func BenchmarkPumpStamped(b *testing.B) {
	benchmarkPump(b, Target{Format: &Format{Layout: "2006-01-02 15:04:05.000"}, Key: "k"})
}

func benchmarkPump(b *testing.B, target Target) {
	b.Helper()
	p := newPump(b, Options{})
	for b.Loop() {
		path := filepath.Join(b.TempDir(), "out")
		target.Path = path
		s, w := attachTo(b, p, target)
		start, before := time.Now(), cpuTime(b)
		wait := run(b, w, fmt.Sprintf("flood %d %d", benchLines, benchLength))
		wait()
		s.Drain(time.Minute)
		report(b, path, start, cpuTime(b)-before)
	}
}

func report(b *testing.B, path string, start time.Time, cpu time.Duration) {
	b.Helper()
	took := time.Since(start)
	st, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	mb := float64(st.Size()) / 1e6
	b.ReportMetric(mb/took.Seconds(), "MB/s")
	b.ReportMetric(float64(cpu.Microseconds())/mb, "µs-cpu/MB")
	if err := os.Remove(path); err != nil {
		b.Fatal(err)
	}
}

// cpuTime is what this process has used, the pump's threads included.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkHundredQuietApps measures the pump's share of a core while 100 streams
// print 1000 lines a second each.
func BenchmarkHundredQuietApps(b *testing.B) {
	p := newPump(b, Options{})
	dir := b.TempDir()
	var writers []*os.File
	for i := range 100 {
		_, w := attach(b, p, filepath.Join(dir, fmt.Sprint(i)))
		writers = append(writers, w)
	}
	for b.Loop() {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), fmt.Sprintf("%s=paced %d", childVar, len(writers)))
		cmd.ExtraFiles = writers
		start, before := time.Now(), cpuTime(b)
		if err := cmd.Run(); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(cpuTime(b)-before)/float64(time.Since(start))*100, "%core")
	}
}
