package master

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// masterVar configures the master program.
const masterVar = "GPM_TEST_MASTER"

type masterConfig struct {
	Dir       string
	Heartbeat time.Duration
	Daemon    string // what the daemon does, as in childVar
}

// masterProgram is a real master. Its exit code tells how Run ended.
func masterProgram() {
	var c masterConfig
	if err := json.Unmarshal([]byte(os.Getenv(masterVar)), &c); err != nil {
		panic(err)
	}
	exe, _ := os.Executable()
	resume := 0
	if at := slices.Index(os.Args, "--resume"); at > 0 {
		fmt.Sscanf(os.Args[at+1], "%d:", &resume)
	}
	err := Run(context.Background(), Config{
		Home:       c.Dir,
		Daemon:     Command{Path: exe, Argv: []string{"gpm", "daemon"}, Env: []string{childVar + "=daemon " + c.Daemon, noRaceWait}, Dir: "/"},
		Output:     filepath.Join(c.Dir, "daemon.log"),
		Trampoline: []string{exe, "exec-worker"},
		Heartbeat:  c.Heartbeat,
		Log:        slog.New(slog.NewTextHandler(os.Stderr, nil)),
		maxDelay:   20 * time.Millisecond,
		probation:  time.Second,
		Argv:       []string{"test", "master"}, Resume: resume,
	})
	switch {
	case errors.Is(err, ErrAlreadyRunning):
		os.Exit(ExitAlreadyRunning)
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// daemonProgram is one of the daemons of the tests.
func daemonProgram(args []string) {
	switch args[0] {
	case "exit":
		os.Exit(number(args[1]))
	case "garbage":
		garbageDaemon(args[1])
	case "keep":
		k := &keeper{dir: args[1], pumped: map[string]bool{}}
		os.Exit(k.run(args[2:]))
	}
	os.Exit(98)
}

// garbageDaemon spoils the link in a way that its number in a row chooses, until it has nothing left to try.
func garbageDaemon(dir string) {
	frames := [][]byte{
		[]byte("GET / HTTP/1.1\r\n\r\n"), {0xff, 0xff, 0xff, 0xff}, {0, 0, 0, 1, '{'}, {0, 0, 0, 0},
		{0, 0}, {0, 0, 0, 9, '{', '"'}, []byte("\x00\x00\x00\x11{\"op\":\"nonsense\"}"),
	}
	n, _ := filepath.Glob(filepath.Join(dir, "tried-*"))
	if len(n) >= len(frames) {
		k := &keeper{dir: dir}
		os.Exit(k.run(nil))
	}
	os.WriteFile(filepath.Join(dir, "tried-"+strconv.Itoa(len(n))), nil, 0o600)
	unix.Write(LinkFD, frames[len(n)])
	if len(n)%2 == 0 {
		os.Exit(1)
	}
	waitForSignal() // the master has to end it
}

// keeper is a daemon that keeps children running and copies their output to
// files without loss. It publishes what happens in files of its folder:
// "daemon" holds its pid, "KEY.pid", "KEY.out", "exits".
type keeper struct {
	dir    string
	link   *Link
	pumped map[string]bool
}

func (k *keeper) run(children []string) int {
	if _, err := os.Stat(filepath.Join(k.dir, "broken")); err == nil {
		return 1
	}
	conn, err := Inherited()
	if err != nil {
		fmt.Println(err)
		return 97
	}
	k.link = Dial(conn, nil)
	for _, c := range children {
		key, mode, _ := strings.Cut(c, "=")
		if err := k.start(key, strings.ReplaceAll(mode, ",", " ")); err != nil {
			fmt.Println(err)
			return 96
		}
	}
	list, _ := k.link.List(context.Background())
	k.publish("rollback", string(list.Notes[RollbackNote]))
	if mode, err := os.ReadFile(filepath.Join(k.dir, "next-daemon")); err == nil && k.resumed() { // that of an upgrade
		if string(mode) == "hangs" {
			waitForSignal()
		}
		return 7
	}
	if err := k.link.Serving(context.Background()); err != nil {
		fmt.Println(err)
		return 94
	}
	k.publish("master", strconv.Itoa(k.link.PID()))
	start, _ := startTime(os.Getpid())
	k.publish("daemon", fmt.Sprint(os.Getpid(), " ", start))
	return k.loop()
}

// start attaches to a child, or starts it when it never was.
func (k *keeper) start(key, mode string) error {
	ctx := context.Background()
	p, err := k.link.Attach(ctx, key)
	if errors.Is(err, os.ErrNotExist) {
		if _, e := os.Stat(filepath.Join(k.dir, key+".pid")); e == nil {
			return nil // it has ended
		}
		p, err = k.link.Spawn(ctx, k.spec(key, mode))
	}
	if err != nil {
		return err
	}
	k.publish(key+".pid", fmt.Sprint(p.PID, " ", p.Start))
	go splice(p.Stdout, filepath.Join(k.dir, key+".out"))
	return nil
}

func (k *keeper) spec(key, mode string) Spawn {
	if mode == "ulimit" {
		return sh(key, "ulimit -Sn; ulimit -Hn; exec sleep 1000")
	}
	if mode == "sleep" {
		return Spawn{Key: key, Path: "/bin/sleep", Argv: []string{"sleep", "1000"}}
	}
	exe, _ := os.Executable()
	return Spawn{Key: key, Path: exe, Argv: []string{"child-" + key}, Dir: "/",
		Env: []string{childVar + "=" + mode, noRaceWait, "REPORT=" + filepath.Join(k.dir, key+".report")}}
}

func (k *keeper) publish(name, text string) {
	path := filepath.Join(k.dir, name)
	os.WriteFile(path+".new", []byte(text), 0o600)
	os.Rename(path+".new", path)
}

// splice moves bytes from a pipe to a file within the kernel: what has left the
// pipe is in the file, whenever this process is killed.
func splice(from *os.File, name string) {
	to, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		panic(err)
	}
	to.Seek(0, io.SeekEnd)
	raw, _ := from.SyscallConn()
	for {
		var n int64
		var err error
		raw.Read(func(fd uintptr) bool {
			n, err = unix.Splice(int(fd), nil, int(to.Fd()), nil, 64<<10, unix.SPLICE_F_NONBLOCK)
			return !errors.Is(err, unix.EAGAIN)
		})
		if n == 0 {
			return
		}
	}
}

// resumed says that the master was executed again, and did not go back to the program before.
func (k *keeper) resumed() bool {
	line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", k.link.PID()))
	list, _ := k.link.List(context.Background())
	return bytes.Contains(line, []byte("--resume")) && list.Notes[RollbackNote] == nil
}

func (k *keeper) loop() int {
	ctx := context.Background()
	asked := time.NewTicker(time.Millisecond)
	defer asked.Stop()
	for {
		select {
		case <-asked.C:
			name := filepath.Join(k.dir, "upgrade")
			program, err := os.ReadFile(name)
			if err != nil {
				continue
			}
			os.Remove(name)
			if err := k.link.Upgrade(ctx, string(program)); err != nil {
				fmt.Println(err)
				return 93
			}
			return 0
		case e, ok := <-k.link.Exits():
			if !ok {
				return 1
			}
			k.record(e)
			if _, err := os.Stat(filepath.Join(k.dir, "no-release")); err != nil {
				k.link.Release(ctx, e.Key)
			}
		case <-k.link.Stopping():
			return k.stop()
		case <-k.link.Gone():
			return 1
		}
	}
}

func (k *keeper) record(e Exit) {
	f, _ := os.OpenFile(filepath.Join(k.dir, "exits"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	fmt.Fprintln(f, e.Key, e.Code, e.Signal)
	f.Close()
}

func (k *keeper) stop() int {
	ctx := context.Background()
	list, _ := k.link.List(ctx)
	for _, c := range list.Children {
		k.link.Signal(ctx, c.Key, int(unix.SIGKILL), true)
	}
	for range list.Children {
		k.link.Release(ctx, (<-k.link.Exits()).Key)
	}
	if err := k.link.Shutdown(ctx); err != nil {
		fmt.Println(err)
		return 95
	}
	return 0
}
