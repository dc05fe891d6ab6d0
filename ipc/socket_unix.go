//go:build unix

package ipc

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"gpm/app"
)

// Address returns where the daemon of a home listens.
func Address(home string) string { return filepath.Join(home, "gpm.sock") }

// Listen opens the control socket at path with mode 0600. Connections of other users but root are
// refused with a JSON error.
//
// A socket that is there already is removed without asking who listens: the caller must hold the
// lock on the home's database, which proves that it is stale. Anything else at path is left alone.
func Listen(path string) (net.Listener, error) {
	if err := removeStale(path); err != nil {
		return nil, err
	}
	addr, done, err := shortPath(path)
	if err != nil {
		return nil, err
	}
	defer done()
	// Linux gives the socket file the mode of the socket's own inode, so that it is never open to
	// others, not even between bind and chmod. Elsewhere the call fails and only the chmod counts.
	private := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { _ = unix.Fchmod(int(fd), 0o600) })
	}}
	l, err := private.Listen(context.Background(), "unix", addr)
	if err != nil {
		return nil, listenError(path, err)
	}
	unixListener := l.(*net.UnixListener)
	unixListener.SetUnlinkOnClose(false) // addr is not valid any more when it closes
	if err := os.Chmod(path, 0o600); err != nil {
		_ = l.Close()
		return nil, listenError(path, err)
	}
	return newGuard(unixListener, path), nil
}

func listenError(path string, err error) error {
	return app.Errorf(app.CodeInternal, "cannot listen on %s: %w", path, err)
}

func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return listenError(path, err)
	}
	if info.Mode().Type() != fs.ModeSocket {
		return app.Errorf(app.CodeConflict, "cannot listen on %s: a file that is not a socket is in the way", path).
			WithHint("move it away")
	}
	if err := os.Remove(path); err != nil {
		return listenError(path, err)
	}
	return nil
}

func dial(ctx context.Context, path string) (net.Conn, error) {
	addr, done, err := shortPath(path)
	if err != nil {
		return nil, err
	}
	defer done()
	return new(net.Dialer).DialContext(ctx, "unix", addr)
}

// maxPath is how long a socket's path may be: sun_path less its final zero.
const maxPath = len(unix.RawSockaddrUnix{}.Path) - 1

func pathTooLong(path string) error {
	return app.Errorf(app.CodeInvalid, "cannot use the socket %s: its path has %d bytes, more than %d", path, len(path), maxPath).
		WithHint("set GPM_HOME to a directory with a shorter path")
}
