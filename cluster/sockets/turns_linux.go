package sockets

import (
	"errors"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mapCreate and progLoad are the beginnings of union bpf_attr of linux/bpf.h for two of its commands.
type mapCreate struct {
	kind, keySize, valueSize, maxEntries uint32
}

type progLoad struct {
	kind, insnCount uint32
	insns, licence  uint64
}

// attachTurns gives a group an eBPF program that takes the live slots in turn. The program and its counter live as
// long as a socket of the group.
func attachTurns(fd int, o order, live []int) error {
	counter, err := bpf(unix.BPF_MAP_CREATE, unsafe.Pointer(&mapCreate{unix.BPF_MAP_TYPE_ARRAY, 4, 8, 1}), unsafe.Sizeof(mapCreate{}))
	if err != nil {
		return err
	}
	defer unix.Close(counter)
	text, licence := encode(turns(o, live, counter)), []byte("MIT\x00")
	var pin runtime.Pinner
	defer pin.Unpin()
	pin.Pin(&text[0])
	pin.Pin(&licence[0])
	load := progLoad{
		unix.BPF_PROG_TYPE_SOCKET_FILTER, uint32(len(text) / bytesOfInsn),
		uint64(uintptr(unsafe.Pointer(&text[0]))), uint64(uintptr(unsafe.Pointer(&licence[0]))),
	}
	program, err := bpf(unix.BPF_PROG_LOAD, unsafe.Pointer(&load), unsafe.Sizeof(load))
	if err != nil {
		return err
	}
	return errors.Join(
		os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ATTACH_REUSEPORT_EBPF, program)),
		unix.Close(program))
}

func bpf(command int, attr unsafe.Pointer, size uintptr) (int, error) {
	fd, _, errno := unix.Syscall(unix.SYS_BPF, uintptr(command), uintptr(attr), size)
	if errno != 0 {
		return -1, os.NewSyscallError("bpf", errno)
	}
	return int(fd), nil // close-on-exec by itself, bpf(2)
}
