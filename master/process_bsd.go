//go:build darwin || freebsd

package master

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// process is a running or ended process.
type process struct {
	pid    int
	start  uint64
	reaped bool // its status could only be had by reaping
}

// watched is always true: kqueue knows processes by pid.
func (*process) watched() bool { return true }

func closeHandles(*process) {}

func forkExec(l *launch, attr *syscall.ProcAttr, _ bool) (process, error) {
	pid, err := syscall.ForkExec(l.Path, l.Argv, attr)
	if err != nil {
		return process{}, err
	}
	return process{pid: pid, start: startTime(pid)}, nil
}

// openProcess finds a process that is not our child, where its start time can be checked.
func openProcess(pid int, start uint64) (process, bool, error) {
	now := startTime(pid)
	switch {
	case unix.Kill(pid, 0) != nil:
		return process{}, false, os.ErrProcessDone
	case now == 0:
		return process{}, false, fmt.Errorf("cannot tell when it started: %w", errors.ErrUnsupported)
	case now != start:
		return process{}, false, os.ErrProcessDone
	}
	return process{pid: pid, start: start}, false, nil
}

func signalProcess(p *process, sig int, group bool) error {
	if p.reaped {
		return os.ErrProcessDone // the pid may be another's
	}
	return killByID(p.pid, sig, group)
}

// reap removes the zombie of an ended child.
func reap(p *process) {
	if !p.reaped {
		wait4(p.pid, syscall.WNOHANG)
	}
}

// output returns our non-blocking read end and the child's end of a pipe.
func (m *pipeMaker) output(uint32, int) (ours, child int, err error) { return m.fifo() }

// reopenPipes cannot: there is no /proc.
func reopenPipes(int) pipes { return pipes{} }

// inheritNothing marks what we were started with, apart from the standard streams.
func inheritNothing() {
	files, err := filepath.Glob("/dev/fd/*")
	for fd := 3; err == nil && fd < 3+len(files); fd++ {
		unix.CloseOnExec(fd)
	}
}
