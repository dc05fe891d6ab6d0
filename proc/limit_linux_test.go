package proc

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gpm/app"
)

// fakeGroups is a directory that looks like a cgroup v2 hierarchy; the kernel's part of the behaviour is not there.
func fakeGroups(t *testing.T, controllers string) (own string, c *Cgroups) {
	t.Helper()
	own = t.TempDir()
	c = &Cgroups{own: own, dir: filepath.Join(own, "gpm-x"), missing: map[string]error{}}
	if err := errors.Join(os.Mkdir(c.dir, 0o755), os.WriteFile(filepath.Join(own, "cgroup.controllers"), []byte(controllers+"\n"), 0o644)); err != nil {
		t.Fatal(err)
	}
	return own, c
}

func TestLimitWritesWhatTheKernelReads(t *testing.T) {
	own, c := fakeGroups(t, "cpuset cpu io memory pids")
	c.enable(func(int) bool { return true })
	if len(c.missing) > 0 {
		t.Fatalf("missing: %v", c.missing)
	}
	dir := c.Make("3.17")
	if err := c.Limit("3.17", app.Limits{Memory: 512 << 20, CPU: 1.5, PIDs: 100}, own); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{"memory.max": "536870912", "memory.oom.group": "1", "cpu.max": "150000 100000", "pids.max": "100"} {
		if got, err := os.ReadFile(filepath.Join(dir, file)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v; want %q", file, got, err, want)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "io.max")); err == nil {
		t.Error("a limit was written that nobody set")
	}
}

func TestLimitSaysWhatIsNotInForce(t *testing.T) {
	own, c := fakeGroups(t, "pids")
	c.enable(func(int) bool { return true })
	c.Make("1.1")
	err := c.Limit("1.1", app.Limits{Memory: 1 << 20, PIDs: 5}, own)
	if err == nil || !strings.Contains(err.Error(), "limit of memory is not in force: cgroup v2 has no memory controller here") || strings.Contains(err.Error(), "pids") {
		t.Errorf("error %v", err)
	}
	var none *Cgroups
	if err := none.Limit("1.1", app.Limits{CPU: 1}, own); err == nil || !strings.Contains(err.Error(), "limits need cgroup v2") {
		t.Errorf("error %v", err)
	}
	if err := none.Limit("1.1", app.Limits{}, own); err != nil {
		t.Errorf("nothing is limited: %v", err)
	}
}

// TestDisableTurnsOffWhatIsOn: the kernel reads the words that were written; a file has the last of them.
func TestDisableTurnsOffWhatIsOn(t *testing.T) {
	own, c := fakeGroups(t, "")
	for dir, on := range map[string]string{own: "cpu memory\n", c.dir: "\n"} {
		if err := os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte(on), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Disable(); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]string{own: "-cpu -memory", c.dir: "\n"} {
		if got, err := os.ReadFile(filepath.Join(dir, "cgroup.subtree_control")); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v; want %q", dir, got, err, want)
		}
	}
}

// TestVacateMovesOnlyOurs: a group that others share is left as it is.
func TestVacateMovesOnlyOurs(t *testing.T) {
	own, _ := fakeGroups(t, "memory")
	procs := filepath.Join(own, "cgroup.procs")
	if err := os.WriteFile(procs, []byte("10\n11\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := vacate(own, func(pid int) bool { return pid == 10 }); !errors.Is(err, errBusyGroup) {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(filepath.Join(own, ownLeaf)); err == nil {
		t.Error("a group was made for nothing")
	}
	if err := vacate(own, func(pid int) bool { return pid == 10 || pid == 11 }); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(own, ownLeaf, "cgroup.procs")); err != nil || string(got) != "11" { // the kernel keeps all; a file has the last
		t.Errorf("%q, %v", got, err)
	}
}

func TestParsePressure(t *testing.T) {
	for text, want := range map[string]float64{
		"some avg10=98.40 avg60=96.66 avg300=93.80 total=1\nfull avg10=1.00 avg60=0.00 avg300=0.00 total=0\n": 98.4, "some avg10=0.00 avg60=0": 0,
	} {
		if got, ok := parsePressure(text); !ok || got != want {
			t.Errorf("%q: %g, %v", text, got, ok)
		}
	}
	for _, text := range []string{"", "full avg10=1", "some avg10=x avg60=0"} {
		if _, ok := parsePressure(text); ok {
			t.Errorf("%q is read", text)
		}
	}
}
