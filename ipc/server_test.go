package ipc

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"gpm/app"
)

// stubs answers ping, echoes actions, counts, and misbehaves on request.
func stubs() []Route {
	return []Route{
		{"GET /v1/ping", Handle(func(context.Context, None) (app.DaemonStatus, error) {
			return app.DaemonStatus{Version: app.Version, PID: 42}, nil
		})},
		{"POST /v1/actions", Stream(func(_ context.Context, req app.ActionRequest, send func(app.Progress) error) error {
			if len(req.Selectors) == 0 {
				return app.Errorf(app.CodeInvalid, "cannot %s: no process named", req.Action)
			}
			for _, sel := range req.Selectors {
				if sel == "fail" {
					return app.Errorf(app.CodeStuck, "cannot stop %q", sel).WithHint("wait")
				}
				if err := send(app.Progress{Status: &app.Status{Name: sel, State: app.Stopped}}); err != nil {
					return err
				}
			}
			return nil
		})},
		{"GET /v1/panic", func(http.ResponseWriter, *http.Request) error { panic("ouch") }},
		{"POST /v1/echo", Handle(func(_ context.Context, req app.Spec) (app.Spec, error) { return req, nil })},
		{"GET /v1/list", Handle(func(_ context.Context, q ListQuery) (ListQuery, error) { return q, nil })},
	}
}

// request sends one request by hand and returns the status and the error in the body.
func request(t *testing.T, home string, change func(*http.Request), method, path string, body io.Reader) (int, *app.Error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://gpm"+path, body)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(req)
	}
	resp, err := client(t, home).http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got := resp.Header.Get(versionHeader); got != app.Version {
		t.Errorf("version header %q, want %q", got, app.Version)
	}
	var f failure
	_ = json.NewDecoder(resp.Body).Decode(&f)
	return resp.StatusCode, f.Error
}

func TestErrorAnswers(t *testing.T) {
	home := serve(t, stubs())
	header := func(k, v string) func(*http.Request) { return func(r *http.Request) { r.Header.Set(k, v) } }
	for name, tt := range map[string]struct {
		change       func(*http.Request)
		method, path string
		body         string
		status       int
		code         app.Code
	}{
		"unknown call":   {nil, "GET", "/v1/nothing", "", 404, app.CodeNotFound},
		"wrong method":   {nil, "PUT", "/v1/ping", "", 404, app.CodeNotFound},
		"origin":         {header("Origin", "http://evil.example"), "GET", "/v1/ping", "", 403, app.CodeForbidden},
		"referer":        {header("Referer", "http://evil.example/x"), "GET", "/v1/ping", "", 403, app.CodeForbidden},
		"host":           {func(r *http.Request) { r.Host = "evil.example" }, "GET", "/v1/ping", "", 403, app.CodeForbidden},
		"panic":          {nil, "GET", "/v1/panic", "", 500, app.CodeInternal},
		"garbage":        {nil, "POST", "/v1/echo", "\x00\xff{", 400, app.CodeInvalid},
		"wrong type":     {nil, "POST", "/v1/echo", `{"name": 3}`, 400, app.CodeInvalid},
		"too large":      {nil, "POST", "/v1/echo", strings.Repeat(" ", maxBody+1), 400, app.CodeInvalid},
		"bad query":      {nil, "GET", "/v1/list?usage=maybe", "", 400, app.CodeInvalid},
		"stream refused": {nil, "POST", "/v1/actions", `{"action":"stop"}`, 400, app.CodeInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			status, e := request(t, home, tt.change, tt.method, tt.path, strings.NewReader(tt.body))
			if status != tt.status || e == nil || e.Code != tt.code {
				t.Errorf("status %d, error %+v; want %d, %q", status, e, tt.status, tt.code)
			}
		})
	}
}

func TestLocalhostMayAsk(t *testing.T) {
	home := serve(t, stubs())
	status, e := request(t, home, func(r *http.Request) { r.Host = "localhost" }, "GET", "/v1/ping", nil)
	if status != http.StatusOK {
		t.Errorf("status %d, %v", status, e)
	}
}

func TestEveryCodeHasAStatus(t *testing.T) {
	for code, want := range map[app.Code]int{
		app.CodeInvalid: 400, app.CodeNotFound: 404, app.CodeConflict: 409, app.CodeForbidden: 403, app.CodeTimeout: 504,
		app.CodeStuck: 500, app.CodeStorage: 507, app.CodeInternal: 500,
	} {
		if got := statusOf(code); got != want {
			t.Errorf("%s: %d, want %d", code, got, want)
		}
	}
}

// Bytes that are no HTTP, in any amount, leave the server answering others.
func TestGarbageOnTheSocket(t *testing.T) {
	home := serve(t, stubs())
	noise := make([]byte, 1<<20)
	_, _ = rand.Read(noise)
	for name, b := range map[string][]byte{
		"noise": noise, "zeros": make([]byte, 1<<16), "nothing": {}, "endless header": []byte("GET / HTTP/1.1\r\nX: " + strings.Repeat("x", 2*maxHeader)),
		"half a request": []byte("POST /v1/echo HTTP/1.1\r\nHost: gpm\r\nContent-Length: 100\r\n\r\n{"),
		"bad length":     []byte("POST /v1/echo HTTP/1.1\r\nHost: gpm\r\nContent-Length: -5\r\n\r\n"),
	} {
		conn, err := Dial(t.Context(), Address(home))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Write(b) // the server may well close before the end
		_ = conn.Close()
		if _, err := client(t, home).Ping(t.Context()); err != nil {
			t.Errorf("ping after %s: %v", name, err)
		}
	}
}

func TestServeEndsWithSilentAndStreamingClients(t *testing.T) {
	home := t.TempDir()
	l, err := Listen(Address(home))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan struct{})
	follow := Stream(func(ctx context.Context, _ EventQuery, send func(app.Event) error) error {
		if err := send(app.Event{Seq: 1}); err != nil {
			return err
		}
		<-ctx.Done()
		return nil
	})
	go func() {
		defer close(ended)
		if err := Serve(ctx, l, []Route{{"GET /v1/events", follow}}, discard()); err != nil {
			t.Errorf("Serve: %v", err)
		}
	}()
	silent, err := Dial(t.Context(), Address(home))
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	n := 0
	for _, err := range client(t, home).Events(t.Context(), EventQuery{Follow: true}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
		cancel() // the stream must end in good order
	}
	if n != 1 {
		t.Errorf("%d events, want 1", n)
	}
	within(t, time.Minute, "the end of Serve", ended)
	if _, err := Dial(t.Context(), Address(home)); !errors.Is(err, ErrNotRunning) {
		t.Errorf("after the end: %v, want ErrNotRunning", err)
	}
}

func TestServeReportsABrokenListener(t *testing.T) {
	l, err := Listen(Address(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	if err := Serve(t.Context(), l, nil, discard()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Serve: %v, want net.ErrClosed", err)
	}
}

// A client that goes away ends the handler's context, also in the middle of a stream that nobody reads.
func TestStreamNoticesThatTheClientHasGone(t *testing.T) {
	gone := make(chan struct{})
	flood := Stream(func(ctx context.Context, _ app.LogQuery, send func(app.LogLine) error) error {
		defer close(gone)
		line := app.LogLine{Text: strings.Repeat("x", 1<<10)}
		for {
			if err := send(line); err != nil {
				return err
			}
		}
	})
	home := serve(t, []Route{{"POST /v1/logs", flood}})
	for range client(t, home).Logs(t.Context(), app.LogQuery{}) {
		break // breaking out closes the connection
	}
	within(t, time.Minute, "the end of the handler", gone)
}

func TestIdleStreamNoticesThatTheClientHasGone(t *testing.T) {
	gone := make(chan struct{})
	idle := Stream(func(ctx context.Context, _ EventQuery, send func(app.Event) error) error {
		defer close(gone)
		_ = send(app.Event{})
		<-ctx.Done()
		return nil
	})
	home := serve(t, []Route{{"GET /v1/events", idle}})
	for range client(t, home).Events(t.Context(), EventQuery{}) {
		break
	}
	within(t, time.Minute, "the end of the handler", gone)
}

func TestThousandsOfSelectors(t *testing.T) {
	home := serve(t, []Route{{"GET /v1/processes", Handle(func(_ context.Context, q ListQuery) ([]app.Status, error) {
		return []app.Status{{ID: len(q.Selectors)}}, nil
	})}})
	c := client(t, home)
	list, err := c.Processes(t.Context(), ListQuery{Selectors: strings.Split(strings.Repeat("some-process,", 5000), ",")})
	if err != nil || len(list) != 1 || list[0].ID != 5001 {
		t.Errorf("%v, %v", list, err)
	}
	// More than net/url takes must not become a query without selectors, which is one about everything.
	_, err = c.Processes(t.Context(), ListQuery{Selectors: strings.Split(strings.Repeat("x,", 50000), ",")})
	wantCode(t, err, app.CodeInvalid)
}

func TestAnswerOfManyMegabytes(t *testing.T) {
	home := serve(t, stubs())
	body, _ := json.Marshal(app.Spec{Name: strings.Repeat("n", 4<<20)})
	resp, err := client(t, home).http.Post("http://gpm/v1/echo", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var spec app.Spec
	if err := json.NewDecoder(resp.Body).Decode(&spec); err != nil || len(spec.Name) != 4<<20 {
		t.Errorf("%d bytes of name, %v", len(spec.Name), err)
	}
}
