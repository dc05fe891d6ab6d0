//go:build unix

package sockets

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// errInvalid is what an address that cannot be read is.
var errInvalid = unix.EINVAL

// errNoIPv6 marks the failures that make 0.0.0.0 the next try.
var errNoIPv6 = errors.New("no IPv6")

// role is what a socket is in its group.
type role uint8

const (
	alone    role = iota // no group
	founding             // the first
	joining              // a later one
)

// openInet makes, binds and starts one TCP or UDP socket.
func openInet(a Address, b bind, r role, backlog int) (int, error) {
	fd, err := newSocket(family(b.ip), kind(a.Network))
	if err != nil {
		if b.ip.Is6() && (errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EPROTONOSUPPORT)) {
			return -1, fmt.Errorf("%w: %w", errNoIPv6, err)
		}
		return -1, err
	}
	if err := prepare(fd, a, b, r, backlog); err != nil {
		unix.Close(fd)
		if b.ip == netip.IPv6Unspecified() && errors.Is(err, unix.EADDRNOTAVAIL) {
			return -1, fmt.Errorf("%w: %w", errNoIPv6, err)
		}
		return -1, err
	}
	return fd, nil
}

func prepare(fd int, a Address, b bind, r role, backlog int) error {
	for _, o := range options(a, b, r) {
		if err := unix.SetsockoptInt(fd, o.level, o.name, o.value); err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
	}
	to, err := sockaddr(b)
	if err != nil {
		return err
	}
	if err := unix.Bind(fd, to); err != nil {
		return os.NewSyscallError("bind", err)
	}
	if r == founding {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
	}
	if a.Network == UDP {
		return nil
	}
	// Listening at once fixes the kernel's order of the group; the worker's own listen
	// only changes the backlog then.
	return os.NewSyscallError("listen", unix.Listen(fd, backlog))
}

type option struct{ level, name, value int }

func options(a Address, b bind, r role) (out []option) {
	if a.Network == TCP || a.ReuseAddr {
		// The port is free although old connections of it still are in TIME_WAIT; on
		// the systems gpm runs on two listeners are refused all the same.
		out = append(out, option{unix.SOL_SOCKET, unix.SO_REUSEADDR, 1})
	}
	if r == joining {
		out = append(out, option{unix.SOL_SOCKET, unix.SO_REUSEPORT, 1})
	}
	if b.ip.Is6() {
		v6only := 0
		if b.v6only {
			v6only = 1
		}
		out = append(out, option{unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, v6only})
	}
	return out
}

func family(ip netip.Addr) int {
	if ip.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

func kind(n Network) int {
	if n == UDP {
		return unix.SOCK_DGRAM
	}
	return unix.SOCK_STREAM
}

func sockaddr(b bind) (unix.Sockaddr, error) {
	if b.ip.Is4() {
		return &unix.SockaddrInet4{Port: b.port, Addr: b.ip.As4()}, nil
	}
	to := &unix.SockaddrInet6{Port: b.port, Addr: b.ip.As16()}
	if zone := b.ip.Zone(); zone != "" {
		link, err := net.InterfaceByName(zone)
		if err != nil {
			return nil, fmt.Errorf("network interface %q: %w", zone, unix.ENODEV)
		}
		to.ZoneId = uint32(link.Index)
	}
	return to, nil
}

// listenUnix makes a Unix socket. As in Node, a file that is already there is in use.
func listenUnix(a Address, backlog int) (int, error) {
	fd, err := newSocket(unix.AF_UNIX, unix.SOCK_STREAM)
	if err != nil {
		return -1, err
	}
	err = unix.Bind(fd, &unix.SockaddrUnix{Name: a.Path})
	if err == nil {
		err = permit(a)
	}
	if err == nil {
		err = unix.Listen(fd, backlog)
	}
	if err != nil {
		unix.Close(fd)
		return -1, os.NewSyscallError("bind", err)
	}
	return fd, nil
}

// permit gives the rights that readableAll and writableAll ask for.
func permit(a Address) error {
	var more os.FileMode
	if a.Readable {
		more |= 0o444
	}
	if a.Writable {
		more |= 0o222
	}
	if more == 0 || a.Path == "" || a.Path[0] == '@' {
		return nil
	}
	info, err := os.Stat(a.Path)
	if err != nil {
		return err
	}
	return os.Chmod(a.Path, info.Mode().Perm()|more)
}

// newSocket is non-blocking and close-on-exec from the start of its use.
func newSocket(family, kind int) (int, error) {
	syscall.ForkLock.RLock() // no child may inherit it in between
	defer syscall.ForkLock.RUnlock()
	fd, err := unix.Socket(family, kind, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	unix.CloseOnExec(fd)
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return -1, os.NewSyscallError("fcntl", err)
	}
	return fd, nil
}

// localAddr is where a socket is bound, and whether to IPv6 alone.
func localAddr(fd int) (netip.AddrPort, bool, error) {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return netip.AddrPort{}, false, os.NewSyscallError("getsockname", err)
	}
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port)), false, nil
	case *unix.SockaddrInet6:
		ip := netip.AddrFrom16(sa.Addr)
		if link, err := net.InterfaceByIndex(int(sa.ZoneId)); err == nil && sa.ZoneId != 0 {
			ip = ip.WithZone(link.Name)
		}
		only, err := unix.GetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY)
		return netip.AddrPortFrom(ip, uint16(sa.Port)), only == 1, os.NewSyscallError("getsockopt", err)
	}
	return netip.AddrPort{}, false, fmt.Errorf("not an IP socket: %w", unix.EAFNOSUPPORT)
}

func setNonblock(fd int) error { return os.NewSyscallError("fcntl", unix.SetNonblock(fd, true)) }

func closeFD(fd int) error { return os.NewSyscallError("close", unix.Close(fd)) }

func dup(fd int) (int, error) {
	n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	return n, os.NewSyscallError("fcntl", err)
}
