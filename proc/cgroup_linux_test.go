package proc

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCgroupsLeaveNothing(t *testing.T) {
	home := t.TempDir()
	c, err := OpenCgroups(home)
	if err != nil {
		t.Skip(err)
	}
	dir := c.Make("3")
	if again := c.Make("3"); dir == "" || again != dir || !strings.HasSuffix(dir, "gpm-"+HomeHash(home)+"/3") {
		t.Fatalf("made %q and %q", dir, again)
	}
	if err := os.Mkdir(filepath.Join(dir, "nested"), 0o755); err != nil {
		t.Fatal(err)
	}
	c.Make("4")
	if err := c.Remove("3"); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("%s is left: %v", dir, err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(c.dir); !os.IsNotExist(err) {
		t.Errorf("%s is left: %v", c.dir, err)
	}
}

// TestNoCgroups checks the ways in which groups are not possible.
func TestNoCgroups(t *testing.T) {
	plain := t.TempDir()
	if c, err := openCgroups(plain, "/home"); err == nil || c != nil {
		t.Errorf("a plain folder was taken for a cgroup: %v", err)
	}
	if left, _ := os.ReadDir(plain); len(left) > 0 {
		t.Errorf("the attempt left %v", left)
	}
	if c, err := openCgroups(filepath.Join(plain, "none"), "/home"); err == nil || c != nil {
		t.Error("a missing folder was taken for a cgroup")
	}
	var none *Cgroups
	if none.Make("1") != "" || none.Dir() != "" || none.Remove("1") != nil || none.Close() != nil {
		t.Error("no cgroups do something")
	}
}

func TestOOMKills(t *testing.T) {
	g := group(t.TempDir())
	if got := g.oomKills(); got != 0 {
		t.Errorf("without the file: got %d", got)
	}
	text := "low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 1\n"
	if err := os.WriteFile(g.file("memory.events"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := g.oomKills(); got != 2 {
		t.Errorf("got %d, want 2", got)
	}
	if tree := (&Tree{group: g}); !tree.oomKilled() {
		t.Error("the kill was not noticed")
	}
}

func FuzzCgroup2Mount(f *testing.F) {
	f.Add("31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n41 31 0:37 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n")
	f.Add("30 24 0:26 /docker/x /sys/fs/cgroup ro,nosuid shared:9 - cgroup2 cgroup rw,nsdelegate\n")
	f.Add(" - cgroup2 \n")
	f.Fuzz(func(t *testing.T, s string) {
		root, point, ok := cgroup2Mount(s)
		if ok && (root == "" || point == "" || !strings.Contains(s, point)) {
			t.Errorf("found %q at %q in %q", root, point, s)
		}
	})
}

func FuzzParseStat(f *testing.F) {
	f.Add("12 (a) b) S 1 2 3 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 4711 0 0\n")
	f.Add("12 (cat) Z 1 2 3 0 -1 0 0 0 0 0 0 0 0 0 20 0 2 0 4711\n")
	f.Add(")")
	f.Fuzz(func(t *testing.T, s string) {
		if st, ok := parseStat(s); ok && strings.Count(s, " ") < 18 && len(strings.Fields(s)) < 19 {
			t.Errorf("read %+v from %q", st, s)
		}
	})
}

func TestParseStat(t *testing.T) {
	st, ok := parseStat("12 (a) b) S 1 2 3 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 4711 0 0\n")
	if want := (stat{parent: 1, session: 3, start: 4711}); !ok || st != want {
		t.Errorf("got %+v, want %+v", st, want)
	}
	for state, dead := range map[string]bool{"Z": true, "X": true, "T": false} {
		if st, _ := parseStat("12 (cat) " + state + " 1 2 3 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 4711"); st.dead != dead {
			t.Errorf("state %s: dead is %t", state, st.dead)
		}
	}
	if st, _ := parseStat("12 (cat) Z 1 2 3 0 -1 0 0 0 0 0 0 0 0 0 20 0 2 0 4711"); st.dead {
		t.Error("a process with a living thread was taken for dead")
	}
}
