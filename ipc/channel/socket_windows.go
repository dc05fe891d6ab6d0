package channel

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/windows"
)

// pipeBuffer is what the pipe holds in each direction.
const pipeBuffer = 64 << 10

// Pair makes the two ends of a channel: ours and the process's, a handle that it inherits. The
// latter is no File: Go would bind it to its own completion port, for the process too. Only this user can open the pipe.
func Pair() (ours *os.File, theirs uintptr, err error) {
	name, err := windows.UTF16PtrFromString(`\\.\pipe\gpm-channel-` + rand.Text())
	if err != nil {
		return nil, 0, err
	}
	descriptor, err := windows.SecurityDescriptorFromString("D:P(A;;GA;;;OW)(A;;GA;;;SY)")
	if err != nil {
		return nil, 0, fmt.Errorf("cannot make a channel: %w", err)
	}
	security := &windows.SecurityAttributes{SecurityDescriptor: descriptor}
	security.Length = uint32(unsafe.Sizeof(*security))
	server, err := windows.CreateNamedPipe(name,
		windows.PIPE_ACCESS_DUPLEX|windows.FILE_FLAG_OVERLAPPED|windows.FILE_FLAG_FIRST_PIPE_INSTANCE,
		windows.PIPE_TYPE_BYTE|windows.PIPE_READMODE_BYTE|windows.PIPE_WAIT|windows.PIPE_REJECT_REMOTE_CLIENTS, 1, pipeBuffer, pipeBuffer, 0, security)
	if err != nil {
		return nil, 0, fmt.Errorf("cannot make a channel: %w", err)
	}
	client, err := windows.CreateFile(name, windows.GENERIC_READ|windows.GENERIC_WRITE, 0, nil, windows.OPEN_EXISTING, windows.FILE_FLAG_OVERLAPPED, 0)
	if err == nil {
		if err = windows.ConnectNamedPipe(server, &windows.Overlapped{}); errors.Is(err, windows.ERROR_PIPE_CONNECTED) {
			return os.NewFile(uintptr(server), "channel"), uintptr(client), nil
		}
		windows.CloseHandle(client)
	}
	windows.CloseHandle(server)
	return nil, 0, fmt.Errorf("cannot make a channel: %w", err)
}

// nonblocking: Pair made it so.
func nonblocking(f *os.File) (*os.File, error) { return f, nil }

// export describes a socket for the process that is to have a copy of it.
func export(socket, pid int) ([]byte, error) {
	var info [frameSocket]byte
	err := windows.WSADuplicateSocket(windows.Handle(socket), uint32(pid), (*windows.WSAProtocolInfo)(unsafe.Pointer(&info)))
	return info[:], os.NewSyscallError("WSADuplicateSocket", err)
}

// adopt opens a socket that the process described for us; -1: it cannot be had.
func adopt(info []byte) int {
	described := *(*[frameSocket]byte)(info)
	const fromInfo = -1 // FROM_PROTOCOL_INFO
	s, err := windows.WSASocket(fromInfo, fromInfo, fromInfo, (*windows.WSAProtocolInfo)(unsafe.Pointer(&described)), 0,
		windows.WSA_FLAG_OVERLAPPED|windows.WSA_FLAG_NO_HANDLE_INHERIT)
	if err != nil {
		return -1
	}
	return int(s)
}

func closeFD(fd int) {
	if fd >= 0 {
		_ = windows.Closesocket(windows.Handle(fd)) //nolint:errcheck // there is nothing to be done about it
	}
}
