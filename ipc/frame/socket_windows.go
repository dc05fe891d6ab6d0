package frame

import (
	"errors"
	"fmt"
)

// socket has no form here: Windows cannot pass descriptors, and needs no link
// because master and daemon are one process.
type socket struct{}

// New returns errors.ErrUnsupported.
func New(fd int) (*Conn, error) {
	return nil, fmt.Errorf("cannot use descriptor %d: %w", fd, errors.ErrUnsupported)
}

// Pair returns errors.ErrUnsupported.
func Pair() (*Conn, int, error) {
	return nil, -1, fmt.Errorf("cannot make a socket pair: %w", errors.ErrUnsupported)
}

func (*socket) recv([]byte) (received, error) { return received{}, errors.ErrUnsupported }

func (*socket) send([]byte, []int) (int, error) { return 0, errors.ErrUnsupported }

func (*socket) close() error { return nil }

func closeFDs([]int) {}
