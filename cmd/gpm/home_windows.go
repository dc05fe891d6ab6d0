package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"unsafe"

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
	name, err := windows.UTF16PtrFromString(`Global\` + pipe[strings.LastIndex(pipe, `\`)+1:])
	if err != nil {
		return 0, false, err
	}
	h, err = windows.CreateMutex(nil, false, name)
	if errors.Is(err, windows.ERROR_ALREADY_EXISTS) || errors.Is(err, windows.ERROR_ACCESS_DENIED) { // the latter: a service's
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

// endEvent is the named object by which a master is asked to end, for there are no signals here: a service and the
// command of a user are in different sessions, hence Global.
func endEvent(pid int) (*uint16, error) {
	return windows.UTF16PtrFromString(`Global\gpm-end-` + strconv.Itoa(pid))
}

// onAsked calls end when askToEnd was called for this process, until the returned function is. The user, administrators
// and the system may ask.
func onAsked(end func()) (stop func(), err error) {
	user, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return nil, err
	}
	descriptor, err := windows.SecurityDescriptorFromString("D:P(A;;GA;;;SY)(A;;GA;;;BA)(A;;GA;;;" + user.User.Sid.String() + ")")
	if err != nil {
		return nil, err
	}
	security := &windows.SecurityAttributes{SecurityDescriptor: descriptor}
	security.Length = uint32(unsafe.Sizeof(*security))
	name, err := endEvent(os.Getpid())
	if err != nil {
		return nil, err
	}
	asked, err := windows.CreateEvent(security, 1, 0, name)
	if err != nil {
		return nil, err
	}
	quit, err := windows.CreateEvent(nil, 1, 0, nil)
	if err != nil {
		return nil, errors.Join(err, windows.CloseHandle(asked))
	}
	var waiting sync.WaitGroup
	waiting.Go(func() {
		if e, err := windows.WaitForMultipleObjects([]windows.Handle{asked, quit}, false, windows.INFINITE); err == nil && e == windows.WAIT_OBJECT_0 {
			end()
		}
	})
	return func() {
		_ = windows.SetEvent(quit) //nolint:errcheck // it is ours and open
		waiting.Wait()
		windows.CloseHandle(quit)
		windows.CloseHandle(asked)
	}, nil
}

// askToEnd asks a master to stop everything and to end.
func askToEnd(pid int) error {
	name, err := endEvent(pid)
	if err != nil {
		return err
	}
	asked, err := windows.OpenEvent(windows.EVENT_MODIFY_STATE, false, name)
	if err != nil {
		return err
	}
	return errors.Join(windows.SetEvent(asked), windows.CloseHandle(asked))
}

// mayAdminister lets the service manager decide.
func mayAdminister() bool { return true }
