//go:build unix

package main

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"gpm/testprog"
)

// build compiles prog once for all tests of this file.
func build(t *testing.T) string {
	t.Helper()
	bin, err := testprog.Build(t.TempDir(), "./testprog/prog")
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

func TestPrograms(t *testing.T) {
	bin := build(t)
	t.Run("exit", func(t *testing.T) { testExit(t, bin) })
	t.Run("die", func(t *testing.T) { testDie(t, bin) })
	t.Run("printer", func(t *testing.T) { testPrinter(t, bin) })
	t.Run("graceful", func(t *testing.T) { testGraceful(t, bin) })
	t.Run("ignoreterm", func(t *testing.T) { testIgnoreTerm(t, bin) })
	t.Run("doublefork", func(t *testing.T) { testDoubleFork(t, bin) })
	t.Run("forkbomb", func(t *testing.T) { testForkBomb(t, bin) })
}

// start runs a program whose standard output is read line by line, and ends it with the test.
func start(t *testing.T, env []string, argv ...string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout = w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		r.Close()
	})
	return cmd, bufio.NewScanner(r)
}

func wantLine(t *testing.T, out *bufio.Scanner, prefix string) string {
	t.Helper()
	if !out.Scan() || !strings.HasPrefix(out.Text(), prefix) {
		t.Fatalf("printed %q (%v), want %q", out.Text(), out.Err(), prefix)
	}
	return strings.TrimPrefix(out.Text(), prefix)
}

func status(t *testing.T, err error) syscall.WaitStatus {
	t.Helper()
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		t.Fatalf("ended with %v, want an exit status", err)
	}
	return exit.Sys().(syscall.WaitStatus)
}

func testExit(t *testing.T, bin string) {
	if got := status(t, exec.Command(bin, "exit", "3", "10ms").Run()); got.ExitStatus() != 3 {
		t.Errorf("exit status %d, want 3", got.ExitStatus())
	}
	if got := status(t, exec.Command(bin, "exit", "x").Run()); got.ExitStatus() != 2 {
		t.Errorf("wrong arguments: exit status %d, want 2", got.ExitStatus())
	}
}

func testDie(t *testing.T, bin string) {
	cmd := exec.Command(bin, "die", "SEGV")
	cmd.Dir = t.TempDir() // for a core file, where there are any
	if got := status(t, cmd.Run()); got.Signal() != syscall.SIGSEGV {
		t.Errorf("ended by %v, want SIGSEGV", got.Signal())
	}
}

func testPrinter(t *testing.T, bin string) {
	out, err := exec.Command(bin, "printer", "3", "0").CombinedOutput()
	if want := "out 1\nerr 1\nout 2\nerr 2\nout 3\nerr 3\n"; err != nil || string(out) != want {
		t.Errorf("printed %q, %v; want %q", out, err, want)
	}
}

func testGraceful(t *testing.T, bin string) {
	cmd, out := start(t, nil, bin, "graceful", "5", "1ms")
	wantLine(t, out, "ready")
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	wantLine(t, out, "stopping on terminated")
	if got := status(t, cmd.Wait()); got.ExitStatus() != 5 {
		t.Errorf("exit status %d, want 5", got.ExitStatus())
	}
}

func testIgnoreTerm(t *testing.T, bin string) {
	cmd, out := start(t, nil, bin, "ignoreterm")
	wantLine(t, out, "ready")
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGKILL} {
		if err := cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
	}
	if got := status(t, cmd.Wait()); got.Signal() != syscall.SIGKILL {
		t.Errorf("ended by %v, want SIGKILL only", got.Signal())
	}
}

// testDoubleFork: the daemon serves after the whole chain above it is gone.
func testDoubleFork(t *testing.T, bin string) {
	file := filepath.Join(t.TempDir(), "pid")
	cmd, out := start(t, []string{"PORT=0"}, bin, "doublefork", file, "quit")
	var port string
	for port == "" && out.Scan() { // it speaks before or after its starter
		port, _ = strings.CutPrefix(out.Text(), "listening ")
		if port == out.Text() {
			port = ""
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(string(text))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if sid, _, errno := syscall.RawSyscall(syscall.SYS_GETSID, uintptr(pid), 0, 0); errno != 0 || int(sid) != pid {
		t.Errorf("the daemon is in session %d (%v), want its own, %d", sid, errno, pid)
	}
	resp, err := http.Get("http://127.0.0.1:" + port)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || string(body) != string(text)+"\n" {
		t.Errorf("the daemon answered %q, %v; want its pid %d", body, err, pid)
	}
}

// testForkBomb kills one process of a small bomb and sees it come back.
func testForkBomb(t *testing.T, bin string) {
	_, out := start(t, nil, bin, "forkbomb", "7")
	pids := map[int]bool{}
	scan := func() int {
		pid, err := strconv.Atoi(wantLine(t, out, "pid "))
		if err != nil {
			t.Fatal(err)
		}
		pids[pid] = true
		return pid
	}
	t.Cleanup(func() { killAll(pids) })
	var last int
	for range 7 {
		last = scan()
	}
	if err := syscall.Kill(last, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	delete(pids, last) // dead, and perhaps somebody else's by now
	if scan(); len(pids) != 7 {
		t.Errorf("%d different processes, want 7", len(pids))
	}
}

// killAll stops all before it kills any, so that none is left to start another.
func killAll(pids map[int]bool) {
	for _, sig := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGKILL} {
		for pid := range pids {
			_ = syscall.Kill(pid, sig)
		}
	}
}
