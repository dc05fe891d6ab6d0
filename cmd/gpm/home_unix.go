//go:build unix

package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// checkHome refuses a home that is another's, that others can write to, or that we cannot.
func checkHome(home string, info fs.FileInfo) error {
	if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("it belongs to user %d, and you are user %d", st.Uid, os.Geteuid())
	}
	if info.Mode().Perm()&0o002 != 0 {
		return errOpenToAll
	}
	return unix.Access(home, unix.W_OK)
}

// lockHome locks the home directory itself, flock(2). The lock belongs to the open file, which a
// command that starts a master hands on to it: while it is held, a master runs or is being started.
// ok is false when another holds it.
func lockHome(home string) (lock io.Closer, ok bool, err error) {
	dir, err := os.Open(home)
	if err != nil {
		return nil, false, homeError(home, err)
	}
	err = unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		return dir, true, nil
	}
	_ = dir.Close()
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, false, nil
	}
	return nil, false, homeError(home, fmt.Errorf("it cannot be locked: %w", err))
}

// inheritedLock is the descriptor at which detach hands the lock on.
const inheritedLock = 3

// adoptLock returns the lock that the starting command handed on, or takes it. No worker and no daemon must
// inherit it, or it would outlive the master.
func adoptLock(home string) (lock io.Closer, ok bool, err error) {
	var dir, given unix.Stat_t
	if unix.Stat(home, &dir) != nil || unix.Fstat(inheritedLock, &given) != nil || dir.Dev != given.Dev || dir.Ino != given.Ino {
		return lockHome(home)
	}
	unix.CloseOnExec(inheritedLock)
	if err := unix.Flock(inheritedLock, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, false, nil
	}
	return os.NewFile(inheritedLock, home), true, nil
}

// lockNumber is the descriptor of a lock.
func lockNumber(lock io.Closer) int {
	dir, ok := lock.(*os.File)
	if !ok {
		return 0
	}
	return int(dir.Fd())
}

// detach gives a master a session of its own, without the terminal, and the lock.
func detach(cmd *exec.Cmd, lock io.Closer) {
	cmd.Dir = "/"
	cmd.ExtraFiles = []*os.File{lock.(*os.File)} // becomes inheritedLock
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
}

// exited says, without waiting, whether a child has ended.
func exited(p *os.Process) bool {
	pid, err := syscall.Wait4(p.Pid, nil, syscall.WNOHANG, nil)
	return pid == p.Pid || errors.Is(err, syscall.ECHILD)
}

// onAsked has nothing to do here: who asks sends a signal.
func onAsked(func()) (stop func(), err error) { return func() {}, nil }

// askToEnd asks a master to stop everything and to end.
func askToEnd(pid int) error { return syscall.Kill(pid, syscall.SIGTERM) }

// mayAdminister says whether this user may change what the machine starts.
func mayAdminister() bool { return os.Geteuid() == 0 }
