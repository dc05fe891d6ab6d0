package ipc

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"testing"
	"time"

	"gpm/app"
)

// serve answers routes in a new home until the test ends, and returns the home.
func serve(t testing.TB, routes []Route) string {
	t.Helper()
	home := t.TempDir()
	l, err := Listen(Address(home))
	if err != nil {
		t.Fatal(err)
	}
	serveOn(t, l, routes)
	return home
}

func serveOn(t testing.TB, l net.Listener, routes []Route) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, l, routes, slog.New(slog.DiscardHandler)) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
}

func client(t testing.TB, home string) *Client {
	c := New(home)
	t.Cleanup(c.Close)
	return c
}

// collect reads a sequence to its end or to its first error.
func collect[T any](seq func(func(T, error) bool)) ([]T, error) {
	var out []T
	for item, err := range seq {
		if err != nil {
			return out, err
		}
		out = append(out, item)
	}
	return out, nil
}

// wantCode fails unless err is an *app.Error of a code.
func wantCode(t *testing.T, err error, code app.Code) *app.Error {
	t.Helper()
	e, ok := errors.AsType[*app.Error](err)
	if !ok || e.Code != code {
		t.Fatalf("error %v (%T), want code %q", err, err, code)
	}
	return e
}

func within(t *testing.T, d time.Duration, what string, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(d):
		t.Fatalf("%s: not within %s", what, d)
	}
}

func longHome(t *testing.T) string {
	home := t.TempDir()
	for len(home) < 200 {
		home = filepath.Join(home, "a-directory-with-a-long-name")
	}
	return home
}
