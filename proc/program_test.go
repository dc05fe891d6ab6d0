package proc

import (
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// programVar makes the test binary one of the programs below instead of a test.
const programVar = "GPM_TEST_CHILD"

// treeVar carries the name of a test to all processes it causes, so that those
// who should be gone can be looked for without the code under test.
const treeVar = "GPM_TEST_TREE"

func TestMain(m *testing.M) {
	if name := os.Getenv(programVar); name != "" {
		os.Exit(program(name))
	}
	becomeReaper()
	os.Exit(m.Run())
}

// program runs one of the programs and returns its exit code.
func program(name string) int {
	name, arg, _ := strings.Cut(name, " ")
	switch name {
	case "exit":
		code, _ := strconv.Atoi(arg)
		return code
	case "sleep":
		return announce(name)
	case "stubborn":
		signal.Ignore(syscall.SIGINT, syscall.SIGTERM)
		return announce(name)
	case "drain": // takes a moment to end in good order and leaves a file behind
		signals := make(chan os.Signal, 1)
		signal.Notify(signals, syscall.SIGTERM)
		fmt.Println(name, os.Getpid())
		<-signals
		<-time.After(200 * time.Millisecond)
		return failed(os.WriteFile(arg, nil, 0o600))
	}
	return parent(name, arg)
}

// parent is a program that makes others.
func parent(name, arg string) int {
	switch name {
	case "wrapper":
		return failed(spawn("drain "+arg, own, nil)) + block()
	case "setsid":
		return failed(spawn("sleep", session, nil)) + block()
	case "daemon": // double fork
		return failed(spawn("middle", session, nil)) + block()
	case "middle":
		return failed(spawn("sleep", session, nil))
	case "wiped": // a child that cannot be known by its environment
		return failed(spawn("stubborn", session, []string{})) + block()
	case "crash":
		return failed(spawn("sleep", own, nil)) + failed(spawn("sleep", session, nil)) + 3
	}
	return 99
}

func own(*syscall.SysProcAttr)       {}
func session(a *syscall.SysProcAttr) { setSession(a) }

// spawn starts a program that inherits our output; nil env inherits that too.
func spawn(name string, attr func(*syscall.SysProcAttr), env []string) error {
	sys := &syscall.SysProcAttr{}
	attr(sys)
	if env == nil {
		env = os.Environ()
	}
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	env = slices.DeleteFunc(env, func(e string) bool { return strings.HasPrefix(e, programVar+"=") })
	env = append(env, programVar+"="+name)
	_, err = os.StartProcess(exe, []string{exe}, &os.ProcAttr{
		Env: env, Sys: sys, Files: []*os.File{nil, os.Stdout, os.Stderr},
	})
	return err
}

// announce says that the program is ready, then waits for its end.
func announce(name string) int {
	fmt.Println(name, os.Getpid())
	return block()
}

func block() int {
	for {
		<-time.After(time.Hour)
	}
}

func failed(err error) int {
	if err == nil {
		return 0
	}
	fmt.Println("failed", err)
	return 98
}
