//go:build unix

package ipc

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"gpm/app"
)

// refuseTime is how long a foreign user's connection is kept for an answer, and
// maxRefusals how many at once; beyond that they are just closed.
const (
	refuseTime  = time.Second
	maxRefusals = 16
)

// guard accepts connections of its own user and of root. It is the check behind
// the modes of socket and home, which anyone may have changed since.
type guard struct {
	*net.UnixListener
	path  string
	owner int
	slots chan struct{}  // one for each refusal going on
	wg    sync.WaitGroup // the refusals
}

func newGuard(l *net.UnixListener, path string) *guard {
	return &guard{UnixListener: l, path: path, owner: os.Geteuid(), slots: make(chan struct{}, maxRefusals)}
}

// Accept returns the next connection of a user who may talk to us.
func (g *guard) Accept() (net.Conn, error) {
	for {
		conn, err := g.AcceptUnix()
		if err != nil {
			return nil, err
		}
		uid, err := connUID(conn)
		if err == nil && (uid == g.owner || uid == 0) {
			return conn, nil
		}
		g.refuse(conn, uid)
	}
}

// Close stops listening, waits for refusals going on, and removes the socket. The caller still
// holds the database's lock, so it is our socket and not a successor's.
func (g *guard) Close() error {
	if err := g.UnixListener.Close(); err != nil {
		return err // closed before: what is at path now may be another's
	}
	g.wg.Wait()
	return os.Remove(g.path)
}

func (g *guard) refuse(conn *net.UnixConn, uid int) {
	select {
	case g.slots <- struct{}{}:
	default:
		_ = conn.Close()
		return
	}
	g.wg.Go(func() {
		defer func() { <-g.slots }()
		defer conn.Close()
		sayForbidden(conn, uid)
	})
}

// sayForbidden answers whatever was asked with one error. The request is read first, a little of it
// and unparsed: a client that finds the connection closed while it still writes never sees the answer.
func sayForbidden(conn *net.UnixConn, uid int) {
	_ = conn.SetDeadline(time.Now().Add(refuseTime))
	_, _ = conn.Read(make([]byte, 4096))
	e := app.Errorf(app.CodeForbidden, "cannot let user %d in: the daemon belongs to user %d", uid, os.Geteuid()).
		WithHint("run the command as that user, or set GPM_HOME")
	body, _ := json.Marshal(failure{e})
	_, _ = fmt.Fprintf(conn, "HTTP/1.1 %d Forbidden\r\nContent-Type: application/json\r\n%s: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
		http.StatusForbidden, versionHeader, app.Version, len(body), body)
}

func connUID(conn *net.UnixConn) (int, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return -1, err
	}
	uid, sockErr := -1, error(nil)
	if err := raw.Control(func(fd uintptr) { uid, sockErr = peerUID(int(fd)) }); err != nil {
		return -1, err
	}
	return uid, sockErr
}
