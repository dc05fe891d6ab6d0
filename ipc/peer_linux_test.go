package ipc

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"gpm/app"
)

// dialAs dials as another user. Credentials belong to threads in Linux, so one thread is
// given up for it: the runtime ends a thread whose goroutine returns without unlocking it.
func dialAs(uid int, path string) (net.Conn, error) {
	type result struct {
		conn net.Conn
		err  error
	}
	done := make(chan result, 1)
	go func() {
		runtime.LockOSThread()
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid)); errno != 0 {
			done <- result{nil, errno}
			return
		}
		conn, err := Dial(context.Background(), path)
		done <- result{conn, err}
	}()
	r := <-done
	return r.conn, r.err
}

// openHome serves in a home that everybody may enter.
func openHome(t *testing.T) string {
	if os.Getuid() != 0 {
		t.Skip("needs root to become another user")
	}
	home := t.TempDir()
	for dir := home; len(dir) > len(os.TempDir()); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	l, err := Listen(Address(home))
	if err != nil {
		t.Fatal(err)
	}
	serveOn(t, l, stubs())
	return home
}

func TestForeignUserIsStoppedByTheMode(t *testing.T) {
	home := openHome(t)
	_, err := dialAs(65534, Address(home))
	wantCode(t, err, app.CodeForbidden)
}

func TestForeignUserIsRefused(t *testing.T) {
	home := openHome(t)
	if err := os.Chmod(Address(home), 0o666); err != nil {
		t.Fatal(err)
	}
	c := client(t, home)
	c.http.Transport.(*http.Transport).DialContext = func(context.Context, string, string) (net.Conn, error) {
		return dialAs(65534, Address(home))
	}
	_, err := c.Ping(t.Context())
	if e := wantCode(t, err, app.CodeForbidden); e.Hint == "" {
		t.Error("no hint")
	}
	if _, err := client(t, home).Ping(t.Context()); err != nil {
		t.Errorf("the owner afterwards: %v", err)
	}
}

// A foreign user who connects and says nothing holds up neither others nor the end.
func TestSilentForeignersDoNoHarm(t *testing.T) {
	home := openHome(t)
	if err := os.Chmod(Address(home), 0o666); err != nil {
		t.Fatal(err)
	}
	for range maxRefusals + 3 {
		conn, err := dialAs(65534, Address(home))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	if _, err := client(t, home).Ping(t.Context()); err != nil {
		t.Error(err)
	}
}
