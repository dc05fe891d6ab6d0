//go:build unix

package primary

import "syscall"

// Errors that are decided here.
const (
	EINVAL  = -Errno(syscall.EINVAL)
	ENOTSUP = -Errno(syscall.ENOTSUP)
	EMFILE  = -Errno(syscall.EMFILE)
)

func errnoOf(e syscall.Errno) Errno { return -Errno(e) }
