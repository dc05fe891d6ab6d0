package agent

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const lines = 20_000

const prints = `
for (let i = 0; i < 20000; i++) console.log('line ' + i);
process.exit();
`

const childPrints = `
require('child_process').spawn(process.execPath, ['-e', 'console.log("child"); setInterval(() => process.ppid === ' + process.pid + ' || process.exit(), 50)'], { stdio: 'inherit' });
`

// TestExitLosesNoLine though the pipe was full for a while. Node alone loses what
// the pipe could not hold, which is what the agent is there for.
func TestExitLosesNoLine(t *testing.T) {
	eachNode(t, func(t *testing.T, node string) {
		file := write(t, "app.js", prints)
		if got := printed(t, node, file, func(c *exec.Cmd) { c.Env = cleanEnv() }, exited); got == lines {
			t.Error("it loses nothing without the agent either")
		}
		if got := printed(t, node, file, func(*exec.Cmd) {}, full); got != lines {
			t.Errorf("%d of %d lines", got, lines)
		}
		// A child on the same pipe makes it non-blocking for all again.
		file = write(t, "app.js", childPrints+prints)
		if got := printed(t, node, file, func(*exec.Cmd) {}, full); got != lines+1 {
			t.Errorf("%d of %d lines beside a child", got, lines+1)
		}
	})
}

// printed counts the lines of an app that is read from only after held.
func printed(t *testing.T, node, file string, change func(*exec.Cmd), held func(*testing.T, *app)) int {
	t.Helper()
	a := start(t, node, file, change)
	held(t, a)
	all, err := io.ReadAll(a.out)
	check(t, err)
	return bytes.Count(all, []byte("\n"))
}

// exited waits for the app's end, which leaves the pipe open.
func exited(t *testing.T, a *app) {
	t.Helper()
	_, err := a.cmd.Process.Wait()
	check(t, err)
}

// full waits until the pipe holds all it can, and then until the app is seen to
// wait for more room.
func full(t *testing.T, a *app) {
	t.Helper()
	stdout := a.stdout.(*os.File)
	raw, err := stdout.SyscallConn()
	check(t, err)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.Now().Add(patience)
	for size := 0; size < 60_000; <-tick.C {
		check(t, raw.Control(func(fd uintptr) { size, err = unix.IoctlGetInt(int(fd), unix.TIOCINQ) }))
		check(t, err)
		if time.Now().After(deadline) {
			t.Fatal("the pipe never filled up")
		}
	}
}
