package sockets

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/windows"
)

// Windows has one TCP socket for all workers, a copy for each. Descriptors are sockets here. They are
// not bound to a completion port in this process: that a worker does.

const balances = false

const errInvalid = syscall.EINVAL

var (
	errNoIPv6      = errors.New("no IPv6")
	errUnsupported = fmt.Errorf("this kind of socket cannot be shared on Windows: %w", syscall.ENOTSUP)
	// errNeverNeeded: nothing is kept beyond the daemon, no connection is taken from a worker's queue.
	errNeverNeeded = fmt.Errorf("not on Windows: %w", errors.ErrUnsupported)
)

type role uint8

const (
	alone role = iota
	founding
	joining
)

// openInet makes, binds and starts one TCP socket. It listens at once: the copies cannot begin to.
func openInet(a Address, b bind, _ role, backlog int) (int, error) {
	if a.Network != TCP {
		return -1, errUnsupported
	}
	family := int32(windows.AF_INET6)
	if b.ip.Is4() {
		family = windows.AF_INET
	}
	s, err := windows.WSASocket(family, windows.SOCK_STREAM, windows.IPPROTO_TCP, nil, 0, windows.WSA_FLAG_OVERLAPPED|windows.WSA_FLAG_NO_HANDLE_INHERIT)
	if err != nil {
		if b.ip.Is6() && errors.Is(err, windows.WSAEAFNOSUPPORT) {
			return -1, fmt.Errorf("%w: %w", errNoIPv6, err)
		}
		return -1, os.NewSyscallError("socket", portable(err))
	}
	if err := start(s, b, backlog); err != nil {
		windows.Closesocket(s)
		if b.ip == netip.IPv6Unspecified() && errors.Is(err, syscall.EADDRNOTAVAIL) {
			return -1, fmt.Errorf("%w: %w", errNoIPv6, err)
		}
		return -1, err
	}
	return int(s), nil
}

func start(s windows.Handle, b bind, backlog int) error {
	if b.ip.Is6() {
		only := 0
		if b.v6only {
			only = 1
		}
		if err := windows.SetsockoptInt(s, windows.IPPROTO_IPV6, windows.IPV6_V6ONLY, only); err != nil {
			return os.NewSyscallError("setsockopt", portable(err))
		}
	}
	to, err := sockaddr(b)
	if err != nil {
		return err
	}
	if err := windows.Bind(s, to); err != nil {
		return os.NewSyscallError("bind", portable(err))
	}
	return os.NewSyscallError("listen", portable(windows.Listen(s, backlog)))
}

func sockaddr(b bind) (windows.Sockaddr, error) {
	if b.ip.Is4() {
		return &windows.SockaddrInet4{Port: b.port, Addr: b.ip.As4()}, nil
	}
	to := &windows.SockaddrInet6{Port: b.port, Addr: b.ip.As16()}
	if zone := b.ip.Zone(); zone != "" {
		id, err := strconv.ParseUint(zone, 10, 32) // Windows numbers them
		if err != nil {
			link, err := net.InterfaceByName(zone)
			if err != nil {
				return nil, fmt.Errorf("network interface %q: %w", zone, syscall.EINVAL)
			}
			id = uint64(link.Index)
		}
		to.ZoneId = uint32(id)
	}
	return to, nil
}

// portable gives an error of Winsock the number that it has elsewhere.
func portable(err error) error {
	for winsock, errno := range map[syscall.Errno]syscall.Errno{
		windows.WSAEADDRINUSE: syscall.EADDRINUSE, windows.WSAEADDRNOTAVAIL: syscall.EADDRNOTAVAIL, windows.WSAEACCES: syscall.EACCES,
		windows.WSAEINVAL: syscall.EINVAL, windows.WSAEMFILE: syscall.EMFILE, windows.WSAEAFNOSUPPORT: syscall.EAFNOSUPPORT,
	} {
		if errors.Is(err, winsock) {
			return errno
		}
	}
	return err
}

func localAddr(fd int) (netip.AddrPort, bool, error) {
	sa, err := windows.Getsockname(windows.Handle(fd))
	if err != nil {
		return netip.AddrPort{}, false, os.NewSyscallError("getsockname", portable(err))
	}
	switch sa := sa.(type) {
	case *windows.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port)), false, nil
	case *windows.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr), uint16(sa.Port)), false, nil
	}
	return netip.AddrPort{}, false, fmt.Errorf("not an IP socket: %w", syscall.EAFNOSUPPORT)
}

func closeFD(fd int) error {
	return os.NewSyscallError("closesocket", windows.Closesocket(windows.Handle(fd)))
}

func listenUnix(Address, int) (int, error) { return -1, errUnsupported }

// Accept is not supported.
func Accept(int) (int, error) { return -1, errNeverNeeded }

// Drain is not supported.
func Drain(int, func(int) error) (int, error) { return 0, errNeverNeeded }

// Retire is not supported.
func Retire(int, time.Duration, <-chan struct{}, func(int) error) error { return errNeverNeeded }

func attach(int, []Insn) error { return errNeverNeeded }

func attachTurns(int, order, []int) error { return errNeverNeeded }

func queue(int) (waiting, limit int, err error) { return 0, 0, errNeverNeeded }

func setNonblock(int) error { return errNeverNeeded }

// SetBlocking is not supported: no program here takes sockets by LISTEN_FDS.
func SetBlocking(int) error { return errNeverNeeded }

func execve(string, []string, []string) error { return errNeverNeeded }

func dup(int) (int, error) { return -1, errNeverNeeded }

// unlisten has nothing to do: the order of a group matters nowhere else, and no other process has a copy for long.
func unlisten(int) error { return nil }

func listens(int) bool { return true }

// Settle has nothing to wait for: nothing is steered here.
func Settle() {}
