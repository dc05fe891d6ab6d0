//go:build !linux

package sockets

import (
	"errors"
	"fmt"
)

// FindHolders is not supported: there is no /proc/net.
func FindHolders(a Address) ([]Holder, error) {
	return nil, fmt.Errorf("cannot find who listens on %s: %w", a, errors.ErrUnsupported)
}
