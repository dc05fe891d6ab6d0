//go:build unix

package errand

import (
	"os/exec"
	"syscall"
)

func shell(line string) []string { return []string{"/bin/sh", "-c", line} }

// isolate has a command lead a process group of its own, and returns what ends the rest of it.
func isolate(cmd *exec.Cmd, user *User) (endWhole func()) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if user != nil {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: user.UID, Gid: user.GID, Groups: user.Groups}
	}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	return func() {
		if cmd.Process != nil { // a group lives on as long as one of it does, and its number with it
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) //nolint:errcheck // mostly nobody is left
		}
	}
}
