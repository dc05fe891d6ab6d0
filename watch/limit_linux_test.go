package watch

import (
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// limits are what a user namespace can be given, namespaces(7); in it the test is its own user.
var limits = map[string]string{"watches": "/proc/sys/user/max_inotify_watches", "instances": "/proc/sys/user/max_inotify_instances"}

// TestLimits runs TestAtTheLimit as a user who may have 3 watches, or no instance.
func TestLimits(t *testing.T) {
	for kind, n := range map[string]int{"watches": 3, "instances": 0} {
		t.Run(kind, func(t *testing.T) {
			exe, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(exe, "-test.run=^TestAtTheLimit$", "-test.v", "-test.count=1")
			cmd.Env = append(os.Environ(), fmt.Sprintf("WATCH_TEST_LIMIT=%s=%d", kind, n))
			cmd.SysProcAttr = &syscall.SysProcAttr{
				Cloneflags:  syscall.CLONE_NEWUSER,
				UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
				GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
			}
			out, err := cmd.CombinedOutput()
			if cmd.ProcessState == nil || strings.Contains(string(out), "cannot set the limit") {
				t.Skipf("no user namespace here: %v %s", err, out)
			}
			if err != nil || !strings.Contains(string(out), "--- PASS: TestAtTheLimit") {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

func TestAtTheLimit(t *testing.T) {
	kind, n, ok := strings.Cut(os.Getenv("WATCH_TEST_LIMIT"), "=")
	if !ok {
		t.Skip("only as a part of TestLimits")
	}
	if err := os.WriteFile(limits[kind], []byte(n), 0); err != nil {
		t.Fatalf("cannot set the limit: %v", err)
	}
	var warnings strings.Builder
	f := newFixture(t, Options{PollInterval: 10 * time.Millisecond, Log: slog.New(slog.NewTextHandler(&warnings, nil))})
	f.write("a/1.js", "1")
	f.add(Rule{}) // two directories: fits, when there is an instance at all
	x, err := f.w.Explain("app")
	f.must(err)
	if want := map[string]Mode{"watches": Notify, "instances": Poll}[kind]; x.Sources[0].Mode != want {
		t.Errorf("within the limit: %+v, want %s", x.Sources[0], want)
	}
	for i := range 5 { // these do not
		f.write(fmt.Sprintf("new%d/x.js", i), "1")
		f.next()
	}
	f.write("new4/x.js", "longer")
	for seen := false; !seen; {
		seen = strings.Contains(strings.Join(f.next().Paths, " "), "new4/x.js")
	}
	x, err = f.w.Explain("app")
	f.must(err)
	if s := x.Sources[0]; s.Mode != Poll || !strings.Contains(s.Why, "sysctl") || !strings.Contains(x.Warning, "polled") {
		t.Errorf("past the limit: %+v", x)
	}
	if strings.Count(warnings.String(), "Cannot watch") != 1 {
		t.Errorf("warnings:\n%s", warnings.String())
	}
	f.write("elsewhere/3.js", "1")
	f.add(Rule{Files: []string{filepath.Join(f.dir, "a/1.js"), filepath.Join(f.dir, "elsewhere/3.js")}})
	f.write("elsewhere/3.js", "longer")
	for seen := false; !seen; {
		seen = strings.Contains(strings.Join(f.next().Paths, " "), "elsewhere/3.js")
	}
}
