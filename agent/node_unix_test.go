//go:build unix

package agent

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience is how long anything in these tests may take on a busy machine.
const patience = 30 * time.Second

// eachNode runs f with the node of the PATH and those that GPM_TEST_NODES, a list
// like PATH, names in addition.
func eachNode(t *testing.T, f func(t *testing.T, node string)) {
	t.Helper()
	programs := filepath.SplitList(os.Getenv("GPM_TEST_NODES"))
	if found, err := exec.LookPath("node"); err == nil {
		programs = append(programs, found)
	}
	if len(programs) == 0 {
		t.Skip("needs node")
	}
	for _, program := range programs {
		t.Run(nodeVersion(t, program), func(t *testing.T) { f(t, program) })
	}
}

func nodeVersion(t testing.TB, program string) string {
	t.Helper()
	out, err := exec.Command(program, "--version").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// needMajor skips t for older Nodes.
func needMajor(t *testing.T, node string, least int) {
	t.Helper()
	major, _, _ := strings.Cut(strings.TrimPrefix(nodeVersion(t, node), "v"), ".")
	if n, err := strconv.Atoi(major); err != nil || n < least {
		t.Skipf("needs Node %d", least)
	}
}

// app is a running Node app with its agent.
type app struct {
	t      testing.TB
	cmd    *exec.Cmd
	conn   *Conn
	hello  chan Hello
	stats  chan Stats
	stdin  io.WriteCloser
	stdout io.ReadCloser
	out    *bufio.Reader
	ran    chan error // gets Run's result
}

// start runs the app at file with the agent installed in a folder with a space in
// its name. change may alter the command before it starts.
func start(t testing.TB, node, file string, change ...func(*exec.Cmd)) *app {
	t.Helper()
	ours, theirs := pair(t)
	a := &app{t: t, hello: make(chan Hello, 1), stats: make(chan Stats, 100), ran: make(chan error, 1)}
	a.cmd = exec.Command(node, file)
	a.cmd.Env = Inject(cleanEnv(), install(t), 3)
	a.cmd.ExtraFiles = []*os.File{theirs}
	a.cmd.Stderr = t.Output()
	for _, f := range change {
		f(a.cmd)
	}
	a.pipes()
	a.conn = New(ours, Handlers{
		Hello: func(h Hello) { a.hello <- h },
		Stats: func(s Stats) { a.stats <- s },
	})
	if err := a.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	go func() { a.ran <- a.conn.Run() }()
	t.Cleanup(a.end)
	return a
}

func (a *app) pipes() {
	stdin, err := a.cmd.StdinPipe()
	if err != nil {
		a.t.Fatal(err)
	}
	stdout, err := a.cmd.StdoutPipe()
	if err != nil {
		a.t.Fatal(err)
	}
	a.stdin, a.stdout, a.out = stdin, stdout, bufio.NewReader(stdout)
}

func (a *app) end() {
	a.cmd.Process.Kill()
	a.cmd.Wait()
	a.conn.Close()
	if err := <-a.ran; err != nil {
		a.t.Error(err)
	}
}

// line is the next line of the app's output.
func (a *app) line() string {
	a.t.Helper()
	text, err := a.out.ReadString('\n')
	if err != nil {
		a.t.Fatalf("no line: %v", err)
	}
	return strings.TrimSuffix(text, "\n")
}

// json decodes the next line of the app's output.
func (a *app) json(into any) {
	a.t.Helper()
	if err := json.Unmarshal([]byte(a.line()), into); err != nil {
		a.t.Fatal(err)
	}
}

// report is the next report of the agent.
func (a *app) report() Stats {
	a.t.Helper()
	return receive(a.t, a.stats)
}

func receive[T any](t testing.TB, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

func soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// pair returns the two ends of a connection; the first is non-blocking.
func pair(t testing.TB) (ours, theirs *os.File) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	check(t, err)
	syscall.CloseOnExec(fds[0])
	syscall.CloseOnExec(fds[1])
	check(t, syscall.SetNonblock(fds[0], true))
	ours, theirs = os.NewFile(uintptr(fds[0]), "agent"), os.NewFile(uintptr(fds[1]), "app")
	t.Cleanup(func() { ours.Close(); theirs.Close() })
	return ours, theirs
}

func install(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), `a "quoted" dir\`)
	check(t, os.Mkdir(dir, 0o755))
	path, err := Install(dir)
	check(t, err)
	return path
}

// cleanEnv is the test's environment without what changes Node.
func cleanEnv() []string {
	var env []string
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "NODE_") {
			env = append(env, entry)
		}
	}
	return env
}

// write makes a file in a folder of its own, or beside the file given before.
func write(t testing.TB, name, text string) string {
	t.Helper()
	if !filepath.IsAbs(name) {
		name = filepath.Join(t.TempDir(), name)
	}
	check(t, os.WriteFile(name, []byte(text), 0o644))
	return name
}
