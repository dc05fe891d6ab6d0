package ipc

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"gpm/app"
)

// silence is how long a stream may be without a line or a heartbeat.
const silence = 4 * heartbeat

// maxAnswer bounds an answer that is not a stream: 10,000 processes with an environment of 25 kB each.
const maxAnswer = 256 << 20

// call is a request before it is sent.
type call struct {
	method string
	path   string
	query  url.Values
	body   any // nil: none
}

func post(path string, body any) call { return call{http.MethodPost, path, nil, body} }

// wait says what a call waits for and how long.
type wait struct {
	what string
	time time.Duration
}

// timeout is the cause of a context that ended because the daemon was silent.
type timeout wait

func (t *timeout) Error() string {
	return fmt.Sprintf("cannot get %s: the daemon said nothing for %s", t.what, t.time)
}

// send sends a request and returns an answer of status 200.
func (c *Client) send(ctx context.Context, r call) (*http.Response, error) {
	var body io.Reader
	if r.body != nil {
		b, err := json.Marshal(r.body)
		if err != nil {
			return nil, app.Errorf(app.CodeInvalid, "cannot write the request: %w", err)
		}
		body = bytes.NewReader(b)
	}
	u := url.URL{Scheme: "http", Host: host, Path: r.path, RawQuery: r.query.Encode()}
	req, err := http.NewRequestWithContext(ctx, r.method, u.String(), body)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if isUnread(err) {
		c.seen.Store(true)
		err = &notRunning{c.home}
	}
	if err != nil {
		return nil, c.explain(ctx, err)
	}
	version := resp.Header.Get(versionHeader)
	c.version.Store(&version)
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		return nil, c.explain(ctx, readFailure(resp))
	}
	return resp, nil
}

// A daemon that dies while it is asked is followed by another within moments, on a very busy machine within seconds.
const (
	successor  = 10 * time.Second
	retryPause = 10 * time.Millisecond
)

// errBroken says that the connection ended before the answer did.
var errBroken = errors.New("the connection broke off")

// get asks for one value.
func get[T any](ctx context.Context, c *Client, path string, query url.Values, w wait) (T, error) {
	return ask(ctx, c, call{http.MethodGet, path, query, nil}, w, readWhole[T])
}

// getList asks for a list, which may be long.
func getList[T any](ctx context.Context, c *Client, path string, query url.Values, w wait) ([]T, error) {
	return ask(ctx, c, call{http.MethodGet, path, query, nil}, w, readList[T])
}

// ask sends a request that may be repeated and reads the answer. When the daemon dies meanwhile it asks the next one.
func ask[T any](ctx context.Context, c *Client, r call, w wait, read func(io.Reader) (T, error)) (T, error) {
	return exchange(ctx, c, r, w, read, errBroken)
}

// exchange sends a request and reads the answer; it is sent again to the next daemon after the errors given.
func exchange[T any](ctx context.Context, c *Client, r call, w wait, read func(io.Reader) (T, error), again ...error) (T, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, w.time, (*timeout)(&w))
	defer cancel()
	var v T
	err := c.outlive(ctx, min(successor, w.time*3/5), func() error {
		resp, err := c.send(ctx, r)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if v, err = read(resp.Body); err != nil {
			return c.explain(ctx, err)
		}
		return nil
	}, again...)
	return v, err
}

// outlive repeats a call whose daemon is being replaced: nobody was there, or it ended with one
// of the given errors. patience is for how long after the first failure.
func (c *Client) outlive(ctx context.Context, patience time.Duration, call func() error, also ...error) error {
	err := call()
	limit := time.Now().Add(patience)
	for {
		again := c.seen.Load() && errors.Is(err, ErrNotRunning)
		for _, e := range also {
			again = again || errors.Is(err, e)
		}
		if !again || time.Now().After(limit) {
			return err
		}
		if errors.Is(err, ErrNotRunning) && c.Revive != nil {
			if err := c.Revive(ctx); err != nil {
				return err
			}
		}
		c.seen.Store(true)
		select {
		case <-ctx.Done():
			return c.explain(ctx, err)
		case <-time.After(retryPause):
		}
		err = call()
	}
}

// stream asks for items. An error comes with a zero item. One that the daemon sent may be about a part of
// the request, and the sequence goes on; any other ends it.
func stream[T any](ctx context.Context, c *Client, r call, what string) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		// Only waiting counts: a reader that is held up by a pager must not look like a dead daemon.
		clock := time.AfterFunc(silence, func() { cancel(&timeout{what, silence}) })
		defer clock.Stop()
		var zero T
		var resp *http.Response
		err := c.outlive(ctx, successor, func() (err error) { resp, err = c.send(ctx, r); return err })
		if err != nil {
			yield(zero, err)
			return
		}
		defer resp.Body.Close()
		in := bufio.NewReaderSize(resp.Body, 64<<10)
		for {
			clock.Reset(silence)
			line, err := readLine(in)
			clock.Stop()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(zero, c.explain(ctx, err))
				return
			}
			if len(line) > 0 && !yield(decodeLine[T](line)) { // an empty one is a heartbeat
				return
			}
		}
	}
}

// readLine returns the next line, trimmed, which is good until the next call. A last line without a newline means
// that the daemon died in the middle of it.
func readLine(in *bufio.Reader) ([]byte, error) {
	line, err := in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		var rest []byte
		line = bytes.Clone(line)
		rest, err = in.ReadBytes('\n')
		line = append(line, rest...)
	}
	if err == io.EOF && len(line) > 0 {
		err = io.ErrUnexpectedEOF
	}
	return bytes.TrimSpace(line), err
}

// failedPrefix begins a line that is nothing but an error; no item begins like that.
var failedPrefix = []byte(`{"error":`)

func decodeLine[T any](line []byte) (T, error) {
	var item, zero T
	if bytes.HasPrefix(line, failedPrefix) {
		var f failure
		if err := json.Unmarshal(line, &f); err == nil && f.Error != nil {
			return zero, f.Error
		}
	}
	if l, ok := any(&item).(*app.LogLine); ok {
		if *l, ok = quickLine(line); ok {
			return item, nil
		}
	}
	if err := json.Unmarshal(line, &item); err != nil {
		return zero, garbled(err)
	}
	return item, nil
}

// readFailure returns the error in an answer that is not of status 200.
func readFailure(resp *http.Response) error {
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return err
	}
	var f failure
	if json.Unmarshal(body, &f) != nil || f.Error == nil {
		return app.Errorf(app.CodeInternal, "cannot read the daemon's answer: %s: %.200q", resp.Status, strings.TrimSpace(string(body)))
	}
	return f.Error
}

func garbled(err error) error {
	return app.Errorf(app.CodeInternal, "cannot read the daemon's answer: %w", err).
		WithHint("the command and the daemon may be of different versions")
}

// isUnread says that the daemon has died before it had read the whole request: unix(7) reports a reset when what
// was sent was not received, else the connection just ends. So nothing was done, and the next daemon may be asked.
func isUnread(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// explain turns what the transport says into what the user can use.
func (c *Client) explain(ctx context.Context, err error) error {
	if t, ok := errors.AsType[*timeout](context.Cause(ctx)); ok {
		return app.Errorf(app.CodeTimeout, "%w", t).
			WithHint("gpm daemon status tells whether it answers at all; %s says what it is doing", c.home+"/daemon.log")
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err // its own words would repeat an address that means nothing
	}
	if errors.Is(err, ErrNotRunning) {
		return err
	}
	if e, ok := errors.AsType[*app.Error](err); ok {
		return e
	}
	return app.Errorf(app.CodeInternal, "cannot reach the daemon: %w", fmt.Errorf("%w: %w", errBroken, err)).
		WithHint("another takes its place; gpm list shows what was done, %s may say why", c.home+"/daemon.log")
}
