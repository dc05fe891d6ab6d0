//go:build unix

package frame

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// socket is a connected stream socket driven by the runtime's poller, without
// package net: the master should stay small.
type socket struct {
	file *os.File
	raw  syscall.RawConn
}

// New takes over fd, a connected stream socket, and makes it close-on-exec.
func New(fd int) (*Conn, error) {
	unix.CloseOnExec(fd)
	if _, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE); err != nil {
		return nil, fmt.Errorf("cannot use descriptor %d: %w", fd, err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, fmt.Errorf("cannot use descriptor %d: %w", fd, err)
	}
	file := os.NewFile(uintptr(fd), "link")
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("cannot use descriptor %d: %w", fd, err)
	}
	return &Conn{sock: socket{file, raw}}, nil
}

// Pair makes a connected pair: our end, and the raw descriptor of the other,
// close-on-exec, which the caller passes on and closes.
func Pair() (*Conn, int, error) {
	ours, theirs, err := socketpair()
	if err != nil {
		return nil, -1, fmt.Errorf("cannot make a socket pair: %w", err)
	}
	c, err := New(ours)
	if err != nil {
		closeFDs([]int{ours, theirs})
		return nil, -1, err
	}
	return c, theirs, nil
}

func (s *socket) recv(p []byte) (received, error) {
	var r received
	var err error
	// Room for more than MaxFDs, so that too many are seen and refused, not cut off.
	oob := make([]byte, unix.CmsgSpace(2*MaxFDs*4))
	wait := s.raw.Read(func(fd uintptr) bool {
		var n, oobn, flags int
		n, oobn, flags, _, err = ignoreEINTR(func() (int, int, int, unix.Sockaddr, error) {
			return unix.Recvmsg(int(fd), p, oob, recvFlags)
		})
		if err != nil {
			return !errors.Is(err, unix.EAGAIN)
		}
		r = received{n: n, lost: flags&unix.MSG_CTRUNC != 0}
		r.fds, err = rights(oob[:oobn])
		return true
	})
	if wait != nil {
		return r, os.ErrClosed // the only thing that ends the wait
	}
	return r, err
}

// rights returns the descriptors in a control message.
func rights(oob []byte) ([]int, error) {
	if len(oob) == 0 {
		return nil, nil
	}
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, err
	}
	var fds []int
	for _, m := range messages {
		got, err := unix.ParseUnixRights(&m)
		if err != nil {
			continue // not descriptors
		}
		fds = append(fds, got...)
	}
	for _, fd := range fds {
		unix.CloseOnExec(fd) // where MSG_CMSG_CLOEXEC does not exist
	}
	return fds, nil
}

func (s *socket) send(p []byte, fds []int) (int, error) {
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
	}
	var n int
	var err error
	wait := s.raw.Write(func(fd uintptr) bool {
		for {
			n, err = unix.SendmsgN(int(fd), p, oob, nil, 0)
			if !errors.Is(err, unix.EINTR) {
				return !errors.Is(err, unix.EAGAIN)
			}
		}
	})
	if wait != nil {
		return n, os.ErrClosed
	}
	return n, err
}

func (s *socket) close() error { return s.file.Close() }

func ignoreEINTR(call func() (int, int, int, unix.Sockaddr, error)) (int, int, int, unix.Sockaddr, error) {
	for {
		n, oobn, flags, from, err := call()
		if !errors.Is(err, unix.EINTR) {
			return n, oobn, flags, from, err
		}
	}
}

func closeFDs(fds []int) {
	for _, fd := range fds {
		_ = unix.Close(fd)
	}
}
