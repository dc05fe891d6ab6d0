package ipc

import (
	"bufio"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"gpm/app"
)

// batch is how long an item may wait for others to share a write with; heartbeat how often a stream
// that has nothing to say sends an empty line, by which the client knows a slow daemon from a dead one.
const (
	batch     = 10 * time.Millisecond
	heartbeat = 5 * time.Second
)

// lines writes newline-delimited JSON. The first item goes out at once and so does any that comes
// after a pause; items in quick succession are collected for one batch.
type lines struct {
	mu      sync.Mutex // guards all below; the timer writes too
	w       http.ResponseWriter
	control *http.ResponseController
	buf     *bufio.Writer
	enc     *json.Encoder
	timer   *time.Timer
	flushed time.Time
	begun   bool
	ended   bool
	err     error // of the connection; final
}

func newLines(w http.ResponseWriter) *lines {
	l := &lines{w: w, control: http.NewResponseController(w), buf: bufio.NewWriterSize(w, 32<<10)}
	l.enc = json.NewEncoder(l.buf)
	l.enc.SetEscapeHTML(false)
	_ = l.control.SetWriteDeadline(time.Time{}) // an earlier answer on this connection set one
	l.mu.Lock()                                 // the timer runs already
	defer l.mu.Unlock()
	l.timer = time.AfterFunc(heartbeat, l.tick)
	return l
}

func (l *lines) send(item any) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.begin()
	if l.err == nil {
		l.err = l.enc.Encode(item)
	}
	switch {
	case l.err != nil:
	case time.Since(l.flushed) >= batch:
		l.flush()
	default:
		l.timer.Reset(batch)
	}
	return l.err
}

// tick is the timer: it writes what waits, or a heartbeat.
func (l *lines) tick() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended || l.err != nil {
		return
	}
	l.begin()
	if l.buf.Buffered() == 0 {
		_ = l.buf.WriteByte('\n') // an error stays in buf
	}
	l.flush()
}

func (l *lines) begin() {
	if !l.begun {
		l.begun = true
		l.w.Header().Set("Content-Type", "application/x-ndjson")
		l.w.WriteHeader(http.StatusOK)
	}
}

func (l *lines) flush() {
	if l.err = l.buf.Flush(); l.err == nil {
		l.err = l.control.Flush()
	}
	l.flushed = time.Now()
	l.timer.Reset(heartbeat)
}

// end writes what is left and, when the stream has begun, the error that ended it. It returns that error.
func (l *lines) end(cause error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.timer.Stop()
	l.ended = true
	if cause != nil && !l.begun {
		return cause
	}
	l.begin()
	if cause != nil && l.err == nil {
		l.err = l.enc.Encode(failure{app.AsError(cause)})
	}
	if l.err == nil {
		l.flush()
		l.timer.Stop()
	}
	return cause
}
