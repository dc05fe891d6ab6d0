//go:build unix

package master

import "syscall"

// startProcess forks and executes. The child leads a session of its own, so that
// no terminal's signal reaches it and its group can be signalled as a whole.
func startProcess(l *launch, sweep bool) (process, error) {
	attr := &syscall.ProcAttr{
		Dir: l.Dir, Env: l.Env,
		Files: make([]uintptr, len(l.files)),
		Sys:   &syscall.SysProcAttr{Setsid: true},
	}
	for i, fd := range l.files {
		attr.Files[i] = uintptr(fd) // closed becomes ^0, which ForkExec closes
	}
	if c := l.Credential; c != nil {
		attr.Sys.Credential = &syscall.Credential{Uid: c.UID, Gid: c.GID, Groups: c.Groups}
	}
	return forkExec(l, attr, sweep)
}
