package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"golang.org/x/sys/windows"

	"gpm/ipc"
)

// checkHome has nothing to check: a home in the user's profile is private by its access list.
func checkHome(string, fs.FileInfo) error { return nil }

// mutex is a named kernel object that exists while somebody holds it open.
type mutex windows.Handle

func (m mutex) Close() error { return windows.CloseHandle(windows.Handle(m)) }

// lockHome makes the named object of a home. Nobody waits on it, so no thread owns it: that it exists is the
// lock, and it goes when the last holder does. ok is false when it was there.
func lockHome(home string) (lock io.Closer, ok bool, err error) {
	h, existed, err := openMutex(home)
	if err != nil {
		return nil, false, homeError(home, err)
	}
	if existed {
		_ = windows.CloseHandle(h)
		return nil, false, nil
	}
	return mutex(h), true, nil
}

// adoptLock holds the object too, beside the command that started us.
func adoptLock(home string) (lock io.Closer, ok bool, err error) {
	h, _, err := openMutex(home)
	if err != nil {
		return nil, false, homeError(home, err)
	}
	return mutex(h), true, nil
}

func openMutex(home string) (h windows.Handle, existed bool, err error) {
	pipe := ipc.Address(home)
	name, err := windows.UTF16PtrFromString(`Local\` + pipe[strings.LastIndex(pipe, `\`)+1:])
	if err != nil {
		return 0, false, err
	}
	h, err = windows.CreateMutex(nil, false, name)
	if errors.Is(err, windows.ERROR_ALREADY_EXISTS) {
		return h, true, nil
	}
	return h, false, err
}

// lockNumber is 0: a lock is not a descriptor here.
func lockNumber(io.Closer) int { return 0 }

// detach gives a master no console. It opens the lock by its name.
func detach(cmd *exec.Cmd, _ io.Closer) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.DETACHED_PROCESS | windows.CREATE_NEW_PROCESS_GROUP}
}

// exited says, without waiting, whether a child has ended.
func exited(p *os.Process) bool {
	h, err := windows.OpenProcess(windows.SYNCHRONIZE, false, uint32(p.Pid))
	if err != nil {
		return true
	}
	defer windows.CloseHandle(h)
	event, err := windows.WaitForSingleObject(h, 0)
	return err == nil && event == windows.WAIT_OBJECT_0
}

// askToEnd cannot be done here: there are no signals.
func askToEnd(int) error { return errors.ErrUnsupported }

// mayAdminister lets the service manager decide.
func mayAdminister() bool { return true }
