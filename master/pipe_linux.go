package master

import (
	"math"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// pipeSize is what an output pipe should hold, so that an app may go on writing while a daemon restarts.
const pipeSize = 256 << 10

// bigPipes is how many pipes of a user other than root are enlarged: pipe
// memory is limited by user, pipe(7), and past the limit new pipes hold only one page.
const bigPipes = 64

// output returns our non-blocking read end and the child's end, open for reading
// and writing for the reason given at fifo. The child's uid, if it is another
// one, must own the pipe to be able to open /dev/stdout. held is how many exist.
func (m *pipeMaker) output(uid uint32, held int) (ours, child int, err error) {
	read, write, err := closeOnExecPipe()
	if err != nil {
		return 0, 0, err
	}
	child, err = unix.Open("/proc/self/fd/"+strconv.Itoa(write), unix.O_RDWR|unix.O_CLOEXEC, 0)
	unix.Close(write)
	if err != nil { // no /proc
		unix.Close(read)
		read, child, err = m.fifo()
	}
	if err == nil {
		err = unix.SetNonblock(read, true)
	}
	if err == nil && uid != math.MaxUint32 && os.Geteuid() == 0 {
		err = unix.Fchown(child, int(uid), -1)
	}
	if err != nil {
		closeFDs(read, child)
		return 0, 0, err
	}
	if os.Geteuid() == 0 || held < bigPipes {
		_, _ = unix.FcntlInt(uintptr(read), unix.F_SETPIPE_SZ, pipeSize)
	}
	return read, child, nil
}

func closeOnExecPipe() (read, write int, err error) {
	p := make([]int, 2)
	err = unix.Pipe2(p, unix.O_CLOEXEC)
	return p[0], p[1], err
}

// reopenPipes opens the read ends of a running process's output where they are pipes.
func reopenPipes(pid int) pipes {
	return pipes{out: reopenPipe(pid, 1), err: reopenPipe(pid, 2)}
}

func reopenPipe(pid, number int) int {
	name := "/proc/" + strconv.Itoa(pid) + "/fd/" + strconv.Itoa(number)
	if target, err := os.Readlink(name); err != nil || !strings.HasPrefix(target, "pipe:") {
		return 0
	}
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0
	}
	return fd
}
