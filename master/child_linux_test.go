package master

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// childVar makes the test binary a child: its value is "mode arg …".
const childVar = "GPM_TEST_CHILD"

// TestMain runs the tests, or one of the programs that the tests start.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "exec-worker" {
		_ = Trampoline(os.Args[2:])
		os.Exit(1)
	}
	if len(os.Args) > 2 && os.Args[2] == "--check" {
		if CheckTable() != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	words := strings.Fields(os.Getenv(childVar))
	if len(words) == 0 {
		inheritNothing() // whatever runs the tests may have left something open
		os.Exit(m.Run())
	}
	program, ok := programs()[words[0]]
	if !ok {
		fmt.Fprintln(os.Stderr, "no such program:", words[0])
		os.Exit(99)
	}
	program(words[1:])
}

// noRaceWait keeps the race detector from delaying each exit by a second.
const noRaceWait = "GORACE=atexit_sleep_ms=0"

// programs are what a child can be.
func programs() map[string]func(args []string) {
	return map[string]func([]string){
		"exit":   func(a []string) { os.Exit(number(a[0])) },
		"raise":  func(a []string) { raise(syscall.Signal(number(a[0]))) },
		"wait":   func([]string) { waitForSignal() },
		"ignore": func([]string) { signal.Ignore(syscall.SIGTERM, syscall.SIGINT); fmt.Println("deaf"); waitForSignal() },
		"cat":    func([]string) { io.Copy(os.Stdout, os.Stdin) },
		"lines":  func(a []string) { printLines(number(a[0])) },
		"flood":  func([]string) { flood() },
		"burn":   func(a []string) { burn(number(a[0])) },
		"env":    func([]string) { fmt.Print(len(strings.Join(os.Environ(), "\x00"))) },
		"self":   func([]string) { describeSelf() },
		"orphan": func([]string) { makeOrphan() },
		"nested": func([]string) { startNested() },
		"limit":  func([]string) { printChildFileLimit() },
		"master": func([]string) { masterProgram() },
		"daemon": func(a []string) { daemonProgram(a) },
	}
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic(err)
	}
	return n
}

// raise ends this process by a signal without Go's handling of it.
func raise(sig syscall.Signal) {
	signal.Reset(sig)
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	var dfl [4]uint64 // SIG_DFL, no flags, no mask
	_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(&dfl)), 0, 8, 0, 0)
	_ = syscall.Kill(os.Getpid(), sig)
	waitForSignal()
}

func waitForSignal() {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGUSR1)
	<-c
}

// printLines prints numbered lines at a pace that lets a daemon die in between.
func printLines(n int) {
	tick := time.NewTicker(50 * time.Microsecond)
	defer tick.Stop()
	for i := range n {
		fmt.Println("line", i)
		<-tick.C
	}
	waitForSignal()
}

// flood fills the pipe until a write blocks, says so by a file, and goes on.
func flood() {
	for {
		if _, err := os.Stdout.WriteString(strings.Repeat("x", 1024)); err != nil {
			os.WriteFile(os.Getenv("REPORT"), []byte(err.Error()), 0o600)
			os.Exit(1)
		}
	}
}

func burn(mib int) {
	b := make([]byte, mib<<20)
	for begin := time.Now(); time.Since(begin) < 30*time.Millisecond; {
		for i := range b {
			b[i]++
		}
	}
	runtime.KeepAlive(b)
}

// selfReport is what a child sees of itself.
type selfReport struct {
	Files  map[int]string // open descriptors other than those of the runtime
	Nofile unix.Rlimit
	Nice   int
	CPUs   []int
	OOM    string
	UID    int
	GID    int
	Groups []int
	Dir    string
	SID    int
	PID    int
	Args   []string
}

func describeSelf() {
	r := selfReport{Files: map[int]string{}, UID: os.Getuid(), GID: os.Getgid(), PID: os.Getpid(), Args: os.Args}
	entries, _ := os.ReadDir("/proc/self/fd")
	for _, e := range entries {
		fd := number(e.Name())
		target, err := os.Readlink("/proc/self/fd/" + e.Name())
		flags, _ := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err == nil && flags&unix.FD_CLOEXEC == 0 { // the runtime's own are close-on-exec
			r.Files[fd] = target
		}
	}
	var set unix.CPUSet
	_ = unix.SchedGetaffinity(0, &set)
	for n := range 1024 {
		if set.IsSet(n) {
			r.CPUs = append(r.CPUs, n)
		}
	}
	_ = unix.Getrlimit(unix.RLIMIT_NOFILE, &r.Nofile)
	nice, _ := unix.Getpriority(unix.PRIO_PROCESS, 0)
	r.Nice = 20 - nice
	oom, _ := os.ReadFile("/proc/self/oom_score_adj")
	r.OOM = strings.TrimSpace(string(oom))
	r.Groups, _ = os.Getgroups()
	r.Dir, _ = os.Getwd()
	r.SID, _ = unix.Getsid(0)
	json.NewEncoder(os.Stdout).Encode(r)
}

// makeOrphan starts a process in a session of its own, prints its pid, and leaves it.
func makeOrphan() {
	pid := startSelf("wait")
	fmt.Println(pid)
}

// startNested starts a process in its own group and waits.
func startNested() {
	exe, _ := os.Executable()
	pid, err := syscall.ForkExec(exe, []string{"nested"}, &syscall.ProcAttr{
		Env: []string{childVar + "=wait", noRaceWait}, Files: []uintptr{0, 1, 2},
	})
	fmt.Println(pid, err)
	waitForSignal()
}

func printChildFileLimit() {
	exe, _ := os.Executable()
	lim, err := childFileLimit(exe)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(lim.Soft, lim.Hard)
}

func startSelf(mode string) int {
	exe, _ := os.Executable()
	pid, err := syscall.ForkExec(exe, []string{"gpm-test"}, &syscall.ProcAttr{
		Env: []string{childVar + "=" + mode, noRaceWait}, Files: []uintptr{0, 1, 2},
		Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		panic(err)
	}
	return pid
}

// --- helpers of the tests

func exe(t testing.TB) string {
	t.Helper()
	name, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// self is a Spawn of a test program.
func self(t testing.TB, key, mode string) Spawn {
	t.Helper()
	return Spawn{Key: key, Path: exe(t), Argv: []string{"child-" + key}, Env: []string{childVar + "=" + mode, noRaceWait}, Dir: "/"}
}

func sh(key, script string) Spawn {
	return Spawn{Key: key, Path: "/bin/sh", Argv: []string{"sh", "-c", script}, Env: []string{"PATH=/usr/bin:/bin"}}
}

// patience is how long a real process may take on a busy machine.
const patience = 30 * time.Second

// until polls a state that other processes publish.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("never: %s", what)
		}
	}
}

// newTable returns a Table whose children are killed at the end.
func newTable(t testing.TB, opt Options) *Table {
	t.Helper()
	if opt.Home == "" {
		opt.Home = t.TempDir()
	}
	opt.Trampoline = []string{exe(t), "exec-worker"}
	table, err := NewTable(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		killAll(t, table)
		table.Close()
	})
	return table
}

func killAll(t testing.TB, h Host) {
	list, err := h.List(t.Context())
	if err != nil && t.Context().Err() == nil {
		t.Error(err)
	}
	for _, c := range list.Children {
		if c.Adopted && c.Exit != nil {
			continue // its pid may be another's
		}
		_ = unix.Kill(-c.PID, unix.SIGKILL)
		_, _ = unix.Wait4(c.PID, nil, 0, nil)
	}
}

func spawnIt(t testing.TB, h Host, s Spawn) Spawned {
	t.Helper()
	p, err := h.Spawn(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeAll(p) })
	return p
}

func closeAll(p Spawned) {
	for _, f := range []*os.File{p.Stdout, p.Stderr, p.Stdin} {
		if f != nil {
			f.Close()
		}
	}
}

func nextExit(t testing.TB, h Host) Exit {
	t.Helper()
	select {
	case e, ok := <-h.Exits():
		if !ok {
			t.Fatal("the exits have ended")
		}
		return e
	case <-time.After(patience):
		t.Fatal("no exit came")
	}
	return Exit{}
}

// exitOf waits for the exit of one child and releases it.
func exitOf(t testing.TB, h Host, key string) Exit {
	t.Helper()
	e := nextExit(t, h)
	if e.Key != key {
		t.Fatalf("exit of %q, want %q", e.Key, key)
	}
	if err := h.Release(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	return e
}

func firstLine(t testing.TB, p Spawned) string {
	t.Helper()
	p.Stdout.SetReadDeadline(time.Now().Add(patience))
	line, err := bufio.NewReader(p.Stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line)
}

func report(t testing.TB, p Spawned) selfReport {
	t.Helper()
	var r selfReport
	p.Stdout.SetReadDeadline(time.Now().Add(patience))
	if err := json.NewDecoder(p.Stdout).Decode(&r); err != nil {
		p.Stderr.SetReadDeadline(time.Now())
		text, _ := io.ReadAll(p.Stderr)
		t.Fatalf("%v; stderr: %s", err, text)
	}
	return r
}

// state is the letter of a process's state, 0 when it does not exist.
func state(pid int) byte {
	s, err := readStat(pid)
	if err != nil {
		return 0
	}
	return s.state
}
