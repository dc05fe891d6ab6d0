package primary

import "syscall"

// libuv has its own numbers where the system's are no small ones.
const (
	EINVAL  Errno = -4071
	ENOTSUP Errno = -4049
	EMFILE  Errno = -4066
)

func errnoOf(e syscall.Errno) Errno {
	switch e {
	case syscall.EACCES:
		return -4092
	case syscall.EADDRINUSE:
		return -4091
	case syscall.EADDRNOTAVAIL:
		return -4090
	case syscall.EAFNOSUPPORT:
		return -4089
	case syscall.ENOTSUP:
		return ENOTSUP
	case syscall.EMFILE:
		return EMFILE
	}
	return EINVAL
}
