//go:build unix

package sockets

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Accept takes one waiting connection, non-blocking and close-on-exec. EAGAIN: none waits.
func Accept(listener int) (int, error) {
	for {
		conn, err := accept(listener)
		if errors.Is(err, unix.EINTR) || errors.Is(err, unix.ECONNABORTED) || errors.Is(err, unix.EPROTO) {
			continue // that client is gone; the next one
		}
		return conn, err
	}
}

// Drain gives away what waits in the listener's queue, until it is empty or give fails. A
// connection that give refused is closed. The count is of those given. The listener is made
// non-blocking for it, also for a worker that has it open; it is put back after.
func Drain(listener int, give func(conn int) error) (n int, err error) {
	restore, err := unblock(listener)
	if err != nil {
		return 0, fmt.Errorf("cannot drain a listener: %w", err)
	}
	defer restore()
	for {
		conn, err := Accept(listener)
		if errors.Is(err, unix.EAGAIN) {
			return n, nil
		}
		if err != nil {
			return n, fmt.Errorf("cannot drain a listener: %w", os.NewSyscallError("accept", err))
		}
		if err := give(conn); err != nil {
			unix.Close(conn)
			return n, fmt.Errorf("cannot give a connection away: %w", err)
		}
		n++
	}
}

// unblock makes fd non-blocking until the returned function is called.
func unblock(fd int) (restore func(), err error) {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	if flags&unix.O_NONBLOCK != 0 {
		return func() {}, nil
	}
	return func() { _ = SetBlocking(fd) }, setNonblock(fd) //nolint:errcheck // it was possible a moment ago
}

// Retire drains a listener for as long as handshakes that began before it was steered away from
// may still end in its queue: until nothing has come for quiet, or stop is closed. Afterwards it can be closed without
// resetting anybody. It blocks; listener may be a duplicate.
func Retire(listener int, quiet time.Duration, stop <-chan struct{}, give func(conn int) error) error {
	for {
		select {
		case <-stop:
			return nil
		default:
		}
		if _, err := Drain(listener, give); err != nil {
			return err
		}
		more, err := readable(listener, quiet)
		if err != nil || !more {
			return err
		}
	}
}

// readable waits until a connection is there; false: none came in time.
func readable(fd int, limit time.Duration) (bool, error) {
	end := time.Now().Add(limit)
	for {
		left := max(0, time.Until(end)).Milliseconds()
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(left))
		if !errors.Is(err, syscall.EINTR) {
			return n > 0, os.NewSyscallError("poll", err)
		}
	}
}

// SetBlocking makes a listener blocking for programs that expect what systemd gives them.
// Never for Node: a blocking listener that is shared stops its event loop.
func SetBlocking(fd int) error { return os.NewSyscallError("fcntl", unix.SetNonblock(fd, false)) }

func execve(path string, argv, env []string) error {
	return fmt.Errorf("cannot execute %q: %w", path, unix.Exec(path, argv, env))
}
