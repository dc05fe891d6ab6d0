package errand

import (
	"os/exec"
	"syscall"
)

func shell(line string) []string { return []string{"cmd.exe", "/C", line} }

// isolate keeps a command away from our console. A command that is ended leaves what it started.
func isolate(cmd *exec.Cmd, _ *User) (endWhole func()) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP, HideWindow: true}
	return func() {}
}
