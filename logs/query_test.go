package logs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gpm/app"
)

// tailing is a query whose lines arrive on a channel, as "name:text".
func tailing(t *testing.T, q Query) <-chan string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out := make(chan string)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for l, err := range q.Run(ctx) {
			if err != nil {
				t.Error(err)
			}
			text := l.Name + ":" + l.Text
			if l.File != "" {
				text = l.Name + ">" + filepath.Base(l.File)
			}
			select {
			case out <- text:
			case <-ctx.Done():
				return
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	return out
}

func expect(t *testing.T, from <-chan string, want ...string) {
	t.Helper()
	for _, w := range want {
		select {
		case got := <-from:
			if got != w {
				t.Fatalf("got %q, want %q", got, w)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("%q never came", w)
		}
	}
}

func sources(dir string, names ...string) []Source {
	var out []Source
	for i, n := range names {
		out = append(out, Source{Path: filepath.Join(dir, n+".log"), ID: i, Name: n, Stream: app.Stdout})
	}
	return out
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestQueryHistory(t *testing.T) {
	dir := t.TempDir()
	src := sources(dir, "a", "b", "absent")
	writeFile(t, src[0].Path, "1\n2\n3")
	writeFile(t, src[1].Path, "4\n")
	if err := os.Chtimes(src[0].Path, time.Time{}, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	var got []string
	for l, err := range (Query{Sources: append(src, src[0]), Lines: 2}).Run(t.Context()) {
		got = append(got, fmt.Sprint(l.ID, l.Name, l.Stream, filepath.Base(l.File), l.Text, err))
	}
	want := []string{"1boutb.log<nil>", "0aouta.log<nil>", "1bout.4<nil>", "0aout.2<nil>", "0aout.3<nil>"}
	for i := range want {
		if i >= len(got) || strings.ReplaceAll(got[i], " ", "") != want[i] {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
	for range (Query{Sources: src, Lines: 2}).Run(t.Context()) {
		break // the consumer may stop
	}
}

// TestQueryFilters: the times come from the index, and archives count as well.
func TestQueryFilters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.log")
	p := newPump(t, Options{})
	_, w := attachRotating(t, p, path, Policy{Compress: Zstd})
	var times []time.Time
	want := ""
	for i := range 6 { // each in a span of time of its own
		times = append(times, time.Now())
		text := fmt.Sprintf("%d info\n%d ERROR\n", i, i)
		write(t, w, text)
		if want += text; i%2 == 0 {
			eventuallyFile(t, path, want)
			p.Rotate(path)
			want = ""
		} else {
			eventuallyFile(t, path, want)
		}
		<-time.After(2 * indexEvery)
	}
	eventually(t, "the archives are compressed", func() bool {
		list, err := archivesOf(path)
		return err == nil && len(list) == 3 && list[2].kind == Zstd && list[0].kind == Zstd
	})
	for _, c := range []struct {
		q    Query
		want string
	}{
		{Query{Lines: -1}, "0i 0E 1i 1E 2i 2E 3i 3E 4i 4E 5i 5E"},
		{Query{Lines: 3}, "4E 5i 5E"},
		{Query{Lines: 8}, "2i 2E 3i 3E 4i 4E 5i 5E"},
		{Query{Lines: 99}, "0i 0E 1i 1E 2i 2E 3i 3E 4i 4E 5i 5E"},
		{Query{Lines: -1, Since: times[4]}, "4i 4E 5i 5E"},
		{Query{Lines: -1, Since: times[1], Until: times[3]}, "1i 1E 2i 2E"},
		{Query{Lines: -1, Until: times[1]}, "0i 0E"},
		{Query{Lines: -1, Grep: regexp.MustCompile("ERR")}, "0E 1E 2E 3E 4E 5E"},
		{Query{Lines: 2, Grep: regexp.MustCompile("ERR")}, "4E 5E"},
		{Query{Lines: 1, Since: times[2], Until: times[4], Grep: regexp.MustCompile("info")}, "3i"},
		{Query{Lines: -1, Since: time.Now()}, ""},
		{Query{}, ""},
	} {
		c.q.Sources = []Source{{Path: path}}
		var got []string
		for l, err := range c.q.Run(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if l.File == "" {
				got = append(got, l.Text[:1]+l.Text[2:3])
				if i := int(l.Text[0] - '0'); l.At.Before(times[i]) || i < 5 && !l.At.Before(times[i+1]) {
					t.Errorf("%q arrived at %v, not after %v", l.Text, l.At, times[i])
				}
			}
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%+v: %s, want %s", c.q, s, c.want)
		}
	}
}

func TestQueryReportsAFailureOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		writeFile(t, filepath.Join(dir, "file"), "")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var failures []error
		for _, err := range (Query{Sources: sources(filepath.Join(dir, "file"), "x"), Lines: 1, Follow: true}).Run(ctx) {
			failures = append(failures, err)
		}
		if len(failures) != 1 || !errors.Is(failures[0], app.ErrStorage) {
			t.Errorf("%v", failures)
		}
	})
}

// TestQueryFollowPolling needs no pump: time is the bubble's.
func TestQueryFollowPolling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		src := sources(dir, "a", "late")
		writeFile(t, src[0].Path, "old\npart")
		out := tailing(t, Query{Sources: src, Lines: 5, Follow: true})
		expect(t, out, "a>a.log", "a:old")
		appendFile(t, src[0].Path, "ly\nnext\n")
		expect(t, out, "a:partly", "a:next")
		writeFile(t, src[1].Path, "first\n") // a file that was not there
		expect(t, out, "late:first")
		writeFile(t, src[0].Path, "t\n") // truncated and written
		expect(t, out, "a:t")
		appendFile(t, src[0].Path, "before\nrest")
		if err := os.Rename(src[0].Path, src[0].Path+".1"); err != nil {
			t.Fatal(err)
		}
		expect(t, out, "a:before")
		appendFile(t, src[0].Path+".1", " of it\nno end") // its writer has not noticed yet
		expect(t, out, "a:rest of it")
		writeFile(t, src[0].Path, "new\n")
		expect(t, out, "a:no end", "a:new")
	})
}

func appendFile(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	write(t, f, text)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestQueryFollowPump(t *testing.T) {
	dir := t.TempDir()
	src := sources(dir, "a", "b")
	p := newPump(t, Options{})
	_, wa := attach(t, p, src[0].Path)
	_, wb := attach(t, p, src[1].Path)
	out := tailing(t, Query{Sources: src, Lines: 1, Follow: true, Pump: p})
	expect(t, out, "a>a.log", "b>b.log")
	for i := range 30 {
		write(t, wa, fmt.Sprintf("%d\n", i))
		expect(t, out, fmt.Sprintf("a:%d", i))
		write(t, wb, fmt.Sprintf("%d\n", i))
		expect(t, out, fmt.Sprintf("b:%d", i))
	}
	if err := os.Rename(src[0].Path, src[0].Path+".1"); err != nil {
		t.Fatal(err)
	}
	write(t, wa, "x\n")
	expect(t, out, "a:x")
}

// TestFollowEverything: a reader that follows a flood sees every line once.
func TestFollowEverything(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.log")
	p := newPump(t, Options{})
	s, w := attach(t, p, path)
	wait := run(t, w, "count 300000 a 40")
	next := 0
	done := errors.New("done")
	err := Follow(t.Context(), p, path, Offset{}, func(l Line) error {
		if !strings.HasPrefix(string(l.Text), fmt.Sprintf("a %d x", next)) {
			return fmt.Errorf("line %d is %q", next, l.Text)
		}
		if next++; next == 300000 {
			return done
		}
		return nil
	})
	if !errors.Is(err, done) {
		t.Error(err)
	}
	wait()
	s.Drain(drainTime)
}

func TestFollowFromLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "f")
		writeFile(t, path, "1\n2\n")
		_, end, err := Last(path, 1)
		if err != nil {
			t.Fatal(err)
		}
		appendFile(t, path, "3\n")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var got []string
		err = Follow(ctx, nil, path, end, func(l Line) error {
			got = append(got, string(l.Text))
			return nil
		})
		if !errors.Is(err, context.DeadlineExceeded) || !slices.Equal(got, []string{"3"}) {
			t.Errorf("%q, %v", got, err)
		}
	})
}

// FuzzCursor: however a file grows, its lines come out whole and in order.
func FuzzCursor(f *testing.F) {
	f.Add(8, []byte("one\ntwo\n\nfour without end and long"), []byte{1, 5})
	f.Add(4, []byte("äöü日本語😀😀\n\xff\xfe\x80\x80\n"), []byte{0, 2})
	f.Fuzz(func(t *testing.T, limit int, input, sizes []byte) {
		limit = 4 + limit&0xff
		path := filepath.Join(t.TempDir(), "f")
		file, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		c := cursor{path: path}
		defer func() { _ = c.close() }()
		sc := &scratch{buf: make([]byte, 8), limit: limit}
		var joined []byte
		var lines []Line
		keep := func(l Line) bool {
			lines = append(lines, Line{Text: slices.Clone(l.Text), End: l.End})
			joined = l.Append(joined)
			return true
		}
		for i, rest := 0, input; len(rest) > 0; i++ {
			n := len(rest)
			if len(sizes) > 0 {
				n = min(n, 1+int(sizes[i%len(sizes)]))
			}
			write(t, file, string(rest[:n]))
			rest = rest[n:]
			for more := true; more; {
				if more, err = c.read(sc, keep); err != nil {
					t.Fatal(err)
				}
			}
		}
		if _, err := c.lines(sc, turn, true, keep); err != nil {
			t.Fatal(err)
		}
		want, _ := splitAll(limit, input, nil)
		if string(joined) != string(input) || len(lines) != len(want) {
			t.Fatalf("%q became %q: %d lines, want %d", input, joined, len(lines), len(want))
		}
	})
}

func TestWatcher(t *testing.T) {
	dir := t.TempDir()
	p := newPump(t, Options{})
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	w := p.Watch(a, b, b+"/../b")
	p.watch.notify(canonical(b, nil))
	p.watch.notify(canonical(a, nil))
	p.watch.notify(canonical(b, nil))
	<-w.Ready()
	if got := w.Dirty(); !slices.Equal(got, []string{b, b + "/../b", a}) {
		t.Errorf("%q", got)
	}
	w.Close()
	w.Close()
	p.watch.notify(canonical(a, nil))
	if w.Dirty() != nil || p.watch.count.Load() != 0 || len(p.watch.files) != 0 {
		t.Error("still watching")
	}
}
