package watch

import (
	"context"
	"time"
)

// poll is the state of a source that is scanned instead of watched.
type poll struct {
	every time.Duration // least time between scans
	why   error
	seen  snapshot // nil before the first scan
	next  time.Time
}

// share is the part of one core that scanning may cost: 1/share.
const share = 20

// pollLoop scans what is polled until ctx ends. With nothing to poll it sleeps.
func (w *Watcher) pollLoop(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.scan:
		case <-timer.C:
		}
		for {
			s, wait := w.nextPoll(time.Now())
			if s == nil {
				timer.Reset(wait)
				break
			}
			if ctx.Err() != nil {
				return
			}
			w.scanOne(s)
		}
	}
}

// forever is longer than a daemon lives.
const forever = 1 << 62

// nextPoll returns a source to scan now, or how long there is none.
func (w *Watcher) nextPoll(now time.Time) (source, time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	wait := time.Duration(forever)
	for _, e := range w.entries {
		for _, s := range e.sources {
			p := s.polled()
			if p == nil {
				continue
			}
			if !p.next.After(now) {
				return s, 0
			}
			wait = min(wait, p.next.Sub(now))
		}
	}
	return nil, wait
}

// scanOne scans without the lock and reports what differs.
func (w *Watcher) scanOne(s source) {
	w.mu.Lock()
	p, scan := s.polled(), s.scanner()
	w.mu.Unlock()
	begin := time.Now()
	seen := scan()
	took := time.Since(begin)
	w.mu.Lock()
	defer w.mu.Unlock()
	if p != s.polled() {
		return // what was scanned is not what is wanted any more
	}
	p.next = time.Now().Add(max(p.every, share*took))
	if old := p.seen; old != nil {
		diff(old, seen, s.entryOf().changed)
	}
	p.seen = seen
}
