package ipc

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net"
	"strings"

	"github.com/Microsoft/go-winio"
	"golang.org/x/sys/windows"

	"gpm/app"
)

// Address returns the named pipe of a home. Pipes live in one flat name space, hence the hash;
// paths are compared without case, as Windows does.
func Address(home string) string {
	sum := sha256.Sum256([]byte(strings.ToLower(home)))
	return `\\.\pipe\gpm-` + hex.EncodeToString(sum[:8])
}

// Listen opens the control pipe at path for the present user, administrators and the system.
// The caller must hold the lock on the home's database: a pipe has no other owner to ask.
func Listen(path string) (net.Listener, error) {
	user, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return nil, app.Errorf(app.CodeInternal, "cannot listen on %s: %w", path, err)
	}
	// P: nothing inherited; GA: all access, to SYSTEM, the administrators and ourselves.
	sddl := "D:P(A;;GA;;;SY)(A;;GA;;;BA)(A;;GA;;;" + user.User.Sid.String() + ")"
	l, err := winio.ListenPipe(path, &winio.PipeConfig{SecurityDescriptor: sddl})
	if err != nil {
		return nil, app.Errorf(app.CodeInternal, "cannot listen on %s: %w", path, err)
	}
	return l, nil
}

func dial(ctx context.Context, path string) (net.Conn, error) {
	return winio.DialPipeContext(ctx, path)
}
