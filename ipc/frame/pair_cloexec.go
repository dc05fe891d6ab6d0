//go:build unix && !darwin

package frame

import "golang.org/x/sys/unix"

// recvFlags makes received descriptors close-on-exec in one step.
const recvFlags = unix.MSG_CMSG_CLOEXEC

func socketpair() (int, int, error) {
	p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	return p[0], p[1], err
}
