//go:build !linux

package sockets

import (
	"errors"
	"fmt"
)

// Borrow is not supported: no system call copies a descriptor of another process.
func Borrow(a Address, _, _ int) (*Group, error) {
	return nil, fmt.Errorf("cannot borrow the socket of %s: %w", a, errors.ErrUnsupported)
}
