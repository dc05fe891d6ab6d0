//go:build linux

package e2e

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"gpm/app"
	"gpm/testprog/leak"
)

// untouched fails if a refused command has left a process or a lock behind.
func (h *home) untouched() {
	h.t.Helper()
	leak.Check(h.t, h.dir)
}

// makeHome makes the directory that the first command would.
func (h *home) makeHome() {
	h.t.Helper()
	if err := os.Mkdir(h.dir, 0o700); err != nil {
		h.t.Fatal(err)
	}
}

func (h *home) put(name, text string) {
	h.t.Helper()
	if err := os.WriteFile(filepath.Join(h.dir, name), []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
}

// TestBadHomes: what cannot be a home is said at once, and left as it is.
func TestBadHomes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		words string
		make  func(h *home)
	}{
		"file":      {"it is a file", func(h *home) { h.dir = h.write("file", "precious", 0o600) }},
		"in a file": {"not a directory", func(h *home) { h.dir = filepath.Join(h.write("file", "precious", 0o600), "home") }},
		"open":      {"everybody can write to it", func(h *home) { h.makeHome(); _ = os.Chmod(h.dir, 0o777) }},
		"damaged":   {"the file is damaged", func(h *home) { h.makeHome(); h.put("gpm.db", strings.Repeat("garbage", 9999)) }},
		"cut":       {"the file is damaged", func(h *home) { h.makeHome(); h.put("gpm.db", "cut") }},
		"directory": {"not a regular file", func(h *home) { h.makeHome(); _ = os.Mkdir(filepath.Join(h.dir, "gpm.db"), 0o700) }},
		"newer":     {"its schema version is 99", func(h *home) { h.setSchema("99") }},
		"in use":    {"another gpm daemon has it open", func(h *home) { h.lockDatabase() }},
		"no socket": {"not a socket is in the way", func(h *home) { h.makeHome(); h.put("gpm.sock", "precious") }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHome(t)
			c.make(h)
			before := contents(h)
			began := time.Now()
			h.refused(c.words, "list")
			if took := time.Since(began); took > 9*time.Second {
				t.Errorf("it took %s to say so", took)
			}
			if after := contents(h); after != before {
				t.Errorf("it was %.80q and is %.80q", before, after)
			}
			h.untouched()
		})
	}
}

// contents is what must not change of a bad home.
func contents(h *home) string {
	for _, path := range []string{h.dir, filepath.Join(h.dir, "gpm.sock"), filepath.Join(h.dir, "gpm.db")} {
		if b, _ := os.ReadFile(path); len(b) > 0 { // a directory has no text
			return string(b)
		}
	}
	return ""
}

// sealed is a value with its checksum before it, as the store keeps it.
func sealed(key, value string) []byte {
	sum := crc32.Checksum([]byte(key+value), crc32.MakeTable(crc32.Castagnoli))
	return append(binary.BigEndian.AppendUint32(nil, sum), value...)
}

// setSchema makes the home one of another version of gpm.
func (h *home) setSchema(version string) {
	h.t.Helper()
	h.must("ping")
	h.must("kill")
	db, err := bbolt.Open(filepath.Join(h.dir, "gpm.db"), 0o600, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte("meta")).Put([]byte("schema"), sealed("schema", version))
	})
	if err = errors.Join(err, db.Close()); err != nil {
		h.t.Fatal(err)
	}
}

// lockDatabase holds the lock of a database until the test ends.
func (h *home) lockDatabase() {
	h.t.Helper()
	h.must("ping")
	h.must("kill")
	f, err := os.OpenFile(filepath.Join(h.dir, "gpm.db"), os.O_RDWR, 0)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { f.Close() })
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		h.t.Fatal(err)
	}
}

// TestRepairedHome: once the cause is gone the next command works, without a kill in between.
func TestRepairedHome(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.must("start", progBin, "--name", "app", "--", "sleep")
	h.must("kill")
	db := filepath.Join(h.dir, "gpm.db")
	good, err := os.ReadFile(db)
	if err != nil {
		t.Fatal(err)
	}
	h.put("gpm.db", "damaged")
	h.refused("the file is damaged", "list")
	h.put("gpm.db", string(good))
	if got := h.list(); len(got) != 1 || got[0].Name != "app" {
		t.Errorf("the list is %+v", got)
	}
}

// TestStaleFiles: a socket and a pid file of a daemon that is gone keep nobody from anything.
func TestStaleFiles(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.makeHome()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(h.dir, "gpm.sock"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	h.must("start", progBin, "--name", "app", "--", "sleep")
	d := h.daemon()
	stopProcess(t, d.PID)
	kill(t, d.MasterPID)
	kill(t, d.PID) // leaves socket, database lock and pid files as they are
	h.untilDead(d)
	h.must("list")
	h.untilState("app", app.Online)
}

// TestForeignUsers are refused by the directory, and where that lets them in, by the daemon.
func TestForeignUsers(t *testing.T) {
	t.Parallel()
	stranger := nobody(t)
	h := newHome(t)
	h.must("start", progBin, "--name", "app", "--", "sleep")
	pid := h.status("app").PID
	if err := os.Chmod(filepath.Dir(filepath.Dir(h.dir)), 0o755); err != nil {
		t.Fatal(err)
	}
	other := &home{t: t, dir: h.dir, cwd: "/", user: stranger}
	other.refused("permission denied", "stop", "app")
	for path, mode := range map[string]os.FileMode{h.dir: 0o755, filepath.Join(h.dir, "gpm.sock"): 0o777} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	other.refused("the daemon belongs to user 0", "stop", "app")
	other.refused("the daemon belongs to user 0", "list")
	other.dir = filepath.Join(filepath.Dir(h.dir), "unwritable", "home")
	if err := os.Mkdir(filepath.Dir(other.dir), 0o755); err != nil {
		t.Fatal(err)
	}
	other.refused("permission denied", "list")
	other.dir = filepath.Dir(other.dir)
	other.refused("it belongs to user 0", "list")
	if st := h.status("app"); st.PID != pid || st.State != app.Online {
		t.Errorf("the app is %+v", st)
	}
}

// TestGarbageOnTheSocket is answered or dropped; the daemon and its descriptors do not mind.
func TestGarbageOnTheSocket(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.must("start", progBin, "--name", "app", "--", "sleep")
	d := h.daemon()
	check := leak.Descriptors(t, d.PID)
	noise := bytes.Repeat([]byte("\x00\xff\x16\x03\x01garbage\r\n\r\n"), 5000)
	for _, text := range []string{
		"", "\x00", "GET", string(noise), "GET / HTTP/1.1\r\n\r\n", "POST /v1/start HTTP/1.1\r\nHost: gpm\r\nContent-Length: 5\r\n\r\n{\x00\xff\x01}",
		"POST /v1/actions HTTP/1.1\r\nHost: gpm\r\nTransfer-Encoding: chunked\r\n\r\nfffffffff\r\n", "GET /v1/processes?sel=%zz HTTP/1.1\r\nHost: gpm\r\n\r\n",
		"POST /v1/daemon/kill HTTP/1.1\r\nHost: evil.example\r\nOrigin: http://evil.example\r\nContent-Length: 2\r\n\r\n{}",
		"GET /v1/ping HTTP/1.1\r\nHost: gpm\r\nX: " + strings.Repeat("x", 2<<20) + "\r\n\r\n",
	} {
		h.send(text)
	}
	h.must("ping")
	if now := h.daemon(); now.PID != d.PID {
		t.Error("the daemon is another one")
	}
	h.untilState("app", app.Online)
	check()
	h.checkStatus("GET", "/v1/nosuch", "", http.StatusNotFound)
	h.checkStatus("DELETE", "/v1/processes", "", http.StatusNotFound)
	h.checkStatus("POST", "/v1/start", "{", http.StatusBadRequest)
	h.checkStatus("POST", "/v1/actions", `{"action":"explode","selectors":["all"]}`, http.StatusBadRequest)
}

// send writes bytes to the socket and reads whatever comes until the daemon has enough.
func (h *home) send(text string) {
	h.t.Helper()
	conn, err := net.Dial("unix", filepath.Join(h.dir, "gpm.sock"))
	if err != nil {
		h.t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(2 * time.Second))
	_, _ = io.WriteString(conn, text) // it may hang up in the middle
	_ = conn.(*net.UnixConn).CloseWrite()
	_, _ = io.Copy(io.Discard, conn)
}

// checkStatus sends one request; an error must be JSON with a sentence.
func (h *home) checkStatus(method, path, body string, want int) {
	h.t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(context.Context, string, string) (net.Conn, error) {
		return net.Dial("unix", filepath.Join(h.dir, "gpm.sock"))
	}}}
	req, err := http.NewRequestWithContext(h.t.Context(), method, "http://gpm"+path, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != want || !strings.Contains(string(text), `"message":"cannot `) {
		h.t.Errorf("%s %s: %s, want %d: %s", method, path, resp.Status, want, text)
	}
}

// mountSmall mounts a file system of that size, or skips the test. It ends with the test, after the home's processes:
// while one of them is ending, its lock is free a moment before all its files are.
func (h *home) mountSmall(dir, size string) {
	h.t.Helper()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=700,size="+size); err != nil {
		h.t.Skip("cannot mount a small file system:", err)
	}
	h.t.Cleanup(func() {
		h.run("kill")
		unmount(h.t, dir)
	})
}

// unmount waits until nobody has files there.
func unmount(t *testing.T, dir string) {
	deadline := time.After(hang)
	for {
		err := syscall.Unmount(dir, 0)
		if err == nil {
			return
		}
		select {
		case <-deadline:
			t.Errorf("cannot unmount %s: %v", dir, err)
			_ = syscall.Unmount(dir, syscall.MNT_DETACH)
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// TestFullDisk: no intent is lost or half-kept, the apps go on, and space makes all well again.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	nobody(t)
	h := newHome(t)
	h.makeHome()
	h.mountSmall(h.dir, "1m")
	h.must("start", progBin, "--name", "before", "--", "printer", "0", "1000")
	pid := h.status("before").PID
	filler := filepath.Join(h.dir, "filler")
	fill(t, filler)
	h.refused("no space left", "start", progBin, "--name", "after", "--", "sleep")
	h.refused("no space left", "stop", "before")
	if list := h.list(); len(list) != 1 || list[0].PID != pid || list[0].State != app.Online {
		t.Errorf("on a full disk the list is %+v", list)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	h.must("start", progBin, "--name", "after", "--", "sleep")
	h.must("stop", "before")
	h.untilState("before", app.Stopped)
}

// fill writes to a file until the disk is full.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 64 << 10; size > 0; {
		if _, err := f.Write(make([]byte, size)); errors.Is(err, syscall.ENOSPC) {
			size /= 2
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// TestFullDiskAtFirst: a home that cannot hold a database is no home.
func TestFullDiskAtFirst(t *testing.T) {
	t.Parallel()
	nobody(t)
	h := newHome(t)
	h.makeHome()
	h.mountSmall(h.dir, "16k")
	h.refused("no space left", "list")
	h.untouched()
}
