//go:build unix

package ipc

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"gpm/app"
)

func TestListenMakesAPrivateSocket(t *testing.T) {
	path := Address(t.TempDir())
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	if want := fs.ModeSocket | 0o600; info.Mode() != want {
		t.Errorf("mode %v, want %v", info.Mode(), want)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket is still there after Close: %v", err)
	}
}

func TestListenReplacesAStaleSocket(t *testing.T) {
	path := Address(t.TempDir())
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	_ = dead.Close()
	if _, err := Dial(t.Context(), path); !errors.Is(err, ErrNotRunning) {
		t.Errorf("dial of a stale socket: %v, want ErrNotRunning", err)
	}
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
}

func TestListenLeavesOtherFilesAlone(t *testing.T) {
	path := Address(t.TempDir())
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Listen(path)
	wantCode(t, err, app.CodeConflict)
	if b, err := os.ReadFile(path); string(b) != "mine" {
		t.Errorf("the file was changed: %q, %v", b, err)
	}
}

func TestListenSaysWhereItCannot(t *testing.T) {
	_, err := Listen(filepath.Join(t.TempDir(), "nowhere", "gpm.sock"))
	wantCode(t, err, app.CodeInternal)
}

func TestDialWithoutDaemon(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{
		"no socket":      Address(t.TempDir()),
		"no home":        Address(filepath.Join(t.TempDir(), "none")),
		"home is a file": Address(file),
	} {
		if _, err := Dial(t.Context(), path); !errors.Is(err, ErrNotRunning) {
			t.Errorf("%s: %v, want ErrNotRunning", name, err)
		}
	}
}

func TestLongPath(t *testing.T) {
	home := longHome(t)
	if err := os.MkdirAll(home, 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := Listen(Address(home))
	if runtime.GOOS != "linux" {
		wantCode(t, err, app.CodeInvalid)
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	serveOn(t, l, stubs())
	if _, err := client(t, home).Ping(t.Context()); err != nil {
		t.Error(err)
	}
}
