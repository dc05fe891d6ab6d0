package static

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"gpm/app"
)

const childVariable = "GPM_TEST_SERVE"

// TestMain lets the test binary be the server.
func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		if err := serveFromEnv(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func serveFromEnv() error {
	o, addr, err := FromEnv(os.Getenv)
	if err != nil {
		return err
	}
	h, err := New(o)
	if err != nil {
		return err
	}
	defer h.Close()
	ln, err := Listen(addr, os.Getenv)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() { io.Copy(io.Discard, os.Stdin); cancel() }() // ends with the test
	return Serve(ctx, ln, h, time.Second)
}

// TestPassedSocket: the server takes the socket of LISTEN_FDS.
func TestPassedSocket(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	f, err := ln.(*net.TCPListener).File()
	if err != nil {
		t.Skip("sockets cannot be passed here: ", err)
	}
	defer f.Close()
	dir := t.TempDir()
	write(t, dir, "x.txt", "hello")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"=1", "LISTEN_FDS=1", "PM2_SERVE_PATH="+dir, "PM2_SERVE_PORT=1")
	cmd.ExtraFiles = []*os.File{f}
	var errs strings.Builder
	cmd.Stderr = &errs
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Skip("sockets cannot be passed here: ", err)
	}
	defer func() {
		stdin.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the server ends with %v: %s", err, &errs)
		}
	}()
	res, err := (&http.Client{Timeout: 20 * time.Second}).Get("http://" + ln.Addr().String() + "/x.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); string(body) != "hello" || err != nil {
		t.Errorf("%q, error %v", body, err)
	}
}

// TestShutdownFinishes: an answer under way is completed, a new one refused.
func TestShutdownFinishes(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(entered)
		<-release
		io.WriteString(w, "whole")
	})
	ln, err := Listen("127.0.0.1:0", func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended, got := make(chan error, 1), make(chan string, 1)
	go func() { ended <- Serve(ctx, ln, h, 20*time.Second) }()
	go func() { got <- body("http://" + ln.Addr().String()) }()
	<-entered
	cancel()
	for { // until it accepts no more
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			break
		}
		c.Close()
	}
	close(release)
	if text := <-got; text != "whole" {
		t.Errorf("the answer is %q", text)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func body(url string) string {
	res, err := http.Get(url)
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(res.Body)
	return string(text)
}

func TestShutdownGivesUp(t *testing.T) {
	entered := make(chan struct{})
	h := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended, got := make(chan error, 1), make(chan string, 1)
	go func() { ended <- Serve(ctx, ln, h, 10*time.Millisecond) }()
	go func() { got <- body("http://" + ln.Addr().String()) }()
	<-entered
	cancel()
	if err := <-ended; !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	<-got
}

func TestListenRefuses(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	none := func(string) string { return "" }
	if _, err := Listen(ln.Addr().String(), none); !errors.Is(err, app.ErrConflict) || app.AsError(err).Hint == "" {
		t.Errorf("a port in use: %v", err)
	}
	if _, err := New(Options{Path: "/nonexistent/folder"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
}

func TestFromEnv(t *testing.T) {
	for name, c := range map[string]struct {
		env  string
		want Options
		addr string
		bad  bool
	}{
		"nothing":    {"", Options{Path: ".", Origin: "*"}, ":8080", false},
		"everything": {"PORT=80 HOST=::1 PATH=/srv SPA=true FTP=false HOMEPAGE=/h.html BASIC_AUTH=true BASIC_AUTH_USERNAME=u BASIC_AUTH_PASSWORD=p", Options{Path: "/srv", Homepage: "/h.html", SPA: true, User: "u", Password: "p", Origin: "*"}, "[::1]:80", false},
		"auth off":   {"BASIC_AUTH_USERNAME=u BASIC_AUTH_PASSWORD=p", Options{Path: ".", Origin: "*"}, ":8080", false},
		"no port":    {"PORT=x", Options{}, "", true},
		"port 0":     {"PORT=0", Options{}, "", true},
		"no truth":   {"SPA=maybe", Options{}, "", true},
		"no user":    {"BASIC_AUTH=true BASIC_AUTH_PASSWORD=p", Options{}, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			env := map[string]string{}
			for _, kv := range strings.Fields(c.env) {
				k, v, _ := strings.Cut(kv, "=")
				env["PM2_SERVE_"+k] = v
			}
			got, addr, err := FromEnv(func(k string) string { return env[k] })
			if c.bad {
				if !errors.Is(err, app.ErrInvalid) {
					t.Errorf("error %v", err)
				}
				return
			}
			if err != nil || got != c.want || addr != c.addr {
				t.Errorf("%+v at %q, error %v", got, addr, err)
			}
		})
	}
}
