package channel

import (
	"bytes"

	"golang.org/x/sys/unix"
)

// keepsUnhandled: a message is consumed after it was handled.
const keepsUnhandled = true

// cloexec marks received descriptors at once.
const cloexec = unix.MSG_CMSG_CLOEXEC

func secure([]int) {}

// receive looks at what is there and leaves whole lines in the socket until they are
// handled. Lines with a descriptor and unfinished ones are consumed now: a descriptor cannot be looked at
// without receiving it, and a long line does not fit into the socket.
func receive(fd uintptr, buf []byte) (received, error) {
	n, flags, err := peek(fd, buf)
	if err != nil || n == 0 {
		return received{}, err
	}
	last := bytes.LastIndexByte(buf[:n], '\n')
	// MSG_CTRUNC: there was no room for control data, so there is some.
	if flags&unix.MSG_CTRUNC != 0 || last < 0 {
		return take(fd, buf[:n])
	}
	return received{n: last + 1, peeked: true}, nil
}

func peek(fd uintptr, buf []byte) (n, flags int, err error) {
	for {
		n, _, flags, _, err = unix.Recvmsg(int(fd), buf, nil, unix.MSG_PEEK|unix.MSG_DONTWAIT)
		if err != unix.EINTR {
			return n, flags, err
		}
	}
}
