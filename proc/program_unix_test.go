//go:build unix

package proc

import "syscall"

func setSession(a *syscall.SysProcAttr) { a.Setsid = true }
