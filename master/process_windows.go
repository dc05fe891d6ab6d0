package master

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// process is a running or ended process and the job that holds its descendants.
// The job ends them all when its last handle closes, so also when this process
// dies: their pipes would be broken anyway, and nothing runs twice that way.
type process struct {
	pid    int
	start  uint64
	handle windows.Handle
	job    windows.Handle
}

func (*process) watched() bool { return true }

// closeHandles keeps the handles of an ended process until it is released: they
// keep its pid from being used again.
func closeHandles(*process) {}

// reap ends what is left of the tree.
func reap(p *process) {
	windows.CloseHandle(p.job)
	windows.CloseHandle(p.handle)
}

func destroy(p *process) {
	_ = windows.TerminateJobObject(p.job, 1)
	reap(p)
}

// startProcess creates the process suspended, so that it is in its job before it can start others.
func startProcess(l *launch, _ bool) (process, error) {
	job, err := newJob()
	if err != nil {
		return process{}, err
	}
	info, err := createProcess(l)
	if err != nil {
		windows.CloseHandle(job)
		return process{}, err
	}
	defer windows.CloseHandle(info.Thread)
	p := process{pid: int(info.ProcessId), start: startTime(info.Process), handle: info.Process, job: job}
	if err = windows.AssignProcessToJobObject(job, p.handle); err == nil {
		_, err = windows.ResumeThread(info.Thread)
	}
	if err != nil {
		_ = windows.TerminateProcess(p.handle, 1)
		reap(&p)
		return process{}, err
	}
	return p, nil
}

func newJob() (windows.Handle, error) {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return 0, err
	}
	info := windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION{}
	info.BasicLimitInformation.LimitFlags = windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
	_, err = windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation,
		uintptr(unsafe.Pointer(&info)), uint32(unsafe.Sizeof(info)))
	if err != nil {
		windows.CloseHandle(job)
		return 0, err
	}
	return job, nil
}

// startTime is a FILETIME: 100 ns since 1601.
func startTime(h windows.Handle) uint64 {
	var creation, exit, kernel, user windows.Filetime
	if err := windows.GetProcessTimes(h, &creation, &exit, &kernel, &user); err != nil {
		return 0
	}
	return uint64(creation.HighDateTime)<<32 | uint64(creation.LowDateTime)
}

// openProcess finds nothing: no child outlives the process that holds its job.
func openProcess(int, uint64) (process, bool, error) {
	return process{}, false, os.ErrProcessDone
}

// signalProcess knows two things: SIGKILL ends the process or the whole job,
// SIGINT and SIGTERM are a Ctrl-Break for the process group, which needs a console.
func signalProcess(p *process, sig int, group bool) error {
	switch s := syscall.Signal(sig); {
	case s == syscall.SIGKILL && group:
		return windows.TerminateJobObject(p.job, 1)
	case s == syscall.SIGKILL:
		return windows.TerminateProcess(p.handle, 1)
	case s == syscall.SIGINT || s == syscall.SIGTERM:
		return windows.GenerateConsoleCtrlEvent(windows.CTRL_BREAK_EVENT, uint32(p.pid))
	case sig == 0:
		return nil
	}
	return errors.ErrUnsupported
}

// fileBudget has nothing to do here.
type fileBudget struct{}

func (t *Table) makeRoom(int) {}

// wrap refuses limits, which do not exist here.
func (t *Table) wrap(l *launch) error {
	if l.Rlimits != nil || l.Nice != nil || l.CPUs != nil || l.OOMScoreAdj != nil || l.Credential != nil {
		return fmt.Errorf("cannot set user or limits: %w", errors.ErrUnsupported)
	}
	return nil
}
