package watch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
)

// TestOneSaveIsOneTrigger replays what editors do to save a file.
func TestOneSaveIsOneTrigger(t *testing.T) {
	saves := map[string]func(f *fixture){
		"in place": func(f *fixture) { f.write("a.js", "new") },
		"many writes": func(f *fixture) {
			file, err := os.OpenFile(f.path("a.js"), os.O_WRONLY|os.O_TRUNC, 0)
			f.must(err)
			for i := range 100 {
				fmt.Fprintln(file, i)
			}
			f.must(file.Close())
		},
		"atomic replace": func(f *fixture) { f.write("a.js.1234", "new"); f.rename("a.js.1234", "a.js") },
		"vim with backup": func(f *fixture) {
			f.write(".a.js.swp", "x")
			f.write("4913", "")
			f.must(os.Remove(f.path("4913")))
			f.rename("a.js", "a.js~")
			f.write("a.js", "new")
			f.must(os.Chmod(f.path("a.js"), 0o600))
			f.must(os.Remove(f.path("a.js~")))
			f.must(os.Remove(f.path(".a.js.swp")))
		},
		"emacs": func(f *fixture) {
			f.must(os.Symlink("me@host.1", f.path(".#a.js")))
			f.write("#a.js#", "x")
			f.rename("a.js", "a.js~")
			f.write("a.js", "new")
			f.must(os.Remove(f.path(".#a.js")))
			f.must(os.Remove(f.path("#a.js#")))
		},
		"jetbrains": func(f *fixture) {
			f.write("a.js___jb_tmp___", "new")
			f.rename("a.js", "a.js___jb_old___")
			f.rename("a.js___jb_tmp___", "a.js")
			f.must(os.Remove(f.path("a.js___jb_old___")))
		},
		"sed -i":  func(f *fixture) { f.write("sedA1b2", "new"); f.rename("sedA1b2", "a.js") },
		"deleted": func(f *fixture) { f.must(os.Remove(f.path("a.js"))) },
	}
	for name, save := range saves {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := watching(t, Rule{}, "a.js", "b.js")
			save(f)
			f.expect("a.js")
			f.quiet()
		})
	}
}

func TestNoise(t *testing.T) {
	f := watching(t, Rule{Ignore: []string{"uploads/", "*.{bak,orig}"}, Own: []string{}}, "a.js", "node_modules/x/index.js", "uploads/1")
	f.must(os.Chtimes(f.path("a.js"), time.Unix(1, 0), time.Unix(1, 0)))
	f.must(os.Chmod(f.path("a.js"), 0o600))
	f.must(os.Mkdir(f.path("empty"), 0o755))
	f.write("node_modules/x/index.js", "new")
	f.write("uploads/2", "new")
	f.write("a.bak", "new")
	f.write("out.log", "line")
	f.write(".env", "A=1")
	f.write("came-and-went", "")
	f.must(os.Remove(f.path("came-and-went")))
	f.quiet()
}

func TestTouchCounts(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no touch")
	}
	f := watching(t, Rule{}, "a.js")
	f.write("empty", "")
	f.expect("empty")
	f.must(os.Truncate(f.path("empty"), 0))
	f.expect("empty")
}

func TestNewDirectories(t *testing.T) {
	f := watching(t, Rule{}, "a.js")
	f.write("x/y/z/deep.js", "1") // made faster than they can be watched
	f.expect("x/y/z/deep.js")
	f.write("x/y/z/deep.js", "2")
	f.expect("x/y/z/deep.js")
	f.rename("x", "moved")
	f.next()
	f.write("moved/y/z/deep.js", "3")
	f.expect("moved/y/z/deep.js")
	f.must(os.RemoveAll(f.path("moved")))
	f.expect("moved/y/z/deep.js")
	f.quiet()
}

func TestDirectoryMovedOut(t *testing.T) {
	f := watching(t, Rule{}, "lib/sub/a.js")
	f.must(os.Rename(f.path("lib"), filepath.Join(t.TempDir(), "elsewhere")))
	f.expect("lib")
	x, err := f.w.Explain("app")
	if err != nil || x.Watches != 1 {
		t.Errorf("%d watches left, want the root's alone (%v)", x.Watches, err)
	}
}

func TestGitignoreIsReadAgain(t *testing.T) {
	f := watching(t, Rule{}, "dist/out.js")
	f.write("dist/out.js", "1")
	f.expect("dist/out.js")
	f.write(".gitignore", "dist/\n")
	f.quiet()
	f.write("dist/out.js", "2")
	f.quiet()
	f.write(".gitignore", "")
	f.quiet()
	f.write("dist/out.js", "3")
	f.expect("dist/out.js")
}

func TestRootThatIsALink(t *testing.T) {
	f := newFixture(t, Options{})
	f.write("releases/1/a.js", "1")
	f.write("releases/2/a.js", "2")
	f.must(os.Symlink("releases/1", f.path("current")))
	f.add(Rule{Roots: []string{f.path("current")}})
	f.write("releases/1/a.js", "1b")
	f.expect("current/a.js")
	f.must(os.Symlink("releases/2", f.path("next")))
	f.rename("next", "current") // a deployment
	f.next()
	f.write("releases/2/a.js", "2b")
	f.expect("current/a.js")
}

func TestLinksInsideAndCycles(t *testing.T) {
	f := newFixture(t, Options{})
	f.write("shared/lib.js", "1")
	f.write("app/a.js", "1")
	f.must(os.Symlink("../shared", f.path("app/lib")))
	f.must(os.Symlink("..", f.path("shared/up")))
	f.add(Rule{Roots: []string{f.path("app")}})
	f.write("shared/lib.js", "2")
	f.expect("app/lib/lib.js")
}

func TestRootRemovedAndBack(t *testing.T) {
	f := watching(t, Rule{Roots: []string{}}, "dist/a.js")
	f.add(Rule{Roots: []string{f.path("dist")}})
	f.must(os.RemoveAll(f.path("dist")))
	f.next()
	f.write("dist/a.js", "new")
	f.next()
	f.write("dist/a.js", "newer")
	f.expect("dist/a.js")
}

func TestSingleFiles(t *testing.T) {
	f := newFixture(t, Options{})
	f.write("node_modules/m/index.js", "1")
	f.write("a.js", "1")
	list := []string{f.path("node_modules/m/index.js"), f.path("later/b.js")}
	f.add(Rule{Files: list})
	f.write("a.js", "2")
	f.write("node_modules/m/x.tmp", "2")
	f.rename("node_modules/m/x.tmp", "node_modules/m/index.js")
	f.expect("node_modules/m/index.js")
	f.write("later/b.js", "1")
	f.expect("later/b.js")
	f.must(f.w.SetFiles("app", []string{f.path("a.js")}))
	f.write("later/b.js", "2")
	f.write("a.js", "3")
	f.expect("a.js")
	f.must(os.Remove(f.path("a.js")))
	f.expect("a.js")
}

func TestFileAsRoot(t *testing.T) {
	f := watching(t, Rule{Roots: []string{}}, "a.js", "b.js", ".env")
	f.add(Rule{Roots: []string{f.path("a.js"), f.path(".env")}})
	f.write("b.js", "2")
	f.write(".env", "A=1")
	f.expect(".env")
	f.must(f.w.SetFiles("app", []string{f.path("b.js")}))
	f.write("a.js", "2")
	f.expect("a.js")
}

// TestAddAgain: a rule that takes the place of another loses nothing that was seen.
func TestAddAgain(t *testing.T) {
	f := watching(t, Rule{}, "a.js")
	for i := range 20 {
		f.write("a.js", fmt.Sprint("new", i))
		f.add(Rule{})
		f.expect("a.js")
	}
	f.quiet()
}

func TestRateAndDelay(t *testing.T) {
	f := watching(t, Rule{MinInterval: 300 * time.Millisecond, Delay: 20 * time.Millisecond}, "a.js")
	begin := time.Now()
	for i := range 1000 {
		f.write("a.js", fmt.Sprint(i))
	}
	f.write("last.js", "")
	n := 0
	for seen := false; !seen; n++ {
		seen = strings.Contains(strings.Join(f.next().Paths, " "), "last.js")
	}
	if allowed := 2 + int(time.Since(begin)/(300*time.Millisecond)); n > allowed {
		t.Errorf("%d triggers, allowed are %d", n, allowed)
	}
}

func TestPollingSeesTheSame(t *testing.T) {
	f := watching(t, Rule{Poll: 10 * time.Millisecond}, "a.js", "node_modules/x.js")
	f.write("a.js", "longer than before")
	f.expect("a.js")
	f.write("node_modules/x.js", "longer than before")
	f.write("d/b.js", "1")
	f.expect("d/b.js")
	f.must(os.RemoveAll(f.path("d")))
	f.expect("d/b.js")
	x, err := f.w.Explain("app")
	if err != nil || x.Sources[0].Mode != Poll || x.Watches != 0 {
		t.Errorf("%+v, %v", x, err)
	}
}

func TestLostEvents(t *testing.T) {
	f := watching(t, Rule{}, "a.js")
	f.must(os.Chtimes(f.path("a.js"), time.Unix(1, 0), time.Unix(1, 0)))
	f.w.failed(fsnotify.ErrEventOverflow)
	f.quiet() // nothing new: no trigger
	f.w.mu.Lock()
	f.w.hub.drop(f.dir, f.w.entries["app"].sources[0]) // as if the queue had lost them
	f.w.mu.Unlock()
	f.write("lost.js", "1")
	f.w.failed(fsnotify.ErrEventOverflow)
	if c := f.next(); !strings.Contains(strings.Join(c.Paths, " "), "lost.js") {
		t.Errorf("got %q", c.Paths)
	}
}

func TestExplain(t *testing.T) {
	f := newFixture(t, Options{})
	for _, name := range []string{"a.js", "src/b.js", "dist/c.js", "node_modules/d.js", "logs/app-out.log", "data/x.db"} {
		f.write(name, "")
	}
	f.write(".gitignore", "# built\ndist/\n")
	f.add(Rule{Ignore: []string{"./data", "!*.log"}, Own: []string{f.path("logs/app-out.log")}, Why: "watch: true"})
	f.write("a.js", "1")
	f.expect("a.js")
	x, err := f.w.Explain("app")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, i := range x.Ignored {
		rel, _ := filepath.Rel(f.dir, i.Path)
		got[filepath.ToSlash(rel)] = filepath.ToSlash(strings.TrimPrefix(i.Source, f.dir))
	}
	want := map[string]string{
		"dist": "/.gitignore:2", "node_modules": "default", "data": "ignore_watch", ".gitignore": "default", "logs/app-out.log": "own file",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("ignored %v, want %v", got, want)
	}
	if s := x.Sources[0]; s.Files != 2 || s.Dirs != 3 || s.Mode != Notify || x.Watches != 3 || x.Shared != 3 {
		t.Errorf("%+v", x)
	}
	if x.Triggers != 1 || x.Last == nil || x.Last.Paths[0] != f.path("a.js") || x.Why != "watch: true" {
		t.Errorf("%+v", x)
	}
}

func TestJudge(t *testing.T) {
	f := watching(t, Rule{Ignore: []string{"!.env"}}, "src/a.js", "src/gen/x.js")
	f.write("src/.gitignore", "gen/\n")
	for path, want := range map[string]string{
		".":                "true root ",
		"src/a.js":         "true root ",
		".env":             "true ignore_watch !.env",
		"src/gen/x.js":     "false " + f.path("src/.gitignore") + ":1 gen/",
		"node_modules/a/b": "false default node_modules/",
		"../other":         "false outside ",
	} {
		v, err := f.w.Judge("app", filepath.Join(f.dir, path))
		if got := fmt.Sprintf("%v %s %s", v.Watched, v.Source, v.Rule); err != nil || got != want {
			t.Errorf("%s: %q, want %q (%v)", path, got, want, err)
		}
	}
}

func TestAddRefuses(t *testing.T) {
	f := newFixture(t, Options{})
	err := f.w.Add(t.Context(), "app", Rule{Roots: []string{f.path("nope")}}, nil)
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing root: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.w.Add(ctx, "app", Rule{Roots: []string{f.dir}}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if n := len(f.w.hub.dirs); n != 0 {
		t.Errorf("%d watches left", n)
	}
}

// TestNothingIsLeft: one instance for many apps, and nothing of it after the end.
func TestNothingIsLeft(t *testing.T) {
	before, fds := runtime.NumGoroutine(), openFiles(t)
	dir := t.TempDir()
	w := New(Options{})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	for i := range 200 {
		if err := w.Add(ctx, fmt.Sprint(i), Rule{Roots: []string{dir}}, func(Change) {}); err != nil {
			t.Fatal(err)
		}
	}
	if n := openFiles(t) - fds; runtime.GOOS == "linux" && n > 4 {
		t.Errorf("%d descriptors for 200 apps", n)
	}
	for i := range 200 {
		w.Remove(fmt.Sprint(i))
	}
	if n := len(w.hub.dirs); n != 0 {
		t.Errorf("%d watches left", n)
	}
	if pause := w.pause(time.Now()); pause != forever {
		t.Errorf("idle, but wakes after %v", pause)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := w.Add(t.Context(), "x", Rule{Roots: []string{dir}}, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
	deadline := time.After(patienceOfTests)
	for runtime.NumGoroutine() > before {
		select {
		case <-deadline:
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		default:
			runtime.Gosched()
		}
	}
	if n := openFiles(t); n > fds {
		t.Errorf("%d descriptors, %d before", n, fds)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(list)
}

// BenchmarkSave measures save to trigger with 50,000 files watched.
func BenchmarkSave(b *testing.B) {
	dir := b.TempDir()
	for d := range 500 {
		sub := filepath.Join(dir, fmt.Sprint(d))
		if err := os.Mkdir(sub, 0o755); err != nil {
			b.Fatal(err)
		}
		for i := range 100 {
			if err := os.WriteFile(filepath.Join(sub, fmt.Sprint(i)), nil, 0o644); err != nil {
				b.Fatal(err)
			}
		}
	}
	w := New(Options{})
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	hit := make(chan Change, 1)
	begin := time.Now()
	if err := w.Add(ctx, "app", Rule{Roots: []string{dir}, MinInterval: 1}, func(c Change) { hit <- c }); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(time.Since(begin).Milliseconds()), "ms-add")
	for b.Loop() {
		if err := os.WriteFile(filepath.Join(dir, "250", "50"), []byte("x"), 0o644); err != nil {
			b.Fatal(err)
		}
		<-hit
	}
	cancel()
	if err := <-ended; err != nil {
		b.Error(err)
	}
}
