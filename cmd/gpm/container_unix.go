//go:build unix

package main

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// asFirstProcess is a container's first process when that is to be gpm runtime: it runs the command as a child, passes signals
// on to it, and reaps what other processes of the container leave behind. ok is false for any other process.
func asFirstProcess(args []string, stderr io.Writer) (code int, ok bool) {
	if _, words := roleOf(args[0], args[1:]); os.Getpid() != 1 || len(words) == 0 || words[0] != "runtime" {
		return 0, false
	}
	signals := make(chan os.Signal, 64)
	signal.Notify(signals) // all of them
	exe, err := os.Executable()
	if err != nil {
		return exitCode(stderr, err), true
	}
	pid, err := syscall.ForkExec(exe, args, &syscall.ProcAttr{Env: os.Environ(), Files: []uintptr{0, 1, 2}})
	if err != nil {
		return exitCode(stderr, fmt.Errorf("cannot start %s: %w", exe, err)), true
	}
	for s := range signals {
		switch s {
		case unix.SIGCHLD, unix.SIGURG, unix.SIGPIPE: // ours; Go uses SIGURG for itself
		default:
			_ = syscall.Kill(pid, s.(syscall.Signal))
		}
		if status, ended := reapUntil(pid); ended {
			return status, true
		}
	}
	return 0, true
}

// reapUntil reaps what has ended, and says how pid did if it is among them.
func reapUntil(pid int) (code int, ended bool) {
	for {
		var s unix.WaitStatus
		got, err := unix.Wait4(-1, &s, unix.WNOHANG, nil)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil || got == 0:
			return code, ended
		case got != pid:
		case s.Signaled():
			code, ended = 128+int(s.Signal()), true
		default:
			code, ended = s.ExitStatus(), true
		}
	}
}

// passedOn are the signals that gpm runtime passes on to the apps; SIGINT and SIGTERM stop them.
func passedOn() []os.Signal {
	return []os.Signal{unix.SIGHUP, unix.SIGQUIT, unix.SIGUSR1, unix.SIGUSR2, unix.SIGWINCH}
}

// nameOfSignal is the name that gpm sendSignal takes.
func nameOfSignal(s os.Signal) string { return unix.SignalName(s.(syscall.Signal)) }
