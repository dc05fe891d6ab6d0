package ipc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"gpm/app"
)

// None is the request or the answer of a call that has none.
type None struct{}

// failure is the body of an answer that is an error, and the last line of a stream that failed.
type failure struct {
	Error *app.Error `json:"error"`
}

// Handle makes a handler of a function from a request to an answer. The request is the JSON body,
// or for GET the query (see [ListQuery] and its siblings).
func Handle[Req, Resp any](fn func(ctx context.Context, req Req) (Resp, error)) Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		var req Req
		if err := decodeRequest(w, r, &req); err != nil {
			return err
		}
		resp, err := fn(r.Context(), req)
		if err != nil {
			return err
		}
		if list, ok := longListOf(resp); ok {
			return writeList(w, list)
		}
		return writeJSON(w, http.StatusOK, resp)
	}
}

// Stream makes a handler of a function that sends items one by one. An error that it
// returns before it sent anything is the answer; later it becomes the last line. The context ends when
// the client goes away or the server does; send fails then too. After the error of
// [Interrupted] the stream is broken off, so that the client asks the next server for the rest.
func Stream[Req, Item any](fn func(ctx context.Context, req Req, send func(Item) error) error) Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		var req Req
		if err := decodeRequest(w, r, &req); err != nil {
			return err
		}
		lines := newLines(w)
		err := fn(r.Context(), req, func(item Item) error { return lines.send(item) })
		if errors.Is(err, errInterrupted) {
			_ = lines.end(nil) // what was sent arrives; without the mark of the end
			panic(http.ErrAbortHandler)
		}
		return lines.end(err)
	}
}

// ErrOver is the cause of the end of a server's context when no other server will take its place.
var ErrOver = errors.New("the daemon ends for good")

var errInterrupted = errors.New("the stream goes on at the next daemon")

// Interrupted is what a stream without an end of its own returns when its context ends: an error when there is more to
// come from the next server.
func Interrupted(ctx context.Context) error {
	if ctx.Err() == nil || errors.Is(context.Cause(ctx), ErrOver) {
		return nil
	}
	return errInterrupted
}

// fromQuery is what the request of a GET implements.
type fromQuery interface{ fromQuery(r *http.Request) error }

func decodeRequest[Req any](w http.ResponseWriter, r *http.Request, req *Req) error {
	if r.Method == http.MethodGet {
		if q, ok := any(req).(fromQuery); ok {
			return q.fromQuery(r)
		}
		return nil
	}
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(bodyTimeout))
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return bodyError(err)
	}
	// The server reads on to notice that the client has gone, for as long as the request takes.
	_ = control.SetReadDeadline(time.Time{})
	if len(body) == 0 { // a call that needs nothing
		return nil
	}
	return decodeBody(body, req)
}

func decodeBody[Req any](body []byte, req *Req) error {
	if err := json.Unmarshal(body, req); err != nil {
		return app.Errorf(app.CodeInvalid, "cannot read the request: %w", err)
	}
	return nil
}

func bodyError(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return app.Errorf(app.CodeInvalid, "cannot take a request of more than %d MiB", maxBody>>20).
			WithHint("shorten the arguments and the environment")
	}
	return app.Errorf(app.CodeInvalid, "cannot read the request: %w", err)
}

func writeJSON(w http.ResponseWriter, status int, v any) error {
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return app.Errorf(app.CodeInternal, "cannot write the answer: %w", err)
	}
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTimeout))
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(body.Len()))
	w.WriteHeader(status)
	_, err := w.Write(body.Bytes())
	return err
}

// begun remembers whether an answer has been started.
type begun struct {
	http.ResponseWriter
	yes bool
}

func (b *begun) WriteHeader(status int) {
	b.yes = true
	b.ResponseWriter.WriteHeader(status)
}

func (b *begun) Write(p []byte) (int, error) {
	b.yes = true
	return b.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (b *begun) Unwrap() http.ResponseWriter { return b.ResponseWriter }

func stack() string { return string(debug.Stack()) }
