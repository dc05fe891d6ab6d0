package ipc

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gpm/app"
)

// flushes counts flushes of a recorder.
type flushes struct {
	*httptest.ResponseRecorder
	n atomic.Int32 // read while the timer may write
}

func (f *flushes) FlushError() error { f.n.Add(1); return nil }

func newFlushes() *flushes { return &flushes{ResponseRecorder: httptest.NewRecorder()} }

func TestFirstItemGoesOutAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFlushes()
		l := newLines(w)
		_ = l.send(app.Event{Seq: 1})
		if w.n.Load() != 1 || !strings.Contains(w.Body.String(), `"seq":1`) {
			t.Errorf("%d flushes of %q", w.n.Load(), w.Body)
		}
		_ = l.end(nil)
	})
}

func TestItemsInQuickSuccessionShareAFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFlushes()
		l := newLines(w)
		for range 100 {
			_ = l.send(app.Event{})
		}
		before := w.n.Load()
		<-time.After(batch + time.Millisecond) // virtual
		synctest.Wait()
		if before != 1 || w.n.Load() != 2 || strings.Count(w.Body.String(), "\n") != 100 {
			t.Errorf("%d flushes, then %d; %d lines", before, w.n.Load(), strings.Count(w.Body.String(), "\n"))
		}
		_ = l.end(nil)
	})
}

func TestIdleStreamBeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFlushes()
		l := newLines(w)
		<-time.After(3*heartbeat + time.Second) // virtual
		synctest.Wait()
		if got := w.Body.String(); got != "\n\n\n" {
			t.Errorf("%q, want three empty lines", got)
		}
		if err := l.end(errors.New("late")); err == nil {
			t.Error("end lost the error")
		}
		if !strings.Contains(w.Body.String(), `{"error":{"code":"internal","message":"late"}}`) {
			t.Errorf("no error line in %q", w.Body)
		}
	})
}

func TestRefusedStreamWritesNothing(t *testing.T) {
	w := newFlushes()
	l := newLines(w)
	if err := l.end(app.ErrNotFound); !errors.Is(err, app.ErrNotFound) || w.n.Load() != 0 || w.Body.Len() != 0 {
		t.Errorf("%v, %d flushes of %q", err, w.n.Load(), w.Body)
	}
}

func TestEmptyStreamIsAnAnswer(t *testing.T) {
	w := newFlushes()
	if err := newLines(w).end(nil); err != nil || w.Code != http.StatusOK || w.Body.Len() != 0 {
		t.Errorf("%v, status %d, body %q", err, w.Code, w.Body)
	}
}
