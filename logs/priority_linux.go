package logs

import "golang.org/x/sys/unix"

// lowPriority makes the calling thread the last in line for the processor and the
// disk. On Linux both are properties of a thread.
func lowPriority() {
	const idleClass, byProcess = 3 << 13, 1                                                // ioprio_set(2)
	_ = unix.Setpriority(unix.PRIO_PROCESS, 0, 19)                                         // lower is always allowed
	_, _, _ = unix.Syscall(unix.SYS_IOPRIO_SET, uintptr(byProcess), 0, uintptr(idleClass)) // as good as it gets
}
