package master

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// exitNote asks kqueue for the end of a process with its status.
const exitNote = unix.NOTE_EXIT | unix.NOTE_EXITSTATUS

// startTime is when a process began, in microseconds of real time; 0 is not known.
func startTime(pid int) uint64 {
	k, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil {
		return 0
	}
	return uint64(k.Proc.P_starttime.Nano() / 1000)
}

// closeOnExecPipe holds ForkLock, since darwin cannot create and mark at once.
func closeOnExecPipe() (read, write int, err error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	p := make([]int, 2)
	err = unix.Pipe(p)
	if err == nil {
		unix.CloseOnExec(p[0])
		unix.CloseOnExec(p[1])
	}
	return p[0], p[1], err
}
