//go:build unix

package main

import (
	"io"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"gpm/testprog"
)

func script(t *testing.T, name string) string {
	t.Helper()
	path, err := testprog.Script(name)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestNodeServer(t *testing.T) {
	cmd, out := start(t, []string{"PORT=0"}, "node", script(t, "http.js"))
	port := wantLine(t, out, "listening ")
	resp, err := http.Get("http://127.0.0.1:" + port)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	want := strconv.Itoa(cmd.Process.Pid) + "\n"
	if body, err := io.ReadAll(resp.Body); err != nil || string(body) != want {
		t.Errorf("answered %q, %v; want its pid %q", body, err, want)
	}
	http.DefaultClient.CloseIdleConnections()
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("ended with %v after SIGINT, want exit status 0", err)
	}
}

func TestSegfault(t *testing.T) {
	cmd := exec.Command("python3", script(t, "segv.py"))
	cmd.Dir = t.TempDir() // for a core file, where there are any
	if got := status(t, cmd.Run()); got.Signal() != syscall.SIGSEGV {
		t.Errorf("ended by %v, want SIGSEGV", got.Signal())
	}
}

func TestShellChildren(t *testing.T) {
	cmd, out := start(t, nil, script(t, "children.sh"))
	pids := map[int]bool{cmd.Process.Pid: true}
	t.Cleanup(func() { killAll(pids) })
	for range 3 {
		if !out.Scan() {
			t.Fatal("too few children", out.Err())
		}
		_, number, _ := strings.Cut(out.Text(), "child ")
		pid, err := strconv.Atoi(number)
		if err != nil {
			t.Fatalf("printed %q, want a pid", out.Text())
		}
		if err := syscall.Kill(pid, 0); err != nil {
			t.Errorf("%s is not there: %v", out.Text(), err)
		}
		pids[pid] = true
	}
}
