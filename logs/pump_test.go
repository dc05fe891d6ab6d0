package logs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gpm/app"
)

const drainTime = 20 * time.Second

func TestMillionLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b", "out.log")
	p := newPump(t, Options{})
	s, w := attach(t, p, path)
	run(t, w, "count 1000000 a 2")()
	s.Drain(drainTime)
	if n := checkCount(t, []byte(read(t, path)), "a"); n != 1000000 {
		t.Errorf("%d lines", n)
	}
	if got := s.Tail(2, 1000); !slices.Equal(got, []string{"a 999998 xx", "a 999999 xx"}) {
		t.Errorf("tail %q", got)
	}
	info, err := os.Stat(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	if file, err := os.Stat(path); err != nil || file.Mode().Perm() != 0o600 || info.Mode().Perm() != 0o700 {
		t.Errorf("modes %v %v %v", file.Mode(), info.Mode(), err)
	}
}

func TestQuietLinesArriveBeforeTheEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.log")
	p := newPump(t, Options{})
	_, w := attach(t, p, path)
	want := ""
	for i := range 20 { // each one after the other has arrived: from idle, and out of a rest
		line := fmt.Sprintf("line %d\n", i)
		write(t, w, line)
		want += line
		eventuallyFile(t, path, want)
	}
}

func TestTwoStreamsOneFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "both.log")
	if err := os.Symlink(dir, filepath.Join(dir, "alias")); err != nil {
		t.Fatal(err)
	}
	p := newPump(t, Options{})
	a, wa := attach(t, p, path)
	b, wb := attach(t, p, filepath.Join(dir, "alias", "both.log"))
	wait1, wait2 := run(t, wa, "count 500 a 30000"), run(t, wb, "count 100000 b 20")
	wait1()
	wait2()
	a.Drain(drainTime)
	b.Drain(drainTime)
	text := []byte(read(t, path))
	if n, m := checkCount(t, text, "a", "b"), checkCount(t, text, "b", "a"); n != 500 || m != 100000 {
		t.Errorf("%d and %d lines", n, m)
	}
	for _, l := range append(a.Tail(3, 100000), a.Tail(1, 10)...) {
		if !strings.HasPrefix(l, "a 49") && !strings.HasPrefix(l, "xxx") {
			t.Errorf("tail of a has %.20q", l)
		}
	}
	if got := b.Tail(1, 1000); len(got) != 1 || !strings.HasPrefix(got[0], "b 99999 ") {
		t.Errorf("tail of b: %.40q", got)
	}
}

func TestTruncatedByOthers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.log")
	p := newPump(t, Options{})
	s, w := attach(t, p, path)
	write(t, w, "before\n")
	eventuallyFile(t, path, "before\n")
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	write(t, w, "after\n")
	eventuallyFile(t, path, "after\n")
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	write(t, f, "other\n")
	write(t, w, "ours\n")
	eventuallyFile(t, path, "after\nother\nours\n")
	if err := p.Truncate(Target{Path: path}, Target{Path: filepath.Join(t.TempDir(), "absent")}); err != nil {
		t.Fatal(err)
	}
	eventuallyFile(t, path, "")
	write(t, w, "fresh\n")
	eventuallyFile(t, path, "fresh\n")
	if got := s.Tail(10, 1000); !slices.Equal(got, []string{"fresh"}) {
		t.Errorf("tail %q", got)
	}
}

func TestRenamedAndRemovedByOthers(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "logs")
	path := filepath.Join(dir, "out.log")
	p := newPump(t, Options{})
	_, w := attach(t, p, path)
	write(t, w, "1\n")
	eventuallyFile(t, path, "1\n")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	write(t, w, "2\n")
	eventuallyFile(t, path, "2\n")
	if err := os.Rename(path, path+".2"); err != nil {
		t.Fatal(err)
	}
	p.Reopen()
	write(t, w, "3\n")
	eventuallyFile(t, path, "3\n")
	if got := read(t, path+".1") + read(t, path+".2"); got != "1\n2\n" {
		t.Errorf("renamed files hold %q", got)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	write(t, w, "4\n")
	eventuallyFile(t, path, "4\n")
}

func TestManyPipesFewFiles(t *testing.T) {
	dir := t.TempDir()
	p := newPump(t, Options{MaxOpen: 8})
	var streams []*Stream
	var writers sync.WaitGroup
	for i := range 200 {
		s, w := attach(t, p, filepath.Join(dir, fmt.Sprint(i)))
		streams = append(streams, s)
		writers.Go(func() {
			for n := range 50 {
				if _, err := fmt.Fprintf(w, "%d %d -\n", i, n); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	for i, s := range streams {
		s.Drain(drainTime)
		if n := checkCount(t, []byte(read(t, filepath.Join(dir, fmt.Sprint(i)))), fmt.Sprint(i)); n != 50 {
			t.Errorf("%d: %d lines", i, n)
		}
		if n := p.files.len(); n > 8+maxWorkers {
			t.Fatalf("%d files open", n)
		}
	}
	if left := p.Stats(); len(left) != 0 {
		t.Errorf("files left: %v", left)
	}
}

const maxWorkers = 64 // of this machine's pump, at most

func TestThrownAway(t *testing.T) {
	p := newPump(t, Options{})
	for _, path := range []string{"", os.DevNull} {
		s, w := attach(t, p, path)
		run(t, w, "count 100000 a 2")() // would block for ever if nobody read
		s.Drain(drainTime)
		if got := s.Tail(1, 100); got != nil {
			t.Errorf("tail %q", got)
		}
	}
}

func TestAttachRefuses(t *testing.T) {
	dir := t.TempDir()
	p := newPump(t, Options{})
	for _, path := range append(badPaths(t, dir), dir, "relative.log", filepath.Join(dir, "file", "x.log")) {
		if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		r, _ := newPipe(t)
		_, err := p.Attach(r, Target{Path: path})
		if !errors.Is(err, app.ErrInvalid) {
			t.Errorf("%s: %v", path, err)
		}
		if err := r.Close(); err != nil {
			t.Errorf("%s: the pipe was taken over: %v", path, err)
		}
	}
	if len(p.Stats()) != 0 {
		t.Error("a file is left")
	}
}

func TestCloseLeavesTheRestInThePipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.log")
	r, w := newPipe(t)
	keep := keepOpen(t, r)
	p := newPump(t, Options{})
	s, err := p.Attach(r, Target{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	write(t, w, "one\n")
	eventuallyFile(t, path, "one\n")
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	s.Drain(drainTime) // too late: nothing happens
	write(t, w, "two\n")
	if _, err := p.Attach(keep, Target{Path: path}); !errors.Is(err, ErrClosed) {
		t.Errorf("attach after close: %v", err)
	}
	next := newPump(t, Options{})
	if s, err = next.Attach(keep, Target{Path: path}); err != nil {
		t.Fatal(err)
	}
	write(t, w, "three\n")
	s.Drain(drainTime)
	if got := read(t, path); got != "one\ntwo\nthree\n" {
		t.Errorf("%q", got)
	}
}

func TestDrainIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.log")
	p := newPump(t, Options{})
	r, w := newPipe(t)
	s, err := p.Attach(r, Target{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	cmd, _ := program(t, w, "count-until-eof a")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it prints", func() bool { st, err := os.Stat(path); return err == nil && st.Size() > 0 })
	s.Drain(20 * time.Millisecond) // returns although the program goes on
	_ = stdin.Close()
	_ = w.Close()
	_ = cmd.Wait() // ends by itself or by a broken pipe
	if n := checkCount(t, wholeLines([]byte(read(t, path))), "a"); n == 0 {
		t.Error("no lines")
	}
}

func TestStats(t *testing.T) {
	dir := t.TempDir()
	p := newPump(t, Options{})
	_, w := attach(t, p, filepath.Join(dir, "b"))
	attach(t, p, filepath.Join(dir, "b"))
	attach(t, p, filepath.Join(dir, "a"))
	write(t, w, "12345")
	eventually(t, "five bytes", func() bool { return p.Stats()[1].Bytes == 5 })
	got := p.Stats()
	if len(got) != 2 || filepath.Base(got[0].Path) != "a" || got[1].Streams != 2 || got[1].Dropped != 0 || got[1].Err != nil {
		t.Errorf("%+v", got)
	}
}

func TestSpansAreBounded(t *testing.T) {
	var spans []span
	for i := range int64(1000) {
		spans = addSpan(spans, 0, i*10, 5)
		spans = addSpan(spans, 0, i*10+5, 1) // a neighbour
	}
	if len(spans) != maxSpans || spans[maxSpans-1] != (span{0, 9990, 6}) || spans[0].off != (1000-maxSpans)*10 {
		t.Errorf("%d spans, last %v", len(spans), spans[len(spans)-1])
	}
}

// TestCheck says what can be a log file, and leaves nothing behind.
func TestCheck(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	writeFile(t, file, "text")
	for path, ok := range map[string]bool{
		file: true, filepath.Join(dir, "new"): true, filepath.Join(dir, "a/b/new"): true,
		dir: false, filepath.Join(file, "x"): false, filepath.Join(file, "a/b/x"): false,
	} {
		if err := Check(path); (err == nil) != ok {
			t.Errorf("%s: %v", path, err)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
