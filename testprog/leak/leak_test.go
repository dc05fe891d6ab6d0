package leak

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"gpm/proc"
)

// recorder is a test that notes its failures instead of failing.
type recorder struct {
	testing.TB
	failures []string
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func linuxOnly(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("there is no /proc here")
	}
}

// sleeper starts a process that outlives the check unless that ends it.
func sleeper(t *testing.T, env string, argv ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sh", append([]string{"-c", "while :; do sleep 100; done"}, argv...)...)
	cmd.Env = append(os.Environ(), env)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd
}

func TestCheckFindsProcesses(t *testing.T) {
	linuxOnly(t)
	t.Parallel()
	for name, start := range map[string]func(t *testing.T, home string) *exec.Cmd{
		"home in the environment": func(t *testing.T, home string) *exec.Cmd { return sleeper(t, "GPM_HOME="+home) },
		"home in the arguments":   func(t *testing.T, home string) *exec.Cmd { return sleeper(t, "A=B", home+"/logs/app.log") },
		"mark of an instance":     func(t *testing.T, home string) *exec.Cmd { return sleeper(t, proc.Mark(home, 3, 7)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			home := t.TempDir()
			cmd := start(t, home)
			r := &recorder{TB: t}
			Check(r, home)
			want := fmt.Sprintf("process %d ", cmd.Process.Pid)
			if len(r.failures) != 1 || !strings.Contains(r.failures[0], want) {
				t.Errorf("Check reported %q, want one failure with %q", r.failures, want)
			}
			if err := cmd.Wait(); err == nil || err.Error() != "signal: killed" {
				t.Errorf("the process ended with %v, want that Check killed it", err)
			}
		})
	}
}

func TestCheckIgnoresOthers(t *testing.T) {
	linuxOnly(t)
	home := filepath.Join(t.TempDir(), "home")
	other := home + "2"
	sleeper(t, "GPM_HOME="+other, other)
	sleeper(t, proc.Mark(other, 3, 7))
	Check(t, home)
}

func TestCheckFindsCgroups(t *testing.T) {
	linuxOnly(t)
	t.Parallel()
	home := t.TempDir()
	groups, err := proc.OpenCgroups(home)
	if err != nil {
		t.Skip(err)
	}
	r := &recorder{TB: t}
	Check(r, home)
	if len(r.failures) != 1 || !strings.Contains(r.failures[0], "cgroup ") {
		t.Errorf("Check reported %q, want the cgroup", r.failures)
	}
	if err := groups.Close(); err != nil {
		t.Fatal(err)
	}
	Check(t, home)
}

func TestDescriptors(t *testing.T) {
	linuxOnly(t)
	r := &recorder{TB: t}
	check := Descriptors(r, os.Getpid())
	path := filepath.Join(t.TempDir(), "kept open")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	check()
	if len(r.failures) != 1 || !strings.Contains(r.failures[0], path) {
		t.Errorf("reported %q, want %s", r.failures, path)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	r.failures = nil
	check()
	if len(r.failures) != 0 {
		t.Errorf("reported %q after the file was closed", r.failures)
	}
}

func TestNamesWholePaths(t *testing.T) {
	for text, want := range map[string]bool{
		"/tmp/h": true, "/tmp/h/gpm.sock": true, "--home=/tmp/h\x00": true, "/tmp/h2 /tmp/h": true,
		"/tmp/h2": false, "/tmp/h-2/x": false, "/tmp": false, "": false,
	} {
		if got := names([]byte(text), "/tmp/h"); got != want {
			t.Errorf("names(%q) = %v, want %v", text, got, want)
		}
	}
}
