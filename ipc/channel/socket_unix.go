//go:build unix

package channel

import (
	"fmt"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxFDs is how many descriptors one receive call has room for.
const maxFDs = 64

// Pair makes the two ends of a channel: ours and the process's. Both are non-blocking and
// close-on-exec. Start the process with the second as any descriptor from 3, its number in
// NODE_CHANNEL_FD, and close it here then.
func Pair() (ours, theirs *os.File, err error) {
	syscall.ForkLock.RLock() // no child may inherit them before they are close-on-exec
	p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err == nil {
		unix.CloseOnExec(p[0])
		unix.CloseOnExec(p[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, fmt.Errorf("cannot make a channel: %w", err)
	}
	for _, fd := range p {
		if err := unix.SetNonblock(fd, true); err != nil {
			unix.Close(p[0])
			unix.Close(p[1])
			return nil, nil, fmt.Errorf("cannot make a channel: %w", err)
		}
	}
	return os.NewFile(uintptr(p[0]), "channel"), os.NewFile(uintptr(p[1]), "channel"), nil
}

// nonblocking closes f and returns a duplicate that the runtime's poller serves. f itself
// may have been opened in blocking mode, and then the poller does not know it.
func nonblocking(f *os.File) (*os.File, error) {
	defer f.Close()
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	var dup int
	var dupErr error
	err = raw.Control(func(fd uintptr) {
		if dup, dupErr = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 3); dupErr == nil {
			dupErr = unix.SetNonblock(dup, true)
		}
	})
	if err != nil {
		return nil, err
	}
	if dupErr != nil {
		return nil, dupErr
	}
	return os.NewFile(uintptr(dup), "channel"), nil
}

// send is one sendmsg(2). EAGAIN: no room.
func send(fd uintptr, b batch) (int, error) {
	var rights []byte
	if b.fd >= 0 {
		rights = unix.UnixRights(b.fd)
	}
	for {
		n, err := unix.SendmsgBuffers(int(fd), b.bufs, rights, nil, unix.MSG_DONTWAIT)
		if err != unix.EINTR {
			return n, err
		}
	}
}

// take is one recvmsg(2) that consumes.
func take(fd uintptr, buf []byte) (received, error) {
	oob := make([]byte, unix.CmsgSpace(maxFDs*4))
	for {
		n, oobn, _, _, err := unix.Recvmsg(int(fd), buf, oob, unix.MSG_DONTWAIT|cloexec)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return received{}, err
		}
		return received{n: n, fds: rights(oob[:oobn])}, nil
	}
}

// rights returns the descriptors in a control message. One that is cut short had more than
// this process could take; those that arrived count.
func rights(oob []byte) (fds []int) {
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil
	}
	for i := range msgs {
		if got, err := unix.ParseUnixRights(&msgs[i]); err == nil {
			fds = append(fds, got...)
		}
	}
	secure(fds)
	return fds
}

// discard consumes exactly len(buf) bytes, which were peeked at before.
func discard(fd uintptr, buf []byte) error {
	for len(buf) > 0 {
		n, _, err := unix.Recvfrom(int(fd), buf, unix.MSG_DONTWAIT)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		if n == 0 {
			return io.ErrUnexpectedEOF
		}
		buf = buf[n:]
	}
	return nil
}

func closeFD(fd int) { unix.Close(fd) }
