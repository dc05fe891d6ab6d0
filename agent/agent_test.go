package agent

import (
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
)

func TestInject(t *testing.T) {
	const ours = `--require="/a b/\"c\"\\.cjs"`
	for _, c := range []struct {
		name      string
		env, want []string
	}{
		{"nothing", nil, []string{"NODE_OPTIONS=" + ours, "GPM_AGENT_FD=7"}},
		{"empty", []string{"NODE_OPTIONS="}, []string{"NODE_OPTIONS= " + ours, "GPM_AGENT_FD=7"}},
		{"kept", []string{"A=1", "NODE_OPTIONS=--x  ", "B=2"}, []string{"A=1", "B=2", "NODE_OPTIONS=--x   " + ours, "GPM_AGENT_FD=7"}},
		{"last counts", []string{"NODE_OPTIONS=--x", "NODE_OPTIONS=--y"}, []string{"NODE_OPTIONS=--y " + ours, "GPM_AGENT_FD=7"}},
		{"stale", []string{"GPM_AGENT_FD=3", "A"}, []string{"A", "NODE_OPTIONS=" + ours, "GPM_AGENT_FD=7"}},
	} {
		given := slices.Clone(c.env)
		if got := Inject(c.env, `/a b/"c"\.cjs`, 7); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
		if !slices.Equal(c.env, given) {
			t.Errorf("%s: the given environment was changed", c.name)
		}
	}
}

func TestInstallMendsItsFile(t *testing.T) {
	dir := t.TempDir()
	path, err := Install(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, script[:10], 0o600); err != nil { // a disk that was full
		t.Fatal(err)
	}
	again, err := Install(dir)
	if err != nil || again != path {
		t.Fatal(again, err)
	}
	content, err := os.ReadFile(path)
	if err != nil || string(content) != string(script) {
		t.Error("the file was not mended", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o444 != 0o444 {
		t.Error("other users cannot read it", info, err)
	}
}

func TestInstallAtOnce(t *testing.T) {
	dir := t.TempDir()
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			path, err := Install(dir)
			if err != nil {
				t.Error(err)
			}
			if content, err := os.ReadFile(path); err != nil || string(content) != string(script) {
				t.Error("half a file", err)
			}
		})
	}
	all.Wait()
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 1 {
		t.Error("left behind:", left)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) != 0 {
		t.Error("left behind:", left)
	}
}

func TestInstallNowhere(t *testing.T) {
	if _, err := Install(filepath.Join(t.TempDir(), "missing")); err == nil {
		t.Error("no error")
	}
}
