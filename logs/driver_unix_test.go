//go:build unix

package logs

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gpm/app"
)

// service is a socket that takes datagrams, as journald and syslog have.
func service(t *testing.T) (path string, next func() string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "s")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return path, func() string {
		buf := make([]byte, 1<<20)
		_ = c.SetReadDeadline(time.Now().Add(30 * time.Second))
		n, err := c.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		return string(buf[:n])
	}
}

func TestJournald(t *testing.T) {
	path, next := service(t)
	d := NewJournald(path)
	if err := d.Send(app.LogLine{ID: 3, Name: "api", Stream: app.Stderr, Text: "a\x00b"}); err != nil {
		t.Fatal(err)
	}
	want := "PRIORITY=3\nSYSLOG_IDENTIFIER=api\nGPM_NAME=api\nGPM_ID=3\nGPM_STREAM=err\nMESSAGE\n\x03\x00\x00\x00\x00\x00\x00\x00a\x00b\n"
	if got := next(); got != want {
		t.Errorf("%q", got)
	}
}

func TestSyslog(t *testing.T) {
	path, next := service(t)
	d := NewSyslog(path)
	at := time.Date(2026, 11, 5, 1, 2, 3, 0, time.Local)
	long := strings.Repeat("é", maxMessage)
	go func() { _ = d.Send(app.LogLine{ID: 3, Name: "api", Stream: app.Stdout, At: at, Text: long}) }()
	got := ""
	for len(got) < len(long) {
		part, ok := strings.CutPrefix(next(), "<14>Nov  5 01:02:03 api[3]: ")
		if !ok || len(part) > maxMessage {
			t.Fatalf("%.100q", part)
		}
		got += part
	}
	if got != long {
		t.Errorf("%d bytes", len(got))
	}
	if err := NewSyslog(path + "-absent").Send(app.LogLine{}); err == nil {
		t.Error("a service that is not there took a line")
	}
}

// TestForwarder: every line is handed on once and in order, over failures, rotations, and to the Forwarder that
// comes after one that ended.
func TestForwarder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.log")
	writeFile(t, path, "before\n")
	p := newPump(t, Options{})
	var mu sync.Mutex
	var got []string
	var said []error
	broken := errors.New("broken")
	send := func(l app.LogLine) error {
		mu.Lock()
		defer mu.Unlock()
		if len(got) == 5 && len(said) == 0 {
			return broken
		}
		got = append(got, l.Text)
		return nil
	}
	say := func(err error) { mu.Lock(); defer mu.Unlock(); said = append(said, err) }
	src := Source{Path: path, Name: "a", Stream: app.Stdout}
	begin := func() (end func()) {
		f, err := NewForwarder(p, src, nil, send, say)
		if err != nil {
			t.Fatal(err)
		}
		rest, cancel := context.WithCancel(t.Context())
		ctx, stop := context.WithCancel(rest)
		var run sync.WaitGroup
		run.Go(func() { defer stop(); f.Run(ctx, rest) })
		return func() { cancel(); run.Wait() }
	}
	end := begin()
	_, w := attachRotating(t, p, path, Policy{MaxSize: 40})
	var want []string
	const total = 60
	for i := range total {
		write(t, w, "line ")
		if i == total/2 { // the other half is for the next one
			end()
			end = begin()
		}
		write(t, w, fmt.Sprintf("%d\n", i))
		want = append(want, fmt.Sprint("line ", i))
	}
	eventually(t, "all lines are handed on", func() bool { mu.Lock(); defer mu.Unlock(); return len(got) >= total })
	end()
	if strings.Join(got, ",") != strings.Join(want, ",") {
		t.Errorf("%q", got)
	}
	if len(said) < 2 || !errors.Is(said[0], broken) || said[1] != nil {
		t.Errorf("it said %v", said)
	}
	if _, err := os.Stat(sentName(path)); err != nil {
		t.Error(err)
	}
}
