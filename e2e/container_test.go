//go:build linux

package e2e

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// container is gpm runtime as the first process of a container: a read-only root, /dev/shm, an ordinary user without a home.
type container struct {
	t     *testing.T
	cmd   *exec.Cmd
	ended chan error
	mu    sync.Mutex // guards out
	out   bytes.Buffer
}

func (c *container) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.Write(p)
}

func (c *container) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.String()
}

func runContainer(t *testing.T, words ...string) *container {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("a container needs root")
	}
	const setup = `set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /dev/shm
mount -t proc proc /proc
for m in /run /tmp; do mount -t tmpfs -o ro tmpfs $m; done
mount -o remount,bind,ro /
cd /
exec env -i PATH="$PATH" setpriv --reuid 65534 --regid 65534 --clear-groups "$@"`
	dir, err := os.MkdirTemp("/var/tmp", "gpm-container-") // /tmp is empty in there
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	for _, file := range []string{gpmBin, progBin} {
		if out, err := exec.Command("cp", file, dir).CombinedOutput(); err != nil {
			t.Fatalf("%v %s", err, out)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for i, w := range words {
		words[i] = strings.ReplaceAll(w, "BIN", dir)
	}
	c := &container{t: t, ended: make(chan error, 1)}
	c.cmd = exec.Command("unshare", append([]string{"--fork", "--pid", "--mount", "--ipc", "--kill-child", "sh", "-c", setup, "sh", filepath.Join(dir, "gpm"), "runtime"}, words...)...)
	c.cmd.Stdout, c.cmd.Stderr = c, c
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { c.ended <- c.cmd.Wait() }()
	t.Cleanup(c.end)
	return c
}

func (c *container) end() {
	if first := onlyChild(c.cmd.Process.Pid); first != 0 {
		_ = syscall.Kill(first, syscall.SIGKILL)
	}
	c.code()
}

// code waits for the end.
func (c *container) code() int {
	c.t.Helper()
	select {
	case err := <-c.ended:
		c.ended <- err
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			return exit.ExitCode()
		}
		return 0
	case <-time.After(60 * time.Second):
		c.t.Fatalf("the container does not end:\n%s", c.text())
		return -1
	}
}

func (c *container) until(what string, ok func() bool) {
	c.t.Helper()
	deadline := time.After(60 * time.Second)
	for !ok() {
		select {
		case <-deadline:
			c.t.Fatalf("not within a minute: %s\n%s", what, c.text())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// signal signals the container's first process.
func (c *container) signal(s syscall.Signal) {
	c.t.Helper()
	if err := syscall.Kill(onlyChild(c.cmd.Process.Pid), s); err != nil {
		c.t.Error(err)
	}
}

func TestContainerExitCode(t *testing.T) {
	c := runContainer(t, "BIN/prog", "--no-autorestart", "--", "exit", "7")
	if code := c.code(); code != 7 {
		t.Errorf("exit code %d\n%s", code, c.text())
	}
}

func TestContainerSignals(t *testing.T) {
	// The app leaves orphans to the first process, and tells what it gets.
	const app = `trap 'echo got USR1' USR1; trap 'echo got INT; exit 7' INT
echo ready
while :; do sleep 0.05; done`
	c := runContainer(t, "/bin/bash", "--interpreter", "none", "--", "-c", app)
	c.until("the app runs", func() bool { return strings.Contains(c.text(), "ready") })
	first := onlyChild(c.cmd.Process.Pid)
	zombie := exec.Command("nsenter", "-t", strconv.Itoa(first), "-p", "-m", "sh", "-c", "(sh -c 'sleep 0.2 & exec true' &) ; exit 0")
	if out, err := zombie.CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	c.signal(syscall.SIGUSR1)
	c.until("the signal arrives", func() bool { return strings.Contains(c.text(), "got USR1") })
	c.until("no zombie is left", func() bool { return len(zombies(first)) == 0 })
	c.signal(syscall.SIGTERM)
	if code := c.code(); code != 7 || c.text() != "ready\ngot USR1\ngot INT\n" {
		t.Errorf("exit code %d, output %q", code, c.text())
	}
}

// zombies are the ended children of a process.
func zombies(pid int) []string {
	text, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/task/" + strconv.Itoa(pid) + "/children")
	var out []string
	for _, child := range strings.Fields(string(text)) {
		stat, _ := os.ReadFile("/proc/" + child + "/stat")
		if _, rest, _ := strings.Cut(string(stat), ") "); strings.HasPrefix(rest, "Z") {
			out = append(out, child)
		}
	}
	return out
}
