//go:build unix && !linux

package channel

import "golang.org/x/sys/unix"

// keepsUnhandled: a message is consumed after it was handled.
const keepsUnhandled = false

// cloexec: macOS has no such flag, so it is set after.
const cloexec = 0

func secure(fds []int) {
	for _, fd := range fds {
		unix.CloseOnExec(fd)
	}
}

// receive consumes at once: what MSG_PEEK does to descriptors differs between the BSDs.
func receive(fd uintptr, buf []byte) (received, error) { return take(fd, buf) }
