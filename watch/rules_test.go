package watch

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestPatterns(t *testing.T) {
	for _, c := range []struct {
		pattern, path string
		dir, want     bool
	}{
		{"*.js", "a/b.js", false, true}, {"/*.js", "a/b.js", false, false}, {"a/*.js", "a/b.js", false, true},
		{"dist/", "x/dist", true, true}, {"dist/", "x/dist", false, false}, {"a/**", "a", true, false},
		{"a/**", "a/b/c", false, true}, {"a/**/c", "a/c", false, true}, {"**/c", "x/y/c", false, true},
		{`\#x`, "#x", false, true}, {`\!x`, "!x", false, true}, {"[a-c]x", "bx", false, true}, {"[!a-c]x", "bx", false, false},
		{"[]x]", "]", false, true}, {"[a", "[a", false, false}, {`a\`, `a\`, false, false}, {"x ", "x", false, true},
		{`x\ `, "x ", false, true}, {"[[:digit:]]", "5", false, true}, {"a**b", "axxb", false, true},
	} {
		p, ok := parsePattern(c.pattern, "test")
		if got := ok && p.match(c.path, c.dir); got != c.want {
			t.Errorf("%q on %q (dir %v): %v", c.pattern, c.path, c.dir, got)
		}
	}
}

func TestBraces(t *testing.T) {
	for text, want := range map[string]string{
		"a": "a", "*.{js,ts}": "*.js *.ts", "{a,b{c,d}}x": "ax bcx bdx", "{a": "{a", "a}": "a}", "{a}{b,c}": "{a}b {a}c",
		strings.Repeat("{a,b}", 40): strings.Repeat("{a,b}", 40),
	} {
		if got := strings.Join(expandBraces(text), " "); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestExplicitRootBeatsRepository(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{".git/HEAD": "", ".gitignore": "dist/\n*.map\n", "dist/x": "", "src/x": ""} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if r := newRules(filepath.Join(dir, "dist"), Rule{}); r.ignores("x.map", false) {
		t.Error("rules that ignore the root itself still speak")
	}
	if r := newRules(filepath.Join(dir, "src"), Rule{}); !r.ignores("x.map", false) {
		t.Error("rules above the root are silent")
	}
	if r := newRules(filepath.Join(dir, "src"), Rule{NoGitignore: true}); r.ignores("x.map", false) {
		t.Error("rules are read though they should not")
	}
}

// TestLikeGit compares with git itself on random patterns and paths, but for "a**/":
// there git matches what is after its literal prefix as if a name began anew.
func TestLikeGit(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("no git")
	}
	repo := t.TempDir()
	if out, err := exec.Command("git", "init", "-q", repo).CombinedOutput(); err != nil {
		t.Skipf("git init: %v %s", err, out)
	}
	name := rapid.StringMatching(`[ab]{1,3}(\.[xy])?`)
	part := rapid.OneOf(name, rapid.SampledFrom([]string{
		"*", "**", "a*", "*b", "?", "*.x", "[ab]", "[!a]b", `\a`, "[[:alpha:]]*", "[]a]", "[a-]", `[\a]`, "a ", "***",
	}))
	rapid.Check(t, func(rt *rapid.T) {
		var text strings.Builder
		for range rapid.IntRange(1, 5).Draw(rt, "lines") {
			line := strings.Join(rapid.SliceOfN(part, 1, 4).Draw(rt, "parts"), "/")
			line = rapid.SampledFrom([]string{"", "", "!", "/", "!/", "#"}).Draw(rt, "head") + line
			text.WriteString(line + rapid.SampledFrom([]string{"", "", "/", " ", "\r"}).Draw(rt, "tail") + "\n")
		}
		paths := rapid.SliceOfNDistinct(rapid.Map(rapid.SliceOfN(name, 1, 4), func(s []string) string { return strings.Join(s, "/") }), 5, 20, rapid.ID).Draw(rt, "paths")
		list := parsePatterns(text.String(), "test")
		want := askGit(rt, repo, text.String(), paths)
		for _, p := range paths {
			if got := ignoredWithParents(list, p); got != slices.Contains(want, p) {
				rt.Fatalf("patterns %q: path %q is ignored %v, git says %v", text.String(), p, got, !got)
			}
		}
	})
}

// ignoredWithParents asks as a walk does: from the top, and not below what is ignored.
func ignoredWithParents(list []pattern, path string) bool {
	parts := strings.Split(path, "/")
	for i := range parts {
		isDir := i < len(parts)-1
		if p := last(list, strings.Join(parts[:i+1], "/"), isDir); p != nil && !p.negate {
			return true
		}
	}
	return false
}

func askGit(rt *rapid.T, repo, text string, paths []string) []string {
	if err := os.WriteFile(filepath.Join(repo, ".gitignore"), []byte(text), 0o644); err != nil {
		rt.Fatal(err)
	}
	cmd := exec.Command("git", "-C", repo, "check-ignore", "--no-index", "--stdin", "-z")
	cmd.Stdin = strings.NewReader(strings.Join(paths, "\x00") + "\x00")
	out, err := cmd.Output()
	if err != nil && cmd.ProcessState.ExitCode() != 1 { // 1: none is ignored
		rt.Fatalf("git: %v", err)
	}
	return strings.Split(string(bytes.TrimSuffix(out, []byte{0})), "\x00")
}

func FuzzPattern(f *testing.F) {
	for _, s := range []string{"*.js", "!/a/**/b/", "[!a-z]", `\ `, "**", "[[:x:]]", strings.Repeat("*a", 30) + "b"} {
		f.Add(s, "a/b/c.js")
	}
	f.Fuzz(func(t *testing.T, text, path string) {
		for _, p := range parsePatterns(text, "fuzz") {
			p.match(path, true)
			p.match(path, false)
		}
		// A path written literally matches itself.
		if strings.Trim(path, "/ ") == path && path != "" && !strings.ContainsAny(path, "\n\r\\") && !strings.HasPrefix(path, "#") && !strings.HasPrefix(path, "!") {
			p, ok := parsePattern("/"+escape(path), "fuzz")
			if !ok || !p.match(path, false) {
				t.Errorf("%q does not match itself (%+v)", path, p)
			}
		}
	})
}

func FuzzUserPattern(f *testing.F) {
	f.Add("{a,b}/./c,{d")
	f.Fuzz(func(t *testing.T, text string) {
		if n := len(expandBraces(text)); n < 1 || n > maxWords {
			t.Errorf("%d words", n)
		}
		userPatterns("/srv/app", Rule{Ignore: []string{text}, Own: []string{text}})
	})
}

func TestBurst(t *testing.T) {
	start := time.Unix(1000, 0)
	ms := func(n int) time.Time { return start.Add(time.Duration(n) * time.Millisecond) }
	for _, c := range []struct {
		events     []int // ms
		delay, gap time.Duration
		fired      time.Time
		want       time.Time
	}{
		{[]int{0}, 0, 0, time.Time{}, ms(40)},
		{[]int{0, 30}, 0, 0, time.Time{}, ms(70)},
		{[]int{0}, time.Second, 0, time.Time{}, ms(1040)},
		{[]int{0, 100, 200, 390}, 0, 0, time.Time{}, ms(400)}, // never quiet: after ten quiet times
		{[]int{0}, 0, time.Second, ms(-100), ms(900)},         // not sooner after the last one
		{[]int{0}, 0, time.Second, ms(-5000), ms(40)},
	} {
		var b burst
		for _, at := range c.events {
			b.add("x", written, ms(at))
		}
		if got := b.due(c.delay, c.gap, c.fired); !got.Equal(c.want) {
			t.Errorf("%+v: due %v", c, got.Sub(start))
		}
	}
}

func TestBurstForgetsWhatCameAndWent(t *testing.T) {
	var b burst
	b.add("tmp", created, time.Now())
	b.add("kept", created, time.Now())
	b.add("gone", removed, time.Now())
	b.add("kept", removed, time.Now())
	got := b.real(func(p string) bool { return p == "kept" })
	if fmt.Sprint(got) != "[kept gone]" {
		t.Errorf("got %v", got)
	}
	for i := range 2 * maxPaths {
		b.add(fmt.Sprint(i), written, time.Now())
	}
	if len(b.order) != maxPaths || b.more != maxPaths+3 {
		t.Errorf("%d paths and %d more", len(b.order), b.more)
	}
}
