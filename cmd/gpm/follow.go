package main

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"sync"
)

// whileRead returns a context that also ends when nobody reads the output any more, as in
// `gpm logs | head`. The function ends it too; it may be called more than once.
func (c *cli) whileRead(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	file, ok := c.out.(*os.File)
	if !ok {
		return ctx, cancel
	}
	stop := watchReader(file, cancel)
	return ctx, sync.OnceFunc(func() { stop(); cancel() })
}

// lineWriter writes and keeps the first error.
type lineWriter struct {
	w   io.Writer
	err error
}

func (l *lineWriter) Write(p []byte) (int, error) {
	if l.err != nil {
		return 0, l.err
	}
	n, err := l.w.Write(p)
	l.err = err
	return n, err
}

// json writes a value on a line of its own.
func (l *lineWriter) json(v any) {
	enc := json.NewEncoder(l)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil && l.err == nil {
		l.err = err
	}
}
