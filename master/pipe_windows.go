package master

import (
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

func dupFile(f *os.File) (int, error) { return dup(int(f.Fd())) }

// closeFDs closes handles; 0 and negative ones mean none.
func closeFDs(fds ...int) {
	for _, fd := range fds {
		if fd > 0 {
			_ = windows.CloseHandle(windows.Handle(fd))
		}
	}
}
