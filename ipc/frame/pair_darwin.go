package frame

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// recvFlags is empty: darwin cannot mark received descriptors in the same step.
const recvFlags = 0

// socketpair holds ForkLock, since darwin cannot create and mark at once.
func socketpair() (int, int, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err == nil {
		unix.CloseOnExec(p[0])
		unix.CloseOnExec(p[1])
	}
	return p[0], p[1], err
}
