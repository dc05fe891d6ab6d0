package main

import (
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"gpm/ipc"
	"gpm/testprog/realpm2"
)

// update rewrites golden files.
var update = flag.Bool("update", false, "rewrite the golden files in testdata")

// TestMain makes the test binary a gpm as well: scripts, and commands that start a daemon, execute it
// under that name.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"gpm": gpmOrFake, "pm2": main, "pm2-runtime": main, "pm2-docker": main})
}

func gpmOrFake() {
	if kind := os.Getenv("GPM_TEST_MASTER"); kind != "" && len(os.Args) == 4 && os.Args[1] == "master" {
		fakeMaster(kind, os.Args[3])
		return
	}
	main()
}

// TestScripts runs the end-to-end scripts, each in a home of its own.
func TestScripts(t *testing.T) { runScripts(t, "testdata/script", "") }

// TestRealPM2 runs scripts in which the npm package pm2 is the client.
func TestRealPM2(t *testing.T) {
	runScripts(t, "testdata/realpm2", filepath.Join(realpm2.Dir(t), "node_modules", "pm2"))
}

func runScripts(t *testing.T, dir, pm2 string) {
	testscript.Run(t, testscript.Params{
		Dir: dir,
		Setup: func(env *testscript.Env) error {
			home := filepath.Join(env.WorkDir, "home")
			for name, value := range map[string]string{
				"GPM_HOME": home, "HOME": env.WorkDir, "PORT": freePort(t), "PORT2": freePort(t), "REALPM2": pm2,
				"GORACE": os.Getenv("GORACE"),
			} {
				env.Setenv(name, value)
			}
			env.Defer(func() { endDaemon(t, home); endDaemon(t, filepath.Join(env.WorkDir, "pm2home")) })
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"await":   cmdAwait,
			"alive":   cmdAlive,
			"exits":   cmdExits,
			"fetch":   cmdFetch,
			"realpm2": cmdRealPM2,
			"waitlog": cmdWaitlog,
			"holds":   cmdHolds,
		},
	})
}

// endDaemon ends what a script left running, through its API, or by pid where that fails.
func endDaemon(t *testing.T, home string) {
	client := ipc.New(home)
	defer client.Close()
	status, err := client.Ping(context.Background())
	if errors.Is(err, ipc.ErrNotRunning) {
		return
	}
	if err != nil {
		t.Errorf("a daemon that does not answer is left in %s: %v", home, err)
		return
	}
	list, err := client.Processes(context.Background(), ipc.ListQuery{})
	if err != nil {
		t.Errorf("cannot list what is left: %v", err)
	}
	if code := run(context.Background(), "gpm", []string{"--home", home, "-s", "kill"}, os.Stderr, os.Stderr); code == 0 {
		return
	}
	t.Errorf("gpm kill failed in %s", home)
	for _, pid := range append([]int{status.MasterPID, status.PID}, numbersOf(list, pidOf)...) {
		if p, err := os.FindProcess(pid); err == nil && pid > 0 {
			_ = p.Kill()
		}
	}
}

// golden compares with a file in testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; got:\n%s\nwant:\n%s", file, got, want)
	}
}

// gpm runs a command in this process.
func gpm(home string, args ...string) (code int, stdout, stderr string) {
	var out, err strings.Builder
	code = run(context.Background(), "gpm", append([]string{"--home", home}, args...), &out, &err)
	return code, out.String(), err.String()
}

// mustContain fails for each text that is not in got.
func mustContain(t *testing.T, what, got string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(got, text) {
			t.Errorf("%s has no %q:\n%s", what, text, got)
		}
	}
}
