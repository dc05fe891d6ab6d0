package watch

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

const patienceOfTests = 20 * time.Second

// fixture is a running watcher on a directory of its own.
type fixture struct {
	t       *testing.T
	w       *Watcher
	dir     string
	changes chan Change
}

func newFixture(t *testing.T, opts Options) *fixture {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{t: t, w: New(opts), dir: dir, changes: make(chan Change, 1000)}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- f.w.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return f
}

// watching is a fixture whose directory is watched.
func watching(t *testing.T, rule Rule, files ...string) *fixture {
	t.Helper()
	f := newFixture(t, Options{PollInterval: 20 * time.Millisecond})
	for _, name := range files {
		f.write(name, "old")
	}
	f.add(rule)
	return f
}

func (f *fixture) add(rule Rule) {
	f.t.Helper()
	if rule.Roots == nil && rule.Files == nil {
		rule.Roots = []string{f.dir}
	}
	if rule.MinInterval == 0 {
		rule.MinInterval = time.Millisecond
	}
	if err := f.w.Add(f.t.Context(), "app", rule, func(c Change) { f.changes <- c }); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) path(name string) string { return filepath.Join(f.dir, filepath.FromSlash(name)) }

func (f *fixture) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) write(name, text string) {
	f.t.Helper()
	f.must(os.MkdirAll(filepath.Dir(f.path(name)), 0o755))
	f.must(os.WriteFile(f.path(name), []byte(text), 0o644))
}

func (f *fixture) rename(from, to string) {
	f.t.Helper()
	f.must(os.Rename(f.path(from), f.path(to)))
}

// next is the next trigger.
func (f *fixture) next() Change {
	f.t.Helper()
	select {
	case c := <-f.changes:
		return c
	case <-time.After(patienceOfTests):
		f.t.Fatal("no trigger")
		return Change{}
	}
}

// expect wants one trigger that names exactly these files.
func (f *fixture) expect(names ...string) {
	f.t.Helper()
	c := f.next()
	var got []string
	for _, p := range c.Paths {
		rel, _ := filepath.Rel(f.dir, p)
		got = append(got, filepath.ToSlash(rel))
	}
	slices.Sort(got)
	slices.Sort(names)
	if !slices.Equal(got, names) {
		f.t.Fatalf("trigger names %q, want %q", got, names)
	}
}

// quiet wants no trigger between now and a file that is written now: events come
// in order, so what happened before would come before it or with it.
func (f *fixture) quiet() {
	f.t.Helper()
	f.write("sentinel.txt", time.Now().String())
	f.expect("sentinel.txt")
}
