package logs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// readChain returns the archives and the live file of a log, one after the other.
func readChain(t testing.TB, path string) string {
	t.Helper()
	chain, err := chainOf(path)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, a := range chain {
		if _, err := os.Stat(a.plain); a.live() && err != nil {
			continue // between a rotation and the next byte
		}
		out.WriteString(readArchive(t, a))
	}
	return out.String()
}

func readArchive(t testing.TB, a archive) string {
	t.Helper()
	src, _, err := openArchive(a)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	var out []byte
	for b := make([]byte, 1<<20); ; {
		n, err := src.ReadAt(b, int64(len(out)))
		if out = append(out, b[:n]...); err != nil {
			return string(out)
		}
	}
}

func attachRotating(t testing.TB, p *Pump, path string, rule Policy) (*Stream, *os.File) {
	t.Helper()
	r, w := newPipe(t)
	s, err := p.Attach(r, Target{Path: path, Rotate: rule})
	if err != nil {
		t.Fatal(err)
	}
	return s, w
}

func TestRotateBySize(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.log")
	p := newPump(t, Options{})
	const size = 1_000_000
	s, w := attachRotating(t, p, path, Policy{MaxSize: size, Compress: Zstd})
	run(t, w, "count 100000 a 100")()
	s.Drain(drainTime)
	if n := checkCount(t, []byte(readChain(t, path)), "a"); n != 100_000 {
		t.Errorf("%d lines", n)
	}
	list, err := archivesOf(path)
	if err != nil || len(list) < 10 {
		t.Fatalf("%d archives, %v", len(list), err)
	}
	for _, a := range list {
		text := readArchive(t, a)
		if !strings.HasSuffix(text, "\n") || len(text) > size+120 {
			t.Errorf("%s: %d bytes, ends with %q", a.plain, len(text), text[len(text)-20:])
		}
	}
	want := []string{}
	for i := 70_000; i < 100_000; i++ { // over three files
		want = append(want, fmt.Sprintf("a %d %s", i, strings.Repeat("x", 100)))
	}
	if got := s.Tail(20_000, 10<<20); !slices.Equal(got, want[len(want)-len(got):]) || len(got) != 20_000 {
		t.Errorf("the tail has %d lines", len(got))
	}
	eventually(t, "all are compressed, nothing is left over", func() bool {
		list, err := archivesOf(path)
		_, temps, err2 := scanDir(filepath.Dir(path))
		return err == nil && err2 == nil && len(temps) == 0 &&
			!slices.ContainsFunc(list, func(a archive) bool { return a.kind != Zstd })
	})
	if n := checkCount(t, []byte(readChain(t, path)), "a"); n != 100_000 {
		t.Errorf("%d lines after compression", n)
	}
	if err := checkModes(list, 0o600); err != nil {
		t.Error(err)
	}
}

func checkModes(list []archive, want os.FileMode) error {
	for _, a := range list {
		for _, s := range suffixes {
			if st, err := os.Stat(a.plain + s); err == nil && st.Mode().Perm() != want {
				return fmt.Errorf("%s%s has mode %v", a.plain, s, st.Mode())
			}
		}
	}
	return nil
}

func TestKeepAndQuota(t *testing.T) {
	dir := t.TempDir()
	p := newPump(t, Options{Quota: 1 << 20})
	a, wa := attachRotating(t, p, filepath.Join(dir, "a.log"), Policy{MaxSize: 100_000, Keep: 3})
	b, wb := attachRotating(t, p, filepath.Join(dir, "b.log"), Policy{MaxSize: 200_000})
	run(t, wa, "count 20000 a 100")()
	run(t, wb, "count 50000 b 100")()
	a.Drain(drainTime)
	b.Drain(drainTime)
	eventually(t, "a few archives stay", func() bool {
		found, _, err := scanDir(dir)
		if err != nil {
			return false
		}
		var total int64
		for _, list := range found {
			for _, x := range list {
				total += x.size
			}
		}
		return len(found[filepath.Join(dir, "a.log")]) <= 3 && total <= 1<<20 && total > 1<<19
	})
	eventually(t, "their indexes go with them", func() bool {
		entries, err := os.ReadDir(dir)
		return err == nil && len(entries) <= 2*(3+6+2)
	})
	text := read(t, filepath.Join(dir, "b.log"))
	if !strings.HasPrefix(text[strings.LastIndex(strings.TrimSuffix(text, "\n"), "\n")+1:], "b 49999 ") {
		t.Error("the end of b is missing")
	}
}

func TestPolicySplit(t *testing.T) {
	now := time.Unix(10_000_000, 0)
	var list []archive
	for i := range 10 {
		list = append(list, archive{at: now.Add(time.Duration(i-10) * time.Hour), size: 10})
	}
	for _, c := range []struct {
		p    Policy
		stay int
	}{
		{Policy{}, 10},
		{Policy{Keep: 4}, 4},
		{Policy{Keep: 40}, 10},
		{Policy{MaxAge: 3*time.Hour + time.Minute}, 3},
		{Policy{MaxAge: time.Minute}, 0},
		{Policy{Keep: 2, MaxAge: 3*time.Hour + time.Minute}, 2},
	} {
		stay, gone := c.p.split(list, now)
		if len(stay) != c.stay || len(gone) != 10-c.stay || c.stay > 0 && stay[len(stay)-1].at != list[9].at {
			t.Errorf("%+v keeps %d", c.p, len(stay))
		}
	}
	for quota, want := range map[int64]int{0: 0, 1: 10, 99: 1, 100: 0, 55: 5} {
		if got := overQuota(slices.Clone(list), quota); len(got) != want || want > 0 && got[0].at != list[0].at {
			t.Errorf("quota %d removes %d", quota, len(got))
		}
	}
}

func TestDue(t *testing.T) {
	now := time.Unix(1000, 0)
	k := &sink{off: 10}
	for _, c := range []struct {
		p    Policy
		t    turnover
		want bool
	}{
		{Policy{}, turnover{}, false},
		{Policy{MaxSize: 10}, turnover{}, true},
		{Policy{MaxSize: 11}, turnover{}, false},
		{Policy{MaxSize: 1}, turnover{wait: now.Add(1)}, false},
		{Policy{Every: time.Hour}, turnover{}, false},
		{Policy{Every: time.Hour}, turnover{born: now.Add(-time.Hour)}, true},
		{Policy{}, turnover{asked: true}, true},
	} {
		k.policy.Store(&c.p)
		k.turn = c.t
		if got := k.due(now); got != c.want {
			t.Errorf("%+v %+v: %v", c.p, c.t, got)
		}
	}
	k.off = 0
	if k.turn.asked = true; k.due(now) {
		t.Error("an empty file is rotated")
	}
}

func TestRotateOnDemand(t *testing.T) {
	path := filepath.Join(t.TempDir(), "noext")
	p := newPump(t, Options{})
	_, w := attachRotating(t, p, path, Policy{})
	p.Rotate(path, "/absent") // empty: nothing happens
	write(t, w, "one\n")
	eventuallyFile(t, path, "one\n")
	p.Rotate(path)
	write(t, w, "two\npart")
	eventuallyFile(t, path, "two\npart")
	p.Rotate(path) // in the middle of a line
	write(t, w, "ly\nthree\n")
	eventuallyFile(t, path, "three\n")
	list, err := archivesOf(path)
	if err != nil || len(list) != 2 || read(t, list[0].plain) != "one\n" || read(t, list[1].plain) != "two\npartly\n" {
		t.Errorf("%v, %v", list, err)
	}
}

func TestClockSetBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.log")
	future := archiveName(path, time.Now().Add(24*time.Hour))
	writeFile(t, future, "from the future\n")
	p := newPump(t, Options{})
	_, w := attachRotating(t, p, path, Policy{MaxSize: 1})
	write(t, w, "one\n")
	eventuallyFile(t, path, "") // rotated at once: the line reached the size
	write(t, w, "two\n")
	eventually(t, "all in order", func() bool { return readChain(t, path) == "from the future\none\ntwo\n" })
}

func TestRotationRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.log")
	p := newPump(t, Options{})
	s, w := attachRotating(t, p, path, Policy{MaxSize: 100})
	write(t, w, "a first line\n")
	eventuallyFile(t, path, "a first line\n")
	s.sink.mu.Lock()
	s.sink.turn.last = time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
	next := archiveName(path, s.sink.turn.last.Add(time.Microsecond))
	s.sink.mu.Unlock()
	if err := os.MkdirAll(filepath.Join(next, "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("-", 200) + "\n"
	write(t, w, long)
	eventuallyFile(t, path, "a first line\n"+long) // better a long log than none
	write(t, w, "more\n")
	eventuallyFile(t, path, "a first line\n"+long+"more\n")
}

// TestFollowAcrossRotation: a reader that follows a flood through many rotations
// sees every line once, whether the archive it is in is plain, compressed or removed meanwhile.
func TestFollowAcrossRotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.log")
	p := newPump(t, Options{})
	s, w := attachRotating(t, p, path, Policy{MaxSize: 1_000_000, Compress: Gzip})
	wait := run(t, w, "count 100000 a 40")
	next := 0
	done := errors.New("done")
	err := Follow(t.Context(), p, path, Offset{}, func(l Line) error {
		if !strings.HasPrefix(string(l.Text), fmt.Sprintf("a %d x", next)) {
			return fmt.Errorf("line %d is %.50q", next, l.Text)
		}
		next++
		switch {
		case next == 100_000:
			return done
		case next%30_000 == 0: // a slow reader: the compressor overtakes it
			eventually(t, "all archives are compressed", func() bool {
				list, err := archivesOf(path)
				return err == nil && !slices.ContainsFunc(list, func(a archive) bool { return a.kind == Plain })
			})
		}
		return nil
	})
	if !errors.Is(err, done) {
		t.Error(err)
	}
	wait()
	s.Drain(drainTime)
}

func FuzzArchiveName(f *testing.F) {
	f.Add("/x/api-out.log")
	f.Add("/x/api-out__2026-11-23T01-55-31.000001Z.log.gz")
	f.Add("/x/__2026-11-23T01-55-31.000001Z.zst")
	f.Add("/x/a__2026-13-23T01-55-31.000001Z")
	f.Fuzz(func(t *testing.T, path string) {
		live, a, ok := parseArchive(path)
		if ok && (a.plain+suffixes[a.kind] != path || archiveName(live, a.at) != a.plain) {
			t.Errorf("%q is said to be %q of %q", path, a.plain, live)
		}
		if strings.Contains(filepath.Base(path), "__") || path == "" || filepath.Clean("/"+path) != path || filepath.Base(path)[0] == '.' {
			return
		}
		at := time.Date(2026, 11, 23, 1, 55, 31, 123456000, time.UTC)
		for k, suffix := range suffixes {
			live, a, ok := parseArchive(archiveName(path, at) + suffix)
			if !ok || live != path || !a.at.Equal(at) || a.kind != Compression(k) {
				if ext := filepath.Ext(path); ext == ".gz" || ext == ".zst" {
					continue // such a log file's archives look compressed; they are never made
				}
				t.Errorf("archive of %q: %q %v %v", path, live, a, ok)
			}
		}
	})
}

// FuzzInflated reads a compressed file at random places.
func FuzzInflated(f *testing.F) {
	f.Add([]byte("some text"), []byte{0, 3, 1, 200, 7}, true)
	f.Add([]byte{}, []byte{1, 1}, false)
	f.Fuzz(func(t *testing.T, text, places []byte, gz bool) {
		text = slices.Repeat(text, 50)
		plain := filepath.Join(t.TempDir(), "f")
		writeFile(t, plain, string(text))
		kind := Zstd
		if gz {
			kind = Gzip
		}
		h := newKeeper(0, nil)
		if err := h.compress(job{plain, kind}); err != nil {
			t.Fatal(err)
		}
		src, _, err := openArchive(archive{plain: plain})
		if err != nil {
			t.Fatal(err)
		}
		defer src.Close()
		for i := 0; i+1 < len(places); i += 2 {
			off, n := int(places[i])*3, int(places[i+1])
			b := make([]byte, n)
			m, err := src.ReadAt(b, int64(off))
			want := text[min(off, len(text)):min(off+n, len(text))]
			if string(b[:m]) != string(want) || m < n && err == nil {
				t.Fatalf("%d bytes at %d of %d: %d bytes, %v", n, off, len(text), m, err)
			}
		}
		last, missing, err := lastLines(src, 0, 3)
		naive := naiveLast(text, 3)
		if err != nil || missing != 3-len(naive) {
			t.Fatalf("last 3: at %d, %d missing, %v", last, missing, err)
		}
		if want := strings.Join(naive, "\n"); strings.TrimSuffix(string(text[last:]), "\n") != want {
			t.Fatalf("last 3: %q, want %q", text[last:], want)
		}
	})
}
