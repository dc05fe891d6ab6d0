// Package ipc is everything that crosses a process boundary: the control socket of a home
// ([Listen], [Dial]) with its peer check, the server's plumbing ([Serve], [Handle], [Stream]) and the
// client that the command line uses ([Client]).
//
// The protocol is HTTP/1.1 with JSON bodies, so that curl is the debugger:
//
//	curl --unix-socket ~/.gpm/gpm.sock http://gpm/v1/ping
//
// An error is {"error": app.Error} with a fitting status. A stream is newline-delimited JSON; empty
// lines in it are heartbeats, and a line {"error": …} alone ends a stream that failed.
package ipc

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"syscall"
	"time"

	"gpm/app"
)

// ErrNotRunning says that nobody listens at a home's address.
var ErrNotRunning = errors.New("no daemon is running")

// versionHeader carries [app.Version] in every answer.
const versionHeader = "Gpm-Version"

// host is the Host that requests carry; a request for any other but localhost is refused.
const host = "gpm"

// retryDial is the pause after a full accept queue.
const retryDial = 5 * time.Millisecond

// Dial connects to the daemon that listens at path. Nobody there: ErrNotRunning; a socket of
// another user: app.ErrForbidden.
func Dial(ctx context.Context, path string) (net.Conn, error) {
	for {
		conn, err := dial(ctx, path)
		if !errors.Is(err, syscall.EAGAIN) {
			return conn, dialError(path, err)
		}
		select { // the queue of a Unix socket is full: fifty commands at once
		case <-ctx.Done():
			return nil, dialError(path, ctx.Err())
		case <-time.After(retryDial):
		}
	}
}

func dialError(path string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOTDIR):
		return &notRunning{path}
	case errors.Is(err, fs.ErrPermission):
		return app.Errorf(app.CodeForbidden, "cannot connect to %s: %w", path, err).
			WithHint("the daemon belongs to another user; run the command as that user, or set GPM_HOME")
	case errors.Is(err, context.DeadlineExceeded):
		return app.Errorf(app.CodeTimeout, "cannot connect to %s in time: %w", path, err)
	}
	if e, ok := errors.AsType[*app.Error](err); ok {
		return e
	}
	return app.Errorf(app.CodeInternal, "cannot connect to %s: %w", path, err)
}

// notRunning is ErrNotRunning with the address in its words.
type notRunning struct{ path string }

func (e *notRunning) Error() string {
	return "cannot reach a daemon at " + e.path + ": none is running"
}
func (e *notRunning) Is(target error) bool { return target == ErrNotRunning }
