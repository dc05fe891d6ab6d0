package main

import (
	"io"
	"sync"
	"time"
)

// Lines in quick succession share a write: one waits at most lazyPause for others.
const (
	lazyPause = 2 * time.Millisecond
	lazySize  = 32 << 10
)

// lazyWriter collects what is written in quick succession. Safe for concurrent use: the timer writes too.
type lazyWriter struct {
	w      io.Writer
	failed func() // called when a write fails, for there may be no other; nil = nothing

	mu    sync.Mutex // guards the rest; held during a write
	buf   []byte
	timer *time.Timer // nil = nothing waits
	err   error       // of the last write, told to whoever writes next
}

// Write implements io.Writer.
func (l *lazyWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return 0, l.err
	}
	l.buf = append(l.buf, p...)
	switch {
	case len(l.buf) >= lazySize:
		l.write()
	case l.timer == nil:
		l.timer = time.AfterFunc(lazyPause, func() { _ = l.flush() })
	}
	return len(p), l.err
}

// flush writes what waits.
func (l *lazyWriter) flush() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.write()
	return l.err
}

func (l *lazyWriter) write() {
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
	if l.err == nil && len(l.buf) > 0 {
		if _, l.err = l.w.Write(l.buf); l.err != nil && l.failed != nil {
			l.failed()
		}
	}
	l.buf = l.buf[:0]
}
