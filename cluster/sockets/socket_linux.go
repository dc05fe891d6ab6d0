package sockets

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// balances: SO_REUSEPORT spreads connections over the sockets of a group.
const balances = true

// accept is accept4(2).
func accept(listener int) (int, error) {
	fd, _, err := unix.Accept4(listener, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
	return fd, err
}

// attach sets the program of the whole group, through any of its sockets, in place of
// the one before (socket(7), SO_ATTACH_REUSEPORT_CBPF). It needs no privilege.
func attach(fd int, program []Insn) error {
	filter := make([]unix.SockFilter, len(program))
	for i, in := range program {
		filter[i] = unix.SockFilter(in)
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_REUSEPORT_CBPF, &prog)
	runtime.KeepAlive(filter)
	return os.NewSyscallError("setsockopt", err)
}

// queue reads the accept queue: on a listening socket the kernel reports it in fields of
// struct tcp_info that mean something else on a connection (net/ipv4/tcp.c, tcp_get_info).
func queue(fd int) (waiting, limit int, err error) {
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return 0, 0, fmt.Errorf("cannot read the queue: %w", os.NewSyscallError("getsockopt", err))
	}
	return int(info.Unacked), int(info.Sacked), nil
}

// unlisten ends a listening socket for all who have it open: it leaves its group at once, and its port with the last
// of them (net/ipv4/af_inet.c, inet_shutdown).
func unlisten(fd int) error { return os.NewSyscallError("shutdown", unix.Shutdown(fd, unix.SHUT_RDWR)) }

// listens says that nobody has ended the socket.
func listens(fd int) bool {
	on, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	return err == nil && on != 0
}

// Settle returns when no processor is carrying out a steer program that was replaced before (membarrier(2): it waits for the
// readers of what is guarded by RCU). It takes some ten milliseconds, and without the right to it none.
func Settle() {
	const global = 1                                          // MEMBARRIER_CMD_GLOBAL
	_, _, _ = unix.Syscall(unix.SYS_MEMBARRIER, global, 0, 0) //nolint:errcheck // without it a connection waits a moment, at worst
}
