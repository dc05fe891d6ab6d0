package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"gpm/app"
	"gpm/ipc"
)

// fake is a daemon whose answers are made up and whose requests are kept.
type fake struct {
	home    string
	details []app.Detail
	events  []app.Event
	lines   []app.LogLine

	mu      sync.Mutex // guards what follows
	starts  []app.StartRequest
	actions []app.ActionRequest
	queries []app.LogQuery
}

// newFake serves a fake until the test ends.
func newFake(t testing.TB) *fake {
	f := &fake{home: t.TempDir(), details: someDetails(), events: someEvents(), lines: someLines()}
	l, err := ipc.Listen(ipc.Address(f.home))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- ipc.Serve(ctx, l, f.routes(cancel), slog.New(slog.DiscardHandler)) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return f
}

func (f *fake) routes(end func()) []ipc.Route {
	status := func(context.Context, ipc.None) (app.DaemonStatus, error) {
		return app.DaemonStatus{Version: app.Version, PID: 11, MasterPID: 10, Home: f.home, Processes: 3, Warnings: []string{"the disk is full"}}, nil
	}
	return []ipc.Route{
		{Pattern: "GET /v1/ping", Handler: ipc.Handle(status)},
		{Pattern: "GET /v1/daemon", Handler: ipc.Handle(status)},
		{Pattern: "POST /v1/daemon/kill", Handler: ipc.Stream(func(_ context.Context, _ ipc.None, send func(app.Progress) error) error {
			defer end()
			return f.progress(f.details, send)
		})},
		{Pattern: "GET /v1/processes", Handler: ipc.Handle(func(_ context.Context, q ipc.ListQuery) ([]app.Status, error) {
			found, err := f.find(q.Selectors)
			list := make([]app.Status, len(found))
			for i, d := range found {
				list[i] = d.Status
			}
			return list, err
		})},
		{Pattern: "GET /v1/details", Handler: ipc.Handle(func(_ context.Context, q ipc.DetailsQuery) ([]app.Detail, error) { return f.find(q.Selectors) })},
		{Pattern: "GET /v1/history", Handler: ipc.Handle(func(context.Context, ipc.HistoryQuery) ([]app.Event, error) { return f.events, nil })},
		{Pattern: "GET /v1/events", Handler: ipc.Stream(func(_ context.Context, _ ipc.EventQuery, send func(app.Event) error) error {
			return sendAll(f.events, send)
		})},
		{Pattern: "POST /v1/start", Handler: ipc.Stream(f.start)},
		{Pattern: "POST /v1/actions", Handler: ipc.Stream(f.act)},
		{Pattern: "POST /v1/logs", Handler: ipc.Stream(f.logs)},
	}
}

func sendAll[T any](items []T, send func(T) error) error {
	for _, item := range items {
		if err := send(item); err != nil {
			return err
		}
	}
	return nil
}

func (f *fake) find(selectors []string) ([]app.Detail, error) {
	if len(selectors) == 0 {
		return f.details, nil
	}
	list := make([]app.Status, len(f.details))
	for i, d := range f.details {
		list[i] = d.Status
	}
	var out []app.Detail
	for _, sel := range selectors {
		found, err := app.Select(sel, list, make([]string, len(list)))
		if err != nil {
			return nil, err
		}
		for _, i := range found {
			out = append(out, f.details[i])
		}
	}
	return out, nil
}

func (f *fake) start(_ context.Context, req app.StartRequest, send func(app.Progress) error) error {
	f.mu.Lock()
	f.starts = append(f.starts, req)
	f.mu.Unlock()
	if req.Targets[0] == "nosuch" {
		return app.Errorf(app.CodeNotFound, "cannot start %q: no such file or program", req.Targets[0]).WithHint("look at the path")
	}
	if err := send(app.Progress{Note: "Starting " + req.Targets[0] + " in fork_mode (1 instance)"}); err != nil {
		return err
	}
	return f.progress(f.details[:1], send)
}

func (f *fake) act(_ context.Context, req app.ActionRequest, send func(app.Progress) error) error {
	f.mu.Lock()
	f.actions = append(f.actions, req)
	f.mu.Unlock()
	found, err := f.find(req.Selectors)
	if err != nil {
		return err
	}
	return f.progress(found, send)
}

// progress reports success, but for the process that is named stuck.
func (f *fake) progress(list []app.Detail, send func(app.Progress) error) error {
	if err := send(app.Progress{Total: len(list)}); err != nil {
		return err
	}
	for _, d := range list {
		p := app.Progress{Status: &d.Status}
		if d.Name == "stuck" {
			p.Error = app.Errorf(app.CodeStuck, "cannot stop it: still alive after SIGKILL").WithHint("it hangs in the kernel")
		}
		if err := send(p); err != nil {
			return err
		}
	}
	return nil
}

func (f *fake) logs(ctx context.Context, q app.LogQuery, send func(app.LogLine) error) error {
	f.mu.Lock()
	f.queries = append(f.queries, q)
	f.mu.Unlock()
	if _, err := f.find(q.Selectors); err != nil {
		return err
	}
	if err := sendAll(f.lines, send); err != nil || !q.Follow {
		return err
	}
	<-ctx.Done()
	return nil
}

func someDetails() []app.Detail {
	since := time.Now().Add(-3*time.Hour - 30*time.Minute) // "3h" for the next half hour
	created := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	spec := app.Spec{
		Name: "web", Script: "/srv/web/app.js", Cwd: "/srv/web", Args: []string{"--port", "80"},
		Env:    map[string]string{"NODE_ENV": "production", "API_KEY": "hunter2", "DB": "postgres://me:hunter2@db/x", "PATH": "/bin"},
		Policy: app.DefaultPolicy(),
	}
	web := app.Status{
		ID: 1, Name: "web", Namespace: "default", Mode: app.Cluster, Version: "1.2.3", User: "deploy", State: app.Online, Goal: app.Up, PID: 4242,
		Created: created, Since: since, Restarts: 7, Usage: &app.Usage{CPU: 12.34, RSS: 47448064, Processes: 2, Threads: 11},
	}
	api := app.Status{
		ID: 0, Name: "api", Namespace: "default", Mode: app.Fork, User: "deploy", State: app.Waiting, Goal: app.Up, Created: created, Since: since,
		Restarts: 12345, Unstable: 3, Exit: &app.Exit{Code: 3, At: since, Uptime: 1500 * time.Millisecond}, Reason: "exit code 3",
	}
	stuck := app.Status{ID: 2, Name: "stuck", Namespace: "jobs", Mode: app.Fork, User: "root", State: app.Stopped, Created: created, Since: since}
	return []app.Detail{
		{Status: web, Spec: spec, Argv: []string{"node", "/srv/web/app.js", "--port", "80"}, ProcEnv: spec.Env, OutLog: "/h/web-out.log", ErrLog: "/h/web-error.log", PidFile: "/h/web-1.pid"},
		{Status: api, Spec: app.Spec{Name: "api", Script: "/srv/api"}, ErrLog: "/h/api-error.log"},
		{Status: stuck, Spec: app.Spec{Name: "stuck", Script: "/srv/stuck"}},
	}
}

func someEvents() []app.Event {
	at := time.Date(2026, 11, 23, 10, 0, 0, 0, time.Local)
	return []app.Event{
		{Seq: 1, At: at, Kind: app.EventDaemonUp, ID: -1, Reason: "version 0.1.0"},
		{Seq: 2, At: at.Add(time.Second), Kind: app.EventStart, ID: 0, Name: "api", PID: 77},
		{Seq: 3, At: at.Add(3 * time.Second), Kind: app.EventExit, ID: 0, Name: "api", PID: 77,
			Exit: &app.Exit{Code: -1, Signal: "SIGSEGV", CoreDumped: true, Uptime: 2 * time.Second}, Lines: []string{"panic: \x1b[2Jbad", "at main"}},
		{Seq: 4, At: at.Add(4 * time.Second), Kind: app.EventStop, ID: 0, Name: "api", Exit: &app.Exit{Code: 0, By: "user", Uptime: time.Hour}},
	}
}

func someLines() []app.LogLine {
	at := time.Date(2026, 11, 23, 10, 0, 0, 0, time.Local)
	return []app.LogLine{
		{ID: 1, Name: "web", Stream: app.Stdout, File: "/h/web-out.log"},
		{ID: 1, Name: "web", Stream: app.Stdout, Text: "listening", At: at},
		{ID: 0, Name: "a-long-name-indeed", Stream: app.Stderr, Text: "oops"},
		{ID: 1, Name: "web", Stream: app.Stdout, Text: "<&> 日本"},
	}
}

// fakeMaster is a master as a command may meet it: it serves until it is killed by the API, or fails, or waits for
// its lock and says nothing.
func fakeMaster(kind, home string) {
	lock, ok, err := adoptLock(home)
	if err != nil || !ok {
		fmt.Fprintln(os.Stderr, "no lock:", ok, err)
		os.Exit(1)
	}
	defer lock.Close()
	if kind == "fail" {
		_ = os.WriteFile(filepath.Join(home, daemonLog), []byte("one\ncannot open the database: newer schema\n"), 0o600)
		os.Exit(1)
	}
	marker, err := os.OpenFile(filepath.Join(home, "masters"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = fmt.Fprintln(marker, os.Getpid())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	l, err := ipc.Listen(ipc.Address(home))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // ends by itself if a test forgets it
	defer cancel()
	f := &fake{home: home, details: someDetails()[:1]}
	if err := ipc.Serve(ctx, l, f.routes(cancel), slog.New(slog.NewTextHandler(os.Stderr, nil))); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

// untilGone waits until nobody listens any more.
func (f *fake) untilGone(t *testing.T) {
	t.Helper()
	for t.Context().Err() == nil {
		conn, err := ipc.Dial(t.Context(), ipc.Address(f.home))
		if errors.Is(err, ipc.ErrNotRunning) {
			return
		}
		if err == nil {
			_ = conn.Close()
		}
	}
}
