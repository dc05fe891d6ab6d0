package master

import "golang.org/x/sys/unix"

// exitNote asks kqueue for the end of a process; the status comes with it.
const exitNote = unix.NOTE_EXIT

// startTime is not known: x/sys has no structure for it here.
func startTime(int) uint64 { return 0 }

func closeOnExecPipe() (read, write int, err error) {
	p := make([]int, 2)
	err = unix.Pipe2(p, unix.O_CLOEXEC)
	return p[0], p[1], err
}
