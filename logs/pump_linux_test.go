package logs

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestKilledPump is the promise of the package: pumps that are killed at random
// moments, one after the other, neither lose nor repeat a byte.
func TestKilledPump(t *testing.T) { killedPumps(t, "pump", 0, rawTarget) }

// TestKilledPumpRotating is the same while files are rotated and compressed.
func TestKilledPumpRotating(t *testing.T) { killedPumps(t, "pump", 50_000, rawTarget) }

// TestKilledPumpFramed is the same with a timestamp before each line and a second file.
func TestKilledPumpFramed(t *testing.T) { killedPumps(t, "pump-framed", 0, framedTarget) }

func TestKilledPumpFramedRotating(t *testing.T) {
	killedPumps(t, "pump-framed", 100_000, framedTarget)
}

func killedPumps(t *testing.T, role string, size int64, target func(string, int64) Target) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "out.log")
	r, w := newPipe(t)
	w = readWrite(t, w)
	cmd, wait := program(t, w, "count-until-eof a")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for range 30 {
		killPump(t, r, fmt.Sprintf("%s=%s %s %d", childVar, role, path, size))
	}
	if err := stdin.Close(); err != nil {
		t.Fatal(err)
	}
	p := newPump(t, Options{})
	s, err := p.Attach(r, target(path, size))
	if err != nil {
		t.Fatal(err)
	}
	wait()
	_ = w.Close()
	s.Drain(drainTime)
	text := unstamp([]byte(readChain(t, path)))
	if all := unstamp([]byte(readChain(t, target(path, 0).Combined))); role == "pump-framed" && !bytes.Equal(all, text) {
		t.Errorf("the combined file has %d bytes of %d", len(all), len(text))
	}
	t.Logf("%d lines over 31 pumps", checkCount(t, text, "a"))
	if !bytes.HasSuffix(text, []byte(" end\n")) {
		t.Errorf("the end is missing: %q", text[max(0, len(text)-40):])
	}
}

// killPump starts a pump in another process and kills it a few milliseconds after
// it began to work.
func killPump(t *testing.T, r *os.File, role string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), role)
	cmd.ExtraFiles = []*os.File{r}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, len("attached\n"))); err != nil {
		t.Error(err)
	}
	<-time.After(time.Duration(rand.IntN(20000)) * time.Microsecond)
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait() // "signal: killed"
}

// readWrite re-opens the write end as the master does, so that the writer never
// sees a broken pipe.
func readWrite(t *testing.T, w *os.File) *os.File {
	t.Helper()
	rw, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", w.Fd()), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rw.Close() })
	return rw
}

func keepOpen(t *testing.T, f *os.File) *os.File {
	t.Helper()
	fd, err := duplicate(f)
	if err != nil {
		t.Fatal(err)
	}
	return os.NewFile(uintptr(fd), f.Name())
}

func badPaths(t *testing.T, dir string) []string {
	t.Helper()
	fifo := filepath.Join(dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{fifo, "/dev/zero"}
}

func wholeLines(b []byte) []byte { return b[:bytes.LastIndexByte(b, '\n')+1] }

func TestFullDisk(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to mount a small tmpfs")
	}
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m,mode=700"); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	troubles := make(chan Trouble, 10)
	p := newPump(t, Options{OnTrouble: func(x Trouble) { troubles <- x }})
	path := filepath.Join(dir, "out.log")
	s, w := attach(t, p, path)
	run(t, w, "count 100000 a 100")() // ten times what fits; ends, because the rest is dropped
	eventually(t, "bytes were dropped", func() bool { return p.Stats()[0].Dropped > 1<<20 })
	if x := <-troubles; x.Err == nil || x.Path != path || p.Stats()[0].Err == nil {
		t.Errorf("trouble %+v", x)
	}
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	s.Drain(drainTime)
	if x := <-troubles; x.Err != nil || x.Dropped == 0 {
		t.Errorf("recovery %+v", x)
	}
	if got := read(t, path); !strings.Contains(got, "bytes lost here: no space left on device]\n") {
		t.Errorf("no mark in %.100q", got)
	}
}

func TestFullDiskRecoversByItself(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to mount a small tmpfs")
	}
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k,mode=700"); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	filler := filepath.Join(dir, "filler")
	p := newPump(t, Options{})
	path := filepath.Join(dir, "out.log")
	_, w := attach(t, p, path)
	_ = os.WriteFile(filler, make([]byte, 1<<20), 0o600) // as much as goes in
	write(t, w, strings.Repeat("-", 8<<10)+"\n")
	eventually(t, "the failure shows", func() bool { return p.Stats()[0].Err != nil })
	write(t, w, "still in the pipe\n")
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it works again", func() bool { return p.Stats()[0].Err == nil })
	eventuallyFile(t, path, strings.Repeat("-", 8<<10)+"\nstill in the pipe\n")
}

func TestSpliceRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.log")
	p := newPump(t, Options{})
	s, w := attach(t, p, path)
	write(t, w, "first\n")
	eventuallyFile(t, path, "first\n")
	s.sink.mu.Lock()
	s.sink.plain = true
	s.sink.mu.Unlock()
	run(t, w, "count 100000 a 10")()
	s.Drain(drainTime)
	if n := checkCount(t, []byte(read(t, path)[6:]), "a"); n != 100000 {
		t.Errorf("%d lines", n)
	}
}

func TestFullPipeGrows(t *testing.T) {
	p := newPump(t, Options{})
	s, w := attach(t, p, filepath.Join(t.TempDir(), "out.log"))
	run(t, w, "count 1000000 a 100")()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pipe.size != maxPipe {
		t.Errorf("capacity %d", s.pipe.size)
	}
}

func TestOwnedFile(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	dir := t.TempDir()
	p := newPump(t, Options{})
	r, _ := newPipe(t)
	path := filepath.Join(dir, "out.log")
	if _, err := p.Attach(r, Target{Path: path, Owner: &Owner{UID: 1234, GID: 1235}}); err != nil {
		t.Fatal(err)
	}
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil || st.Uid != 1234 || st.Gid != 1235 {
		t.Errorf("%v: %d:%d", err, st.Uid, st.Gid)
	}
	link := filepath.Join(dir, "link.log")
	if err := os.Symlink("/etc/passwd", link); err != nil {
		t.Fatal(err)
	}
	r2, _ := newPipe(t)
	defer r2.Close()
	if _, err := p.Attach(r2, Target{Path: link, Owner: &Owner{UID: 1234, GID: 1235}}); err == nil {
		t.Error("a link was followed")
	}
}

func TestPace(t *testing.T) {
	start := time.Unix(1000, 0)
	quiet := pipe{size: 64 << 10, last: start}
	m := moved{n: 100, first: 100}
	quiet.rate = m.rate(quiet, start.Add(time.Second))
	if d := m.rest(quiet); d != crowdTick {
		t.Errorf("a quiet stream rests %v", d)
	}
	if d := (moved{}).rest(quiet); d != 0 {
		t.Errorf("an idle stream rests %v", d)
	}
	full := moved{n: 64 << 10, first: 64 << 10}
	fast := quiet
	fast.rate = full.rate(fast, start.Add(20*time.Millisecond))
	if d := full.rest(fast); d != 0 {
		t.Errorf("a stream that filled its pipe rests %v", d)
	}
	big := pipe{size: 1 << 20, last: start}
	half := moved{n: 300 << 10, first: 300 << 10}
	big.rate = half.rate(big, start.Add(3*time.Millisecond)) // 100 MB/s: half full in 5 ms
	if d := half.rest(big); d < 4*time.Millisecond || d > 6*time.Millisecond {
		t.Errorf("a busy stream rests %v", d)
	}
}

func TestWheel(t *testing.T) {
	start := time.Unix(1000, 0)
	w := wheel{start: start}
	set := func(time.Duration) {}
	now := start
	waiting := map[*Stream]time.Time{}
	for i := range 10000 {
		s := &Stream{}
		d := time.Duration(rand.IntN(60_000_000))
		w.rest(s, now, d, set)
		waiting[s] = now
		if w.armed == 0 {
			t.Fatal("no timer while a stream rests")
		}
		if i%3 == 0 {
			now = now.Add(time.Duration(rand.IntN(20_000_000)))
			w.collect(now, set)
			for s := w.pop(); s != nil; s = w.pop() {
				delete(waiting, s)
			}
		}
		for s, since := range waiting {
			if now.Sub(since) > 100*time.Millisecond {
				t.Fatalf("stream %p rests since %v at %v", s, since, now)
			}
		}
	}
	w.collect(now.Add(time.Second), set)
	for s := w.pop(); s != nil; s = w.pop() {
		delete(waiting, s)
	}
	if len(waiting) != 0 {
		t.Errorf("%d streams forgotten", len(waiting))
	}
}

// TestCrowd: few streams are looked at often, each of many less so.
func TestCrowd(t *testing.T) {
	for _, c := range []struct {
		rest    time.Duration
		resting int
		least   time.Duration
		most    time.Duration
	}{
		{5 * time.Millisecond, 1000, 5 * time.Millisecond, 6 * time.Millisecond},
		{crowdTick, 0, slowTick / 2, slowTick * 3 / 2},
		{slowTick, 1000, slowTick / 2, slowTick * 3 / 2},
		{crowdTick, crowd, crowdTick / 2, crowdTick * 3 / 2},
	} {
		for now := range 100 * time.Millisecond / fineTick {
			now *= fineTick
			got := time.Duration(dueTick(now, c.rest, c.resting))*fineTick - now
			if got < c.least || got > c.most {
				t.Errorf("at %v a rest of %v beside %d others takes %v", now, c.rest, c.resting, got)
			}
		}
	}
}

// unstamp removes the timestamps that framedTarget puts before lines.
func unstamp(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for line := range bytes.Lines(text) {
		if i := bytes.Index(line, []byte(": ")); i > 0 && line[0] == '2' {
			line = line[i+2:]
		}
		out = append(out, line...)
	}
	return out
}
