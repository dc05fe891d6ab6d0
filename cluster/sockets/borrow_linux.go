package sockets

import (
	"errors"
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// Borrow founds a group with the socket of another process that listens on just this address, under a slot that no
// worker has: it stays open when that process closes it, and other slots join. Nobody who connects meanwhile is refused.
// It takes the right to trace that process, pidfd_getfd(2) of Linux 5.6, and that its user is ours.
func Borrow(a Address, slot, backlog int) (*Group, error) {
	fd, err := borrow(a)
	if err != nil {
		return nil, fmt.Errorf("cannot borrow the socket of %s: %w", a, err)
	}
	g, err := Adopt(Held{Address: a, Sharing: PerSlot, Backlog: backlog, Order: []int{slot}}, map[int]int{slot: fd})
	if err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return g, nil
}

// borrow returns a copy of the one socket that listens there, which others may join from now on.
func borrow(a Address) (int, error) {
	if SharingOf(a) != PerSlot {
		return -1, errors.ErrUnsupported
	}
	entries, err := listeners(a)
	if err != nil {
		return -1, err
	}
	if len(entries) != 1 || !entries[0].is(a) {
		return -1, fmt.Errorf("%d sockets are in its way: %w", len(entries), unix.EADDRINUSE)
	}
	at, ok := find(entries)[entries[0].inode]
	if !ok {
		return -1, fmt.Errorf("it is not known who has it: %w", unix.EACCES)
	}
	fd, err := copyFrom(at)
	if err != nil {
		return -1, err
	}
	if err := openToOthers(fd); err != nil {
		return -1, errors.Join(err, unix.Close(fd))
	}
	return fd, nil
}

// openToOthers lets other sockets of this user listen where a socket does. One of MPTCP, as Go's own servers have, cannot
// be steered.
func openToOthers(fd int) error {
	protocol, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PROTOCOL)
	if err != nil {
		return os.NewSyscallError("getsockopt", err)
	}
	if protocol != unix.IPPROTO_TCP {
		return fmt.Errorf("its protocol is %d: %w", protocol, errors.ErrUnsupported)
	}
	return os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1))
}

// is says that a socket is bound to a and to nothing else.
func (e entry) is(a Address) bool {
	ip, err := netip.ParseAddr(a.Host)
	if a.Host == "" {
		return e.at.Addr().IsUnspecified()
	}
	return err == nil && ip.Unmap() == e.at.Addr()
}

// copyFrom duplicates a descriptor of another process. It is close-on-exec.
func copyFrom(p place) (int, error) {
	process, err := unix.PidfdOpen(p.pid, 0)
	if err != nil {
		return -1, os.NewSyscallError("pidfd_open", err)
	}
	defer unix.Close(process)
	fd, err := unix.PidfdGetfd(process, p.fd, 0)
	return fd, os.NewSyscallError("pidfd_getfd", err)
}
