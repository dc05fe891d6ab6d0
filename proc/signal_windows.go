package proc

import "syscall"

// signalName knows the signals that Go emulates on Windows.
func signalName(sig syscall.Signal) string {
	switch sig {
	case syscall.SIGHUP:
		return "SIGHUP"
	case syscall.SIGINT:
		return "SIGINT"
	case syscall.SIGQUIT:
		return "SIGQUIT"
	case syscall.SIGABRT:
		return "SIGABRT"
	case syscall.SIGKILL:
		return "SIGKILL"
	case syscall.SIGSEGV:
		return "SIGSEGV"
	case syscall.SIGTERM:
		return "SIGTERM"
	}
	return ""
}

func signalNumber(name string) syscall.Signal {
	for sig := syscall.Signal(1); sig <= syscall.SIGTERM; sig++ {
		if signalName(sig) == name {
			return sig
		}
	}
	return 0
}
