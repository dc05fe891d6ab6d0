package ecosystem_test

import (
	"bytes"
	"flag"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gpm/app"
	"gpm/ecosystem"
	"gpm/ecosystem/engine"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares got with a file, or writes it.
func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(got, want) {
		return
	}
	gotLines, wantLines := strings.Split(string(got), "\n"), strings.Split(string(want), "\n")
	for i := range max(len(gotLines), len(wantLines)) {
		g, w := at(gotLines, i), at(wantLines, i)
		if g != w {
			t.Errorf("%s:%d:\n got %s\nwant %s", path, i+1, g, w)
		}
	}
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "(nothing)"
}

// options are those of a caller with Node on PATH and little else.
func options() ecosystem.Options {
	return ecosystem.Options{
		Environ: map[string]string{"PATH": os.Getenv("PATH"), "HOME": "/home/me", "LANG": "C"},
		CPUs:    4, Engine: engine.Engine{}, Strict: true, Timeout: time.Minute,
	}
}

// endless are the files that end only because their time is over, which is made short for them.
var endless = []string{"js-loop.config.js", "js-loop-in-function.config.js", "js-server.config.js"}

// TestBadFiles: each gets one sentence, which the golden file holds.
func TestBadFiles(t *testing.T) {
	var mu sync.Mutex
	said := map[string]string{}
	t.Run("all", func(t *testing.T) {
		for _, name := range badFiles(t) {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				sentence := complain(t, name)
				mu.Lock()
				defer mu.Unlock()
				said[name] = sentence
			})
		}
	})
	var got strings.Builder
	for _, name := range slices.Sorted(maps.Keys(said)) {
		got.WriteString(name + "\n  " + said[name] + "\n")
	}
	if len(said) < 60 {
		t.Errorf("only %d bad files", len(said))
	}
	golden(t, "testdata/bad.golden", []byte(got.String()))
}

func badFiles(t *testing.T) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir("testdata/bad", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && ecosystem.IsFile(path) {
			name, _ := filepath.Rel("testdata/bad", path)
			names = append(names, filepath.ToSlash(name))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// complain returns the error and its hint.
func complain(t *testing.T, name string) string {
	opts := options()
	if slices.Contains(endless, name) {
		opts.Timeout = 2 * time.Second
	}
	start := time.Now()
	_, err := ecosystem.Load(t.Context(), "testdata/bad/"+name, opts)
	if took := time.Since(start); took > time.Minute {
		t.Errorf("took %v", took)
	}
	if err == nil {
		t.Error("no error")
		return "no error"
	}
	e := app.AsError(err)
	if strings.ContainsAny(e.Message, "\n\r") || !strings.HasPrefix(e.Message, "cannot read ") || len(e.Message) > 300 {
		t.Errorf("no sentence: %q", e.Message)
	}
	if e.Hint == "" {
		return e.Message
	}
	return e.Message + " (" + e.Hint + ")"
}
