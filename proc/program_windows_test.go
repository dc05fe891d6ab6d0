package proc

import "syscall"

func setSession(*syscall.SysProcAttr) {}
