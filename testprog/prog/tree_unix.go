//go:build unix

package main

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
)

func unixCommands() map[string]command {
	return map[string]command{
		"die": die, "doublefork": doubleFork, "middle": middle, "daemon": daemon, "forkbomb": forkBomb,
	}
}

// die becomes a shell that signals itself, for the Go runtime turns the fatal
// signals of its own process into exit status 2. The pid stays the same.
func die(args []string) error {
	if len(args) != 1 {
		return errUsage
	}
	return syscall.Exec("/bin/sh", []string{"sh", "-c", "kill -s " + args[0] + " $$"}, os.Environ())
}

// again is this program with another sub-command, on the same output.
func again(newSession bool, args ...string) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	cmd := exec.Command(self, args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: newSession}
	return cmd
}

// doubleFork leaves a daemon the way daemon(7) describes: a child that starts its own
// session, whose child starts one again and outlives both.
func doubleFork(args []string) error {
	if len(args) == 0 || len(args) > 2 {
		return errUsage
	}
	if err := again(true, "middle", args[0]).Run(); err != nil {
		return err
	}
	fmt.Println("daemon started")
	if len(args) == 2 {
		return nil
	}
	return sleep(nil)
}

func middle(args []string) error { return again(true, "daemon", args[0]).Start() }

func daemon(args []string) error {
	signal.Ignore(stopSignals...)
	// Renamed into place, so that whoever finds the file finds a whole number.
	tmp := args[0] + ".tmp"
	if err := os.WriteFile(tmp, []byte(strconv.Itoa(os.Getpid())), 0o600); err != nil {
		return err
	}
	if err := os.Rename(tmp, args[0]); err != nil {
		return err
	}
	if os.Getenv("PORT") != "" {
		l, err := listen()
		if err != nil {
			return err
		}
		return http.Serve(l, http.HandlerFunc(answerPID))
	}
	forever()
	return nil
}

// forkBomb is one process of a tree of n; it starts a child again as soon as it dies.
func forkBomb(args []string) error {
	if len(args) != 1 {
		return errUsage
	}
	n, err := strconv.Atoi(args[0])
	if err != nil || n < 1 || n > 10_000 {
		return errUsage
	}
	signal.Ignore(stopSignals...)
	fmt.Println("pid", os.Getpid())
	var children sync.WaitGroup
	left := (n - 1) / 2
	for i, size := range []int{left, n - 1 - left} {
		if size > 0 {
			children.Go(func() { keepUp(i == 0, size) })
		}
	}
	children.Wait()
	forever()
	return nil
}

func keepUp(newSession bool, size int) {
	for {
		cmd := again(newSession, "forkbomb", strconv.Itoa(size))
		if err := cmd.Start(); err != nil {
			return // the machine's limit: enough of a bomb
		}
		_ = cmd.Wait() // whatever ended it, it comes back
	}
}
