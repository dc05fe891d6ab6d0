//go:build unix

package agent

import (
	"errors"
	"syscall"
)

// isReset: the other end closed; a socket pair says so in two ways.
func isReset(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)
}
