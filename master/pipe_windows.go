package master

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/windows"
)

// pipeMaker makes anonymous pipes. Descriptors are handles here.
type pipeMaker struct{ home string }

func (*pipeMaker) output(uint32, int) (ours, child int, err error) {
	var read, write windows.Handle
	err = windows.CreatePipe(&read, &write, nil, 0)
	return int(read), int(write), err
}

func inputPipe(pipe bool) (child, ours int, err error) {
	if pipe {
		var read, write windows.Handle
		err = windows.CreatePipe(&read, &write, nil, 0)
		return int(read), int(write), err
	}
	null, err := syscall.Open(os.DevNull, syscall.O_RDONLY, 0)
	return int(null), 0, err
}

// reopenPipes is never reached: nothing can be adopted.
func reopenPipes(int) pipes { return pipes{} }

func dup(fd int) (int, error) {
	self := windows.CurrentProcess()
	var h windows.Handle
	err := windows.DuplicateHandle(self, windows.Handle(fd), self, &h, 0, false, windows.DUPLICATE_SAME_ACCESS)
	return int(h), err
}

// dupFile leaves f bound to Go's completion port, which Fd would not.
func dupFile(f *os.File) (fd int, err error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return -1, err
	}
	failed := raw.Control(func(h uintptr) { fd, err = dup(int(h)) })
	return fd, errors.Join(err, failed)
}

// Lend keeps a handle that children are to have by Spawn.Files, until Drop. It belongs to the table then.
func (t *Table) Lend(name string, handle uintptr) { t.keep(name, int(handle)) }

// closeFDs closes handles; 0 and negative ones mean none.
func closeFDs(fds ...int) {
	for _, fd := range fds {
		if fd > 0 {
			_ = windows.CloseHandle(windows.Handle(fd))
		}
	}
}
