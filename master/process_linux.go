package master

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// process is a running or ended process. pidfd is 0 without one.
type process struct {
	pid   int
	start uint64
	pidfd int
}

// watched says whether the watcher's epoll will tell of the end.
func (p *process) watched() bool { return p.pidfd > 0 }

func closeHandles(p *process) {
	closeFDs(p.pidfd)
	p.pidfd = 0
}

// forkExec starts the child with a pidfd and, where one is named, in its
// cgroup. A kernel that refuses the cgroup is no reason not to start: which of
// the two it refused is learned by trying again without.
func forkExec(l *launch, attr *syscall.ProcAttr, sweep bool) (process, error) {
	pidfd := 0
	if !sweep {
		attr.Sys.PidFD = &pidfd
	}
	pid, err := forkIntoCgroup(l, attr)
	if err != nil {
		pid, err = syscall.ForkExec(l.Path, l.Argv, attr)
	}
	if err != nil {
		return process{}, err
	}
	start, _ := startTime(pid)
	return process{pid: pid, start: start, pidfd: max(0, pidfd)}, nil
}

var errNoCgroup = errors.New("no cgroup")

func forkIntoCgroup(l *launch, attr *syscall.ProcAttr) (int, error) {
	if l.Cgroup == "" {
		return 0, errNoCgroup
	}
	dir, err := unix.Open(l.Cgroup, unix.O_DIRECTORY|unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, errNoCgroup
	}
	defer unix.Close(dir)
	attr.Sys.UseCgroupFD, attr.Sys.CgroupFD = true, dir
	pid, err := syscall.ForkExec(l.Path, l.Argv, attr)
	attr.Sys.UseCgroupFD = false
	return pid, err
}

// startTime is when a process began, in clock ticks after boot.
func startTime(pid int) (uint64, error) {
	s, err := readStat(pid)
	return s.start, err
}

// procStat is what we use of /proc/PID/stat, proc(5).
type procStat struct {
	state    byte
	ppid     int
	start    uint64
	exitCode int // as of wait(2); 0 for a process one may not trace
}

func readStat(pid int) (procStat, error) {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return procStat{}, err
	}
	return parseStat(data)
}

// parseStat starts after the last parenthesis, for the name before it may hold
// spaces and parentheses itself. What follows are numbers, the state apart.
func parseStat(data []byte) (procStat, error) {
	const state, ppid, start, exitCode = 0, 1, 19, 49 // fields 3, 4, 22 and 52
	f := bytes.Fields(data[bytes.LastIndexByte(data, ')')+1:])
	if len(f) <= exitCode || len(f[state]) != 1 {
		return procStat{}, errors.New("cannot read stat: too short")
	}
	s := procStat{state: f[state][0]}
	var errs [3]error
	s.ppid, errs[0] = strconv.Atoi(string(f[ppid]))
	s.start, errs[1] = strconv.ParseUint(string(f[start]), 10, 64)
	s.exitCode, errs[2] = strconv.Atoi(string(f[exitCode]))
	return s, errors.Join(errs[:]...)
}

// openProcess finds a process that may not be our child. own says that it is.
func openProcess(pid int, start uint64) (p process, own bool, err error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EINVAL) {
		return process{}, false, os.ErrProcessDone
	}
	if err != nil {
		return process{}, false, fmt.Errorf("cannot watch it: %w", err)
	}
	// Read after the pidfd exists: what matches now is what the pidfd means.
	s, err := readStat(pid)
	if err != nil || s.start != start || s.state == 'Z' || s.state == 'X' {
		unix.Close(fd)
		return process{}, false, os.ErrProcessDone
	}
	return process{pid: pid, start: start, pidfd: fd}, s.ppid == os.Getpid(), nil
}

// signalProcess sends by pidfd where there is one. A group has no pidfd, so its
// leader is asked first; our own zombies keep their group id anyway.
func signalProcess(p *process, sig int, group bool) error {
	if p.pidfd > 0 {
		first := unix.Signal(sig)
		if group {
			first = 0
		}
		if err := unix.PidfdSendSignal(p.pidfd, first, nil, 0); err != nil || !group {
			return doneIfGone(err)
		}
	}
	return killByID(p.pid, sig, group)
}

// reap removes the zombie of an ended child.
func reap(p *process) { wait4(p.pid, unix.WNOHANG) }

// inheritNothing marks what we were started with, apart from the standard
// streams: a stray descriptor of some shell must not live on in every worker.
func inheritNothing() {
	const all = 1<<32 - 1
	if unix.CloseRange(3, all, unix.CLOSE_RANGE_CLOEXEC) == nil {
		return
	}
	entries, _ := os.ReadDir("/proc/self/fd") // before Linux 5.11
	for _, e := range entries {
		if fd, err := strconv.Atoi(e.Name()); err == nil && fd > 2 {
			unix.CloseOnExec(fd)
		}
	}
}
