//go:build unix

package master

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

func fromWaitStatus(s unix.WaitStatus) Exit {
	if s.Signaled() {
		return Exit{Code: -1, Signal: int(s.Signal()), CoreDumped: s.CoreDump()}
	}
	return Exit{Code: s.ExitStatus()}
}

// wait4 reaps one child and returns its pid, 0 when it has not ended.
func wait4(pid, options int) (int, unix.WaitStatus) {
	for {
		var s unix.WaitStatus
		got, err := unix.Wait4(pid, &s, options, nil)
		if !errors.Is(err, unix.EINTR) {
			return max(0, got), s
		}
	}
}

// destroy ends a child whose start has failed, and reaps it.
func destroy(p *process) {
	_ = unix.Kill(p.pid, unix.SIGKILL)
	wait4(p.pid, 0)
}

func killByID(pid, sig int, group bool) error {
	if group {
		pid = -pid
	}
	return doneIfGone(unix.Kill(pid, unix.Signal(sig)))
}

func doneIfGone(err error) error {
	if errors.Is(err, unix.ESRCH) {
		return os.ErrProcessDone
	}
	return err
}
