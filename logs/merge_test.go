package logs

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gpm/app"
)

// TestQueryMerges: the lines of several logs come in the order of their arrival, also over rotations.
func TestQueryMerges(t *testing.T) {
	dir := t.TempDir()
	p := newPump(t, Options{})
	src := sources(dir, "a", "b", "c")
	var want []string
	for round := range 6 {
		i := round % len(src)
		_, w := attachRotating(t, p, src[i].Path, Policy{Compress: Gzip})
		text := fmt.Sprintf("%d\n%d.\n", round, round)
		write(t, w, text)
		eventually(t, "the lines are written", func() bool { return strings.HasSuffix(readChain(t, src[i].Path), text) })
		want = append(want, fmt.Sprint(round), fmt.Sprintf("%d.", round))
		if round%2 == 0 {
			p.Rotate(src[i].Path)
		}
		<-time.After(2 * indexEvery)
	}
	for name, q := range map[string]Query{
		"all": {Lines: -1}, "enough": {Lines: 10}, "filtered": {Lines: 10, Since: time.Now().Add(-time.Hour)},
	} {
		q.Sources = src
		if got := texts(t, q); strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func texts(t *testing.T, q Query) (out []string) {
	t.Helper()
	for l, err := range q.Run(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if l.File == "" {
			out = append(out, l.Text)
		}
	}
	return out
}

// TestResume: a reader that is replaced after any line goes on with the next, wherever the files are by then.
func TestResume(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.log")
	p := newPump(t, Options{})
	_, w := attachRotating(t, p, path, Policy{MaxSize: 100, Compress: Zstd})
	const total = 200
	go func() {
		for i := range total {
			fmt.Fprintf(w, "line %d\n", i)
			<-time.After(time.Millisecond)
		}
	}()
	from := ""
	for next := 0; next < total; {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		q := Query{Sources: []Source{{Path: path, From: from}}, Lines: -1, Follow: true, Places: true, Pump: p}
		seen := 0
		for l, err := range q.Run(ctx) {
			if err != nil {
				t.Fatal(err)
			}
			if from = l.Place; l.File != "" {
				continue
			}
			if l.Text != fmt.Sprint("line ", next) {
				t.Fatalf("%q comes where line %d should, after %s", l.Text, next, from)
			}
			if next, seen = next+1, seen+1; seen == 7 || next == total {
				break
			}
		}
		if ctx.Err() != nil {
			t.Fatalf("nothing comes after line %d", next)
		}
		cancel()
	}
}

func TestPlace(t *testing.T) {
	for _, p := range []place{
		{file: FileID{1, 2}, pos: 3, seen: time.UnixMicro(4)},
		{archive: time.UnixMicro(5), pos: 1 << 40},
	} {
		if got, ok := parsePlace(p.String()); !ok || got != p {
			t.Errorf("%v: %v", p, got)
		}
	}
}

func FuzzPlace(f *testing.F) {
	f.Add("0.1.2.3.4")
	f.Fuzz(func(t *testing.T, text string) {
		p, ok := parsePlace(text)
		if !ok {
			return
		}
		i, pos := p.find([]archive{{plain: "a", at: time.UnixMicro(1)}, {plain: "b", size: 10}})
		if i < 0 || i > 1 || pos < 0 {
			t.Errorf("%q leads to %d of file %d", text, pos, i)
		}
	})
}

// TestQueryMore: logs that are added to a query are followed from then on.
func TestQueryMore(t *testing.T) {
	dir := t.TempDir()
	src := sources(dir, "a", "b")
	writeFile(t, src[0].Path, "first\n")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	p := newPump(t, Options{})
	q := Query{Sources: src[:1], Lines: 1, Follow: true, Pump: p, More: func() []Source { return src }}
	for l, err := range q.Run(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		switch l.Text {
		case "first":
			_, w := attach(t, p, src[1].Path)
			write(t, w, "second\n")
		case "second":
			if l.Name != "b" || l.Stream != app.Stdout {
				t.Errorf("%+v", l)
			}
			return
		}
	}
	t.Error("the new log is not followed")
}
