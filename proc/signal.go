package proc

import (
	"fmt"
	"strconv"
	"strings"
	"syscall"

	"gpm/app"
)

// maxSignal is the highest number taken: the real-time signals of Linux end there, signal(7).
const maxSignal = 64

// ParseSignal reads a signal as people write it: "SIGINT", "INT", "int" or "2".
// The error is an *app.Error with CodeInvalid and a hint.
func ParseSignal(s string) (syscall.Signal, error) {
	name := strings.ToUpper(strings.TrimSpace(s))
	if n, err := strconv.Atoi(name); err == nil && 0 < n && n <= maxSignal {
		return syscall.Signal(n), nil
	}
	if sig := signalNumber("SIG" + strings.TrimPrefix(name, "SIG")); sig > 0 {
		return sig, nil
	}
	return 0, app.Errorf(app.CodeInvalid, "cannot use %q as a signal: unknown", s).
		WithHint("give a name such as SIGINT, SIGTERM or SIGHUP, or a number from 1 to %d", maxSignal)
}

// SignalName is the opposite: "SIGKILL" for 9, "SIG40" where there is no name.
func SignalName(n int) string {
	if name := signalName(syscall.Signal(n)); name != "" {
		return name
	}
	return fmt.Sprintf("SIG%d", n)
}
