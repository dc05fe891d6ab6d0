//go:build unix

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"gpm/app"
)

// gpmProcess is a command in a process of its own, with a fake in the place of the master.
func gpmProcess(t *testing.T, home, master string, args ...string) *exec.Cmd {
	t.Helper()
	path, err := exec.LookPath("gpm") // TestMain put the test binary there
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), "GPM_HOME="+home, "GPM_TEST_MASTER="+master)
	return cmd
}

func TestFiftyFirstCommandsStartOneDaemon(t *testing.T) {
	home := filepath.Join(t.TempDir(), "new", "home")
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			out, err := gpmProcess(t, home, "serve", "ping").Output()
			if err != nil || string(out) != "{ msg: 'pong' }\n" {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	wg.Wait()
	masters, err := os.ReadFile(filepath.Join(home, "masters"))
	if err != nil || strings.Count(string(masters), "\n") != 1 {
		t.Errorf("masters: %q, %v; want one", masters, err)
	}
	info, err := os.Stat(home)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("home: %v, %v", info.Mode(), err)
	}
	if _, free, _ := lockHome(home); free {
		t.Error("the master does not hold the lock on its home")
	}
	out, err := gpmProcess(t, home, "serve", "kill").CombinedOutput()
	if err != nil {
		t.Errorf("kill: %v", err)
	}
	mustContain(t, "kill", string(out), "[web](1) ✓", "All Applications Stopped", "Daemon Stopped")
	lock, free, err := lockHome(home)
	if err != nil || !free {
		t.Fatalf("after kill: the home is still locked: %v", err)
	}
	_ = lock.Close()
}

func TestAnotherHomeIsAnotherDaemon(t *testing.T) {
	for range 2 {
		home := filepath.Join(t.TempDir(), "home")
		if out, err := gpmProcess(t, home, "serve", "-s", "list").CombinedOutput(); err != nil || !strings.Contains(string(out), "web") {
			t.Errorf("list: %v: %s", err, out)
		}
		defer func() { _ = gpmProcess(t, home, "serve", "kill").Run() }()
	}
}

func TestDaemonThatCannotStartSaysWhy(t *testing.T) {
	home := t.TempDir()
	out, err := gpmProcess(t, home, "fail", "list").CombinedOutput()
	if err == nil {
		t.Error("rc 0")
	}
	mustContain(t, "list", string(out), "[gpm][ERROR] cannot start the daemon of "+home+": cannot open the database: newer schema\n", daemonLog)
}

func TestReadersThatStartNoDaemon(t *testing.T) {
	home := filepath.Join(t.TempDir(), "home")
	for _, args := range [][]string{{"kill"}, {"daemon", "status"}, {"version"}, {"--help"}, {"completion", "bash"}, {"__complete", "stop", ""}, {"nosuch"}, {"list", "--bad"}} {
		code, _, _ := gpm(home, args...)
		if _, err := os.Stat(home); err == nil {
			t.Fatalf("%v made a home", args)
		}
		wrong := args[0] == "daemon" || args[0] == "nosuch" || args[0] == "list"
		if (code != 0) != wrong {
			t.Errorf("%v: rc %d", args, code)
		}
	}
}

func TestHomesThatCannotBeUsed(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	open := filepath.Join(dir, "open")
	if err := os.Mkdir(open, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	homes := map[string]string{file: "it is a file", filepath.Join(file, "below"): "not a directory", open: "everybody can write to it"}
	if os.Getuid() == 0 {
		foreign := filepath.Join(dir, "foreign")
		if err := os.Mkdir(foreign, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(foreign, 65534, 65534); err != nil {
			t.Fatal(err)
		}
		homes[foreign] = "it belongs to user 65534"
	}
	for home, why := range homes {
		code, out, errOut := gpm(home, "list")
		if code != 1 || out != "" || !strings.Contains(errOut, why) || strings.Count(errOut, "\n") != 2 {
			t.Errorf("%s: rc %d, %q, %q", home, code, out, errOut)
		}
	}
}

func TestNoHome(t *testing.T) {
	t.Setenv("HOME", "")
	t.Setenv("GPM_HOME", "")
	c := newCLI(nil, nil)
	_, err := c.home()
	if e := app.AsError(err); err == nil || e.Hint == "" {
		t.Errorf("%v", err)
	}
}
