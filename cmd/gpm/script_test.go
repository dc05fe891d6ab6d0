package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"gpm/app"
	"gpm/ipc"
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
	client := ipc.New(ts.Getenv("GPM_HOME"))
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
