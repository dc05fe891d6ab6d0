package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"gpm/app"
	"gpm/ipc"
	"gpm/testprog"
)

func pidOf(s app.Status) int { return s.PID }

// scriptLimit is how long a script waits for a state.
const scriptLimit = 30 * time.Second

// cmdAwait waits until a process is in a state: await web online. A third word is a number of restarts that must
// have happened: await web errored 3.
func cmdAwait(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: await name state [restarts]")
	}
	restarts := 0
	if len(args) > 2 {
		n, err := strconv.Atoi(args[2])
		ts.Check(err)
		restarts = n
	}
	client := ipc.New(homeOf(ts))
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), scriptLimit)
	defer cancel()
	last := "never seen"
	for pause(ctx) == nil {
		list, err := client.Processes(ctx, ipc.ListQuery{Selectors: []string{args[0]}})
		switch {
		case err != nil && ctx.Err() == nil:
			last = err.Error()
			continue
		case err != nil:
			continue
		}
		if inState(list, strings.ReplaceAll(args[1], "_", " "), restarts) {
			return
		}
		last = fmt.Sprintf("%+v", list)
	}
	ts.Fatalf("%s is not %s after %s: %s", args[0], args[1], scriptLimit, last)
}

func inState(list []app.Status, state string, restarts int) bool {
	for _, s := range list {
		if s.State.String() != state || s.Restarts < restarts {
			return false
		}
	}
	return len(list) > 0
}

// cmdAlive checks that the processes whose ids are in a file are alive, or with ! that they are gone:
// ! alive pids.txt.
func cmdAlive(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: [!] alive file")
	}
	for _, word := range strings.Fields(ts.ReadFile(args[0])) {
		pid, err := strconv.Atoi(word)
		ts.Check(err)
		awaitAlive(ts, pid, !neg)
	}
}

func awaitAlive(ts *testscript.TestScript, pid int, want bool) {
	ctx, cancel := context.WithTimeout(context.Background(), scriptLimit)
	defer cancel()
	for isAlive(pid) != want {
		if pause(ctx) != nil {
			ts.Fatalf("process %d: alive is %v, want %v", pid, !want, want)
		}
	}
}

// isAlive is false for a zombie too.
func isAlive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, ok := strings.Cut(string(stat), ") ")
	return ok && !strings.HasPrefix(rest, "Z")
}

// cmdWaitlog waits until a process has printed a line: waitlog web 'listening'.
func cmdWaitlog(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: waitlog name line")
	}
	client := ipc.New(homeOf(ts))
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), scriptLimit)
	defer cancel()
	for line, err := range client.Logs(ctx, app.LogQuery{Selectors: args[:1], Lines: -1, Follow: true}) {
		ts.Check(err)
		if line.Text == args[1] {
			return
		}
	}
	ts.Fatalf("%s does not print %q within %s", args[0], args[1], scriptLimit)
}

// cmdHolds waits until a file holds a text: holds out '| stays'.
func cmdHolds(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: holds file text")
	}
	ctx, cancel := context.WithTimeout(context.Background(), scriptLimit)
	defer cancel()
	for !strings.Contains(ts.ReadFile(args[0]), args[1]) {
		if pause(ctx) != nil {
			ts.Fatalf("%s does not hold %q within %s: %s", args[0], args[1], scriptLimit, ts.ReadFile(args[0]))
		}
	}
}

// cmdExits runs a command that must end with an exit code: exits 7 gpm runtime app.
func cmdExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits code program argument...")
	}
	code := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		code = exit.ExitCode()
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

// freePort is a port that nobody listened on a moment ago.
func freePort(t *testing.T) string {
	port, err := testprog.Port(1)
	if err != nil {
		t.Fatal(err)
	}
	return strconv.Itoa(port)
}

// cmdFetch prints what a URL answers; a status other than 200 is a failure: [!] fetch http://…
func cmdFetch(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: [!] fetch url")
	}
	client := http.Client{Timeout: scriptLimit, Transport: &http.Transport{DisableKeepAlives: true}}
	ctx, cancel := context.WithTimeout(context.Background(), scriptLimit)
	defer cancel()
	resp, err := client.Get(args[0])
	for err != nil && !neg && pause(ctx) == nil { // online is not yet listening
		resp, err = client.Get(args[0])
	}
	if err != nil {
		if !neg {
			ts.Fatalf("%v", err)
		}
		return
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	ts.Check(err)
	if neg != (resp.StatusCode != http.StatusOK) {
		ts.Fatalf("%s: %s", args[0], resp.Status)
	}
	fmt.Fprint(ts.Stdout(), string(body))
}

// homeOf is the home that a script works in.
func homeOf(ts *testscript.TestScript) string {
	if home := ts.Getenv("GPM_HOME"); home != "" {
		return home
	}
	return ts.Getenv("PM2_HOME")
}

// cmdRealPM2 runs the command line of the npm package pm2: [!] realpm2 restart web.
func cmdRealPM2(ts *testscript.TestScript, neg bool, args []string) {
	if home := ts.Getenv("PM2_HOME"); home != homeOf(ts) { // a daemon of its own, which must not outlive the script
		ts.Defer(func() {
			text, _ := os.ReadFile(filepath.Join(home, "pm2.pid"))
			if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
				if p, err := os.FindProcess(pid); err == nil {
					_ = p.Signal(syscall.SIGTERM)
				}
			}
		})
	}
	err := ts.Exec("node", append([]string{filepath.Join(ts.Getenv("REALPM2"), "bin", "pm2")}, args...)...)
	if (err != nil) != neg {
		ts.Fatalf("pm2 %s: %v", strings.Join(args, " "), err)
	}
}
