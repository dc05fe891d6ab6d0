package master

import (
	"errors"
	"os"
	"strconv"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// childInfo is the part of siginfo_t that waitid(2) fills, behind three integers.
type childInfo struct {
	pid    int32
	uid    uint32
	status int32
}

// childInfoOffset is where it begins: the union is aligned like a pointer.
const childInfoOffset = unsafe.Offsetof(struct {
	_ [3]int32
	u uintptr
}{}.u)

// Codes of waitid(2).
const (
	cldExited = 1
	cldDumped = 3
)

// status tells how a process ended, without reaping it.
func (*watcher) status(p *process) (Exit, sight) {
	exit, pid, err := peek(unix.P_PID, p.pid)
	if err == nil && pid != 0 {
		return exit, gone
	}
	if p.watched() && !readable(p.pidfd) {
		return Exit{}, alive
	}
	if err == nil && p.watched() {
		return Exit{}, hidden
	}
	if err == nil {
		return Exit{}, alive
	}
	return strangerStatus(p), gone // not our child
}

// peek looks for a child that has ended and leaves it a zombie. pid is 0 when there is none.
func peek(idType, id int) (e Exit, pid int, err error) {
	var info unix.Siginfo
	var usage unix.Rusage
	for {
		err = unix.Waitid(idType, id, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, &usage)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	c := (*childInfo)(unsafe.Add(unsafe.Pointer(&info), childInfoOffset))
	if err != nil || c.pid == 0 {
		return Exit{}, 0, err
	}
	e = Exit{
		MaxRSS:  int64(usage.Maxrss) << 10,
		CPUTime: time.Duration(usage.Utime.Nano() + usage.Stime.Nano()),
	}
	if info.Code == cldExited {
		e.Code = int(c.status)
	} else {
		e.Code, e.Signal, e.CoreDumped = -1, int(c.status), info.Code == cldDumped
	}
	return e, int(c.pid), nil
}

// strangerStatus is the status of an ended process that is not our child. Once
// its parent has reaped it the kernel remembers (since 6.15); before that the
// zombie shows it. It may be reaped between the two questions, hence twice.
func strangerStatus(p *process) Exit {
	for range 2 {
		info := unix.PidfdInfo{Mask: unix.PIDFD_INFO_EXIT}
		if p.pidfd > 0 && unix.IoctlPidfdInfo(p.pidfd, &info) == nil && info.Mask&unix.PIDFD_INFO_EXIT != 0 {
			return fromWaitStatus(unix.WaitStatus(info.Exit_code))
		}
		s, err := readStat(p.pid)
		if err == nil && s.start == p.start && s.state == 'Z' && mayTrace(p.pid) {
			return fromWaitStatus(unix.WaitStatus(s.exitCode))
		}
	}
	return Exit{Code: -1, Unknown: true}
}

// mayTrace says whether the kernel shows us the exit code of a zombie; else it shows 0.
func mayTrace(pid int) bool {
	var s unix.Stat_t
	me := os.Geteuid()
	return me == 0 || unix.Stat("/proc/"+strconv.Itoa(pid), &s) == nil && int(s.Uid) == me
}

// readable polls a descriptor without waiting.
func readable(fd int) bool {
	set := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, err := unix.Poll(set, 0)
	return err == nil && n == 1
}
