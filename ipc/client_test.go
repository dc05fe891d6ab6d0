package ipc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gpm/app"
)

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

func TestEveryVerb(t *testing.T) {
	status := app.Status{ID: 3, Name: "web", State: app.Waiting, Goal: app.Up}
	home := serve(t, []Route{
		{"GET /v1/ping", Handle(func(context.Context, None) (app.DaemonStatus, error) { return app.DaemonStatus{PID: 1}, nil })},
		{"GET /v1/daemon", Handle(func(context.Context, None) (app.DaemonStatus, error) { return app.DaemonStatus{PID: 2}, nil })},
		{"POST /v1/daemon/kill", echo(func(None) app.Progress { return app.Progress{Total: 7} })},
		{"GET /v1/processes", Handle(func(_ context.Context, q ListQuery) ([]app.Status, error) {
			s := status
			s.Name, s.Watching = fmt.Sprint(q.Selectors), q.Usage
			return []app.Status{s}, nil
		})},
		{"GET /v1/details", Handle(func(_ context.Context, q DetailsQuery) ([]app.Detail, error) {
			return []app.Detail{{Status: status, Argv: q.Selectors}}, nil
		})},
		{"GET /v1/history", Handle(func(_ context.Context, q HistoryQuery) ([]app.Event, error) {
			return []app.Event{{Seq: uint64(q.Last), Name: fmt.Sprint(q.Selectors)}}, nil
		})},
		{"POST /v1/start", echo(func(r app.StartRequest) app.Progress { return app.Progress{Note: fmt.Sprint(r.Targets)} })},
		{"POST /v1/actions", echo(func(r app.ActionRequest) app.Progress {
			return app.Progress{Note: fmt.Sprint(r.Selectors, " ", r.Action)}
		})},
		{"GET /v1/events", echo(func(q EventQuery) app.Event { return app.Event{Seq: q.Since, ID: q.Last, Name: fmt.Sprint(q.Follow)} })},
		{"POST /v1/logs", echo(func(q app.LogQuery) app.LogLine { return app.LogLine{ID: q.Lines, Text: "<&>"} })},
	})
	c, ctx := client(t, home), t.Context()
	one := func(v any, err error) any {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
		return v
	}
	listed := status
	listed.Name, listed.Watching = "[a b]", true
	for name, tt := range map[string]struct{ got, want any }{
		"ping":      {one(c.Ping(ctx)), app.DaemonStatus{PID: 1}},
		"daemon":    {one(c.Daemon(ctx)), app.DaemonStatus{PID: 2}},
		"kill":      {one(collect(c.Kill(ctx))), []app.Progress{{Total: 7}}},
		"processes": {one(c.Processes(ctx, ListQuery{[]string{"a", "b"}, true, false})), []app.Status{listed}},
		"details":   {one(c.Details(ctx, "x&y", "z")), []app.Detail{{Status: status, Argv: []string{"x&y", "z"}}}},
		"history":   {one(c.History(ctx, HistoryQuery{[]string{"a"}, 9})), []app.Event{{Seq: 9, Name: "[a]"}}},
		"start":     {one(collect(c.Start(ctx, app.StartRequest{Targets: []string{"app.js"}}))), []app.Progress{{Note: "[app.js]"}}},
		"do":        {one(collect(c.Do(ctx, app.ActionRequest{Action: app.ActionStop, Selectors: []string{"1"}}))), []app.Progress{{Note: "[1] stop"}}},
		"events":    {one(collect(c.Events(ctx, EventQuery{5, 6, true}))), []app.Event{{Seq: 5, ID: 6, Name: "true"}}},
		"logs":      {one(collect(c.Logs(ctx, app.LogQuery{Lines: -1}))), []app.LogLine{{ID: -1, Text: "<&>"}}},
	} {
		if !reflect.DeepEqual(tt.got, tt.want) {
			t.Errorf("%s: got %+v, want %+v", name, tt.got, tt.want)
		}
	}
	if c.ServerVersion() != app.Version {
		t.Errorf("version %q, want %q", c.ServerVersion(), app.Version)
	}
}

func echo[Req, Item any](fn func(Req) Item) Handler {
	return Stream(func(_ context.Context, req Req, send func(Item) error) error { return send(fn(req)) })
}

func TestErrorsKeepTheirType(t *testing.T) {
	refuse := func(context.Context, ListQuery) ([]app.Status, error) {
		return nil, fmt.Errorf("cannot list: %w", app.Errorf(app.CodeNotFound, "no such app").WithHint("look"))
	}
	c := client(t, serve(t, []Route{{"GET /v1/processes", Handle(refuse)}}))
	_, err := c.Processes(t.Context(), ListQuery{})
	if !errors.Is(err, app.ErrNotFound) || errors.Is(err, app.ErrInvalid) {
		t.Errorf("errors.Is fails for %v", err)
	}
	if e := wantCode(t, err, app.CodeNotFound); e.Message != "cannot list: no such app" || e.Hint != "look" {
		t.Errorf("%+v", e)
	}
}

func TestStreamFailsLate(t *testing.T) {
	c := client(t, serve(t, stubs()))
	got, err := collect(c.Do(t.Context(), app.ActionRequest{Action: app.ActionStop, Selectors: []string{"a", "b", "fail"}}))
	if len(got) != 2 || !errors.Is(err, app.ErrStuck) {
		t.Errorf("%d items, %v; want 2 and ErrStuck", len(got), err)
	}
}

func TestNotRunning(t *testing.T) {
	c := client(t, t.TempDir())
	_, err := c.Ping(t.Context())
	if !errors.Is(err, ErrNotRunning) {
		t.Errorf("ping: %v", err)
	}
	if _, err := collect(c.Kill(t.Context())); !errors.Is(err, ErrNotRunning) {
		t.Errorf("kill: %v", err)
	}
}

func TestCancelledCall(t *testing.T) {
	hang := Handle(func(ctx context.Context, _ None) (app.DaemonStatus, error) {
		<-ctx.Done()
		return app.DaemonStatus{}, ctx.Err()
	})
	c := client(t, serve(t, []Route{{"GET /v1/ping", hang}}))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Ping(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want context.Canceled", err)
	}
}

// answerWith makes a daemon that says the same bytes to everybody and hangs up.
func answerWith(t *testing.T, bytes string) *Client {
	home := t.TempDir()
	l, err := Listen(Address(home))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 4096))
			_, _ = io.WriteString(conn, bytes)
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return client(t, home)
}

func TestForeignAnswers(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nContent-Length: "
	for name, bytes := range map[string]string{
		"garbage":      "\x00\x01\x02\xff\xfe\r\n\r\n",
		"nothing":      "",
		"not JSON":     head + "3\r\n\r\nabc",
		"cut short":    head + "300\r\n\r\n{",
		"plain error":  "HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\nbang",
		"empty error":  "HTTP/1.1 500 Oops\r\nContent-Length: 2\r\n\r\n{}",
		"another type": head + "4\r\n\r\n[1] ",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // a broken connection is tried again for a while
			c := answerWith(t, bytes)
			_, err := c.Ping(t.Context())
			if e := wantCode(t, err, app.CodeInternal); !strings.HasPrefix(e.Message, "cannot ") {
				t.Errorf("%q", e.Message)
			}
			if _, err := collect(c.Events(t.Context(), EventQuery{})); err == nil {
				t.Error("a stream without an error")
			}
		})
	}
}

// A reading call that meets the gap between two daemons asks the next one.
func TestCallOutlivesADaemon(t *testing.T) {
	home := t.TempDir()
	dying, err := Listen(Address(home))
	if err != nil {
		t.Fatal(err)
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		conn, err := dying.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = conn.Read(make([]byte, 10))
		_ = dying.Close()
		_ = conn.Close() // in the middle of the question
	}()
	answered := make(chan error, 1)
	c := client(t, home)
	go func() {
		_, err := c.Ping(t.Context())
		answered <- err
	}()
	within(t, time.Minute, "the end of the first daemon", gone)
	next, err := Listen(Address(home))
	if err != nil {
		t.Fatal(err)
	}
	serveOn(t, next, stubs())
	if err := <-answered; err != nil {
		t.Error(err)
	}
}

func TestStreamCutInALine(t *testing.T) {
	c := answerWith(t, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"seq\":1}\n{\"seq\":")
	got, err := collect(c.Events(t.Context(), EventQuery{}))
	if len(got) != 1 || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%d events, %v; want 1 and unexpected EOF", len(got), err)
	}
}

// pipes is a listener of net.Pipe, which exists in a bubble of virtual time.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	select {
	case <-p.done:
	default:
		close(p.done)
	}
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{} }

func (p *pipes) client() *Client {
	c := New("/home")
	c.http.Transport.(*http.Transport).DialContext = func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		p.conns <- far
		return near, nil
	}
	return c
}

func inBubble(t *testing.T, routes []Route, f func(t *testing.T, c *Client)) {
	synctest.Test(t, func(t *testing.T) {
		p := &pipes{make(chan net.Conn), make(chan struct{})}
		serveOn(t, p, routes)
		c := p.client()
		defer c.Close()
		f(t, c)
	})
}

func TestCallSaysWhatItWaitedFor(t *testing.T) {
	hang := Handle(func(ctx context.Context, _ ListQuery) ([]app.Status, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	inBubble(t, []Route{{"GET /v1/processes", hang}}, func(t *testing.T, c *Client) {
		start := time.Now()
		_, err := c.Processes(t.Context(), ListQuery{})
		e := wantCode(t, err, app.CodeTimeout)
		if !strings.Contains(e.Message, "the list of processes") || e.Hint == "" || time.Since(start) != listCall {
			t.Errorf("after %s: %q, hint %q", time.Since(start), e.Message, e.Hint)
		}
	})
}

// An hour without an event is no reason to give up, as long as heartbeats come.
func TestIdleStreamGoesOn(t *testing.T) {
	slow := Stream(func(_ context.Context, _ EventQuery, send func(app.Event) error) error {
		<-time.After(time.Hour) // virtual
		return send(app.Event{Seq: 1})
	})
	inBubble(t, []Route{{"GET /v1/events", slow}}, func(t *testing.T, c *Client) {
		if got, err := collect(c.Events(t.Context(), EventQuery{})); len(got) != 1 || err != nil {
			t.Errorf("%v, %v", got, err)
		}
	})
}

func TestReaderMayPause(t *testing.T) {
	two := Stream(func(_ context.Context, _ EventQuery, send func(app.Event) error) error {
		_ = send(app.Event{Seq: 1})
		return send(app.Event{Seq: 2})
	})
	inBubble(t, []Route{{"GET /v1/events", two}}, func(t *testing.T, c *Client) {
		n := 0
		for _, err := range c.Events(t.Context(), EventQuery{}) {
			if err != nil {
				t.Fatal(err)
			}
			n++
			<-time.After(time.Hour) // virtual: a pager
		}
		if n != 2 {
			t.Errorf("%d events, want 2", n)
		}
	})
}

func TestDeadStreamIsNoticed(t *testing.T) {
	dead := func(w http.ResponseWriter, r *http.Request) error {
		_, _ = io.WriteString(w, "{\"seq\":1}\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		return nil
	}
	inBubble(t, []Route{{"GET /v1/events", dead}}, func(t *testing.T, c *Client) {
		start := time.Now()
		got, err := collect(c.Events(t.Context(), EventQuery{}))
		wantCode(t, err, app.CodeTimeout)
		if len(got) != 1 || time.Since(start) != silence {
			t.Errorf("%d events, after %s", len(got), time.Since(start))
		}
	})
}
