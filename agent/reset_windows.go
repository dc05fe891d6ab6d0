package agent

import (
	"errors"
	"syscall"
)

// isReset: the other end closed its side of the pipe.
func isReset(err error) bool {
	return errors.Is(err, syscall.ERROR_BROKEN_PIPE) || errors.Is(err, syscall.WSAECONNRESET)
}
