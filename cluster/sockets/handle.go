package sockets

import (
	"errors"
	"fmt"
	"os"
)

// File returns a duplicate of a descriptor, to be kept somewhere else.
func File(fd int, name string) (*os.File, error) {
	copied, err := dup(fd)
	if err != nil {
		return nil, fmt.Errorf("cannot copy the socket %s: %w", name, err)
	}
	return os.NewFile(uintptr(copied), name), nil
}

// Dup returns a duplicate of a descriptor, close-on-exec.
func Dup(fd int) (int, error) { return dup(fd) }

// Descriptor makes a plain descriptor of a File, which it closes.
func Descriptor(f *os.File) (int, error) {
	defer f.Close()
	raw, err := f.SyscallConn()
	if err != nil {
		return -1, err
	}
	fd := -1
	failed := raw.Control(func(n uintptr) { fd, err = dup(int(n)) })
	return fd, errors.Join(err, failed)
}

// CloseConn closes a connection that nobody takes, whose client sees the end, or a duplicate.
func CloseConn(fd int) {
	_ = closeFD(fd) //nolint:errcheck // there is nothing to be done about it
}

// Detach closes the descriptors of this process and nothing else: the sockets live on in those who have
// copies, and so does the file of a Unix socket.
func (g *Group) Detach() {
	closed := map[int]bool{}
	for _, fd := range g.fds {
		if !closed[fd] {
			closed[fd] = true
			_ = closeFD(fd) //nolint:errcheck // see above
		}
	}
	clear(g.fds)
	g.order = nil
}
