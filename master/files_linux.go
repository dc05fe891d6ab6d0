package master

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// fileBudget raises this process's limit of open files when it comes near.
//
// Go raises the soft limit to just under the hard one at start and gives
// children the original back, but only while the limit is what Go has set. So
// the hard limit is touched only when that room is nearly used up, and from
// then on children get their limit from the trampoline.
type fileBudget struct {
	enough   atomic.Int64 // descriptors below this number are no reason to look; 0 = not known
	mu       sync.Mutex
	original *Rlimit // what children should have; nil while Go sees to it
}

// makeRoom looks at a descriptor just opened, the lowest number that was free,
// and raises the limit when three quarters are in use.
func (t *Table) makeRoom(fd int) {
	if int64(fd) < t.files.enough.Load() {
		return
	}
	var now unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &now); err != nil {
		return
	}
	limit := int64(min(now.Cur, math.MaxInt32))
	if int64(fd) >= limit/4*3 && len(t.opt.Trampoline) > 0 {
		t.forking.RLock()
		t.files.raise(t.opt.Trampoline[0])
		t.forking.RUnlock()
		limit = math.MaxInt32 // there is no second time
	}
	t.files.enough.Store(limit / 4 * 3)
}

// raise does nothing for a user who may not.
func (b *fileBudget) raise(program string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.original != nil || os.Geteuid() != 0 {
		return
	}
	if original, err := childFileLimit(program); err == nil && RaiseFiles() == nil {
		b.original = &original
	}
}

// restore adds the original limit to those of a child, unless it has its own.
func (b *fileBudget) restore(list []Rlimit) []Rlimit {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.original == nil {
		return list
	}
	for _, r := range list {
		if r.Resource == unix.RLIMIT_NOFILE {
			return list
		}
	}
	return append([]Rlimit{*b.original}, list...)
}

// RaiseFiles raises this process's limit of open files to fs.nr_open when it is
// root; for others Go has raised the soft limit at start. Children started
// later inherit it. It asks the kernel directly, to leave Go's record of the original alone.
func RaiseFiles() error {
	most := mostFiles()
	if os.Geteuid() != 0 || most == 0 {
		return nil
	}
	want := unix.Rlimit{Cur: most, Max: most}
	_, _, errno := syscall.RawSyscall6(unix.SYS_PRLIMIT64, 0, unix.RLIMIT_NOFILE, uintptr(unsafe.Pointer(&want)), 0, 0, 0)
	if errno != 0 {
		return fmt.Errorf("cannot raise the limit of open files to %d: %w", most, errno)
	}
	return nil
}

// mostFiles is the kernel's bound on a hard limit, proc(5) fs.nr_open.
func mostFiles() uint64 {
	data, err := os.ReadFile("/proc/sys/fs/nr_open")
	if err != nil {
		return 0
	}
	n, _ := strconv.ParseUint(strings.TrimSpace(string(data)), 10, 64)
	return n
}

// childFileLimit finds out the limit that children get from Go, which does not
// tell. A traced child stops at exec, before its program can change anything.
func childFileLimit(program string) (Rlimit, error) {
	runtime.LockOSThread() // a tracer is a thread
	defer runtime.UnlockOSThread()
	pid, err := syscall.ForkExec(program, []string{program}, &syscall.ProcAttr{
		Sys: &syscall.SysProcAttr{Ptrace: true, Setsid: true},
	})
	if err != nil {
		return Rlimit{}, err
	}
	p := process{pid: pid}
	defer destroy(&p)
	wait4(pid, unix.WUNTRACED)
	var lim unix.Rlimit
	err = unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &lim)
	return Rlimit{unix.RLIMIT_NOFILE, lim.Cur, lim.Max}, err
}
