//go:build unix

package master

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// inputPipe returns the child's standard input and, when it is to be a pipe, our end of that.
func inputPipe(pipe bool) (child, ours int, err error) {
	if !pipe {
		child, err = unix.Open(os.DevNull, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		return child, 0, err
	}
	child, ours, err = closeOnExecPipe()
	if err != nil {
		return 0, 0, err
	}
	return child, ours, unix.SetNonblock(ours, true)
}

// pipeMaker makes output pipes.
type pipeMaker struct {
	home  string
	names atomic.Int64 // makes names unique
}

// fifo makes an output pipe by a name in dir that exists for a moment. The
// child's end is open for reading too, so that it never lacks a reader: a
// write blocks or succeeds, but cannot fail, whoever of us has died.
func (m *pipeMaker) fifo() (ours, child int, err error) {
	dir := filepath.Join(m.home, "run")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return 0, 0, err
	}
	name := filepath.Join(dir, "pipe-"+strconv.Itoa(os.Getpid())+"-"+strconv.FormatInt(m.names.Add(1), 10))
	if err := unix.Mkfifo(name, 0o600); err != nil {
		return 0, 0, fmt.Errorf("cannot make %q: %w", name, err)
	}
	defer os.Remove(name)
	child, err = unix.Open(name, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, 0, err
	}
	ours, err = unix.Open(name, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		unix.Close(child)
		return 0, 0, err
	}
	return ours, child, nil
}

func dup(fd int) (int, error) {
	return unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
}

// dupFile duplicates without [os.File.Fd], which changes the mode of the description.
func dupFile(f *os.File) (fd int, err error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	if e := raw.Control(func(n uintptr) { fd, err = dup(int(n)) }); e != nil {
		return 0, e
	}
	return fd, err
}

// closeFDs closes descriptors; 0 and negative ones mean none.
func closeFDs(fds ...int) {
	for _, fd := range fds {
		if fd > 0 {
			_ = unix.Close(fd)
		}
	}
}
