//go:build linux

// Package e2e runs the built gpm with real programs, as a user does.
package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"gpm/app"
	"gpm/testprog"
	"gpm/testprog/leak"
)

// binaries are built once for all tests.
var gpmBin, progBin string

func TestMain(m *testing.M) {
	os.Exit(withBinaries(m))
}

func withBinaries(m *testing.M) int {
	dir, err := os.MkdirTemp("", "gpm-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { // other users run the binaries too
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	for pkg, bin := range map[string]*string{"./cmd/gpm": &gpmBin, "./testprog/prog": &progBin} {
		if *bin, err = testprog.Build(dir, pkg); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return m.Run()
}

// home is a private gpm home; nothing of it outlives its test.
type home struct {
	t    *testing.T
	dir  string              // the home
	cwd  string              // where commands run
	env  []string            // more variables for the commands
	user *syscall.Credential // who runs the commands; nil = whoever runs the test
}

func newHome(t *testing.T) *home {
	t.Helper()
	return newHomeOf(t, nil)
}

func newHomeOf(t *testing.T, user *syscall.Credential) *home {
	t.Helper()
	h := &home{t: t, dir: filepath.Join(t.TempDir(), "home"), cwd: t.TempDir(), user: user}
	if user != nil {
		h.giveAway(filepath.Dir(h.dir))
		h.giveAway(h.cwd)
	}
	t.Cleanup(func() {
		h.run("kill")
		if t.Failed() {
			h.dumpLogs()
		}
		leak.Check(t, h.dir)
	})
	return h
}

// giveAway makes a test's directory one of the home's user.
func (h *home) giveAway(dir string) {
	h.t.Helper()
	if err := errors.Join(os.Chmod(filepath.Dir(dir), 0o755), os.Chown(dir, int(h.user.Uid), int(h.user.Gid))); err != nil {
		h.t.Fatal(err)
	}
}

func (h *home) dumpLogs() {
	for _, name := range []string{"daemon.log", "master.log"} {
		b, err := os.ReadFile(filepath.Join(h.dir, name))
		if err == nil {
			h.t.Logf("%s:\n%s", name, b)
		}
	}
}

// result is how a command ended.
type result struct {
	out, err string
	code     int
}

func (h *home) command(args ...string) *exec.Cmd {
	cmd := exec.Command(gpmBin, args...)
	cmd.Dir = h.cwd
	cmd.Env = append(append(os.Environ(), "GPM_HOME="+h.dir, "NO_COLOR=1"), h.env...)
	if h.user != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: h.user}
	}
	return cmd
}

// run runs a command whatever comes of it.
func (h *home) run(args ...string) result {
	return h.finish(h.command(args...))
}

func (h *home) finish(cmd *exec.Cmd) result {
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	r := result{out.String(), errs.String(), 0}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		r.code = exit.ExitCode()
	} else if err != nil {
		h.t.Errorf("%.200q: %v", cmd.Args, err)
	}
	return r
}

// must runs a command that has to succeed and returns what it printed.
func (h *home) must(args ...string) string {
	h.t.Helper()
	r := h.run(args...)
	if r.code != 0 {
		h.t.Fatalf("gpm %v: exit %d\n%s%s", args, r.code, r.out, r.err)
	}
	return r.out
}

// fails runs a command that has to fail with a sentence that holds the words.
func (h *home) fails(words string, args ...string) {
	h.t.Helper()
	r := h.run(args...)
	if r.code == 0 || !strings.Contains(r.err, words) {
		h.t.Errorf("gpm %v: exit %d, want a failure that says %q\n%s%s", args, r.code, words, r.out, r.err)
	}
}

func (h *home) list() []app.Status {
	h.t.Helper()
	return decode[[]app.Status](h, "list", "--json")
}

// instances returns the processes of a name, by id.
func (h *home) instances(name string) []app.Status {
	h.t.Helper()
	var found []app.Status
	for _, st := range h.list() {
		if st.Name == name {
			found = append(found, st)
		}
	}
	slices.SortFunc(found, func(a, b app.Status) int { return a.ID - b.ID })
	return found
}

// status returns the only instance of a name.
func (h *home) status(name string) app.Status {
	h.t.Helper()
	found := h.instances(name)
	if len(found) != 1 {
		h.t.Fatalf("%d processes are called %q", len(found), name)
	}
	return found[0]
}

func (h *home) daemon() app.DaemonStatus {
	h.t.Helper()
	return decode[app.DaemonStatus](h, "daemon", "status", "--json")
}

func decode[T any](h *home, args ...string) T {
	h.t.Helper()
	var v T
	if out := h.must(args...); json.Unmarshal([]byte(out), &v) != nil {
		h.t.Fatalf("gpm %v printed no JSON: %s", args, out)
	}
	return v
}

// history is what `gpm why` knows about a process.
func (h *home) history(name string) []app.Event {
	h.t.Helper()
	return decode[[]app.Event](h, "why", name, "--json")
}

// hang is how long a test waits for what takes moments: it only tells waiting from hanging. How long things
// take is measured by the benchmark, on a machine that does nothing else.
const hang = time.Minute

// until waits for a condition on the published state.
func (h *home) until(what string, limit time.Duration, ok func() bool) {
	h.t.Helper()
	deadline := time.After(limit)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			h.t.Fatalf("not within %s: %s\n%s", limit, what, h.run("list").out)
		case <-tick.C:
		}
	}
}

func (h *home) untilState(name string, s app.State) app.Status {
	h.t.Helper()
	var st app.Status
	h.until(fmt.Sprintf("%s is %s", name, s), hang, func() bool {
		st = h.status(name)
		return st.State == s
	})
	return st
}

// write makes a file in the working directory.
func (h *home) write(name, text string, mode os.FileMode) string {
	h.t.Helper()
	path := filepath.Join(h.cwd, name)
	err := os.WriteFile(path, []byte(text), mode)
	if err == nil && h.user != nil {
		err = os.Chown(path, int(h.user.Uid), int(h.user.Gid))
	}
	if err != nil {
		h.t.Fatal(err)
	}
	return path
}

// outLog reads what an app has printed; the name may be that of the file.
func (h *home) outLog(name string) string {
	h.t.Helper()
	if !strings.HasSuffix(name, ".log") {
		name += "-out.log"
	}
	b, err := os.ReadFile(filepath.Join(h.dir, "logs", name))
	if err != nil && !os.IsNotExist(err) {
		h.t.Fatal(err)
	}
	return string(b)
}

// freePort returns a port that nobody listens on at the moment.
func freePort(t *testing.T) string {
	t.Helper()
	return freePorts(t, 1)
}

// freePorts returns the first of n in a row.
func freePorts(t *testing.T, n int) string {
	t.Helper()
	port, err := testprog.Port(n)
	if err != nil {
		t.Fatal(err)
	}
	return strconv.Itoa(port)
}

// get asks a server once, on a connection of its own.
func get(ctx context.Context, port string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1:"+port+"/", nil)
	if err != nil {
		return err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %s", resp.Status)
	}
	return nil
}

func script(t *testing.T, name string) string {
	t.Helper()
	path, err := testprog.Script(name)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func lines(s string) []string {
	var out []string
	for sc := bufio.NewScanner(strings.NewReader(s)); sc.Scan(); {
		out = append(out, sc.Text())
	}
	return out
}

func alive(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	// Its first thread is a zombie while others still have its files and sockets.
	threads, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	return !strings.HasPrefix(rest, "Z") || len(threads) > 1
}
