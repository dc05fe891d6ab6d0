package proc

import (
	"context"
	"sync"

	"gpm/app"
	"gpm/master"
)

// Watcher hands the exits that a master reports to the children they belong to:
// one goroutine for all of them. An exit that comes before its child is claimed
// (it may overtake the answer to the spawn) is kept.
type Watcher struct {
	exits <-chan master.Exit
	mu    sync.Mutex // guards the map's membership
	slots map[string]*slot
}

// slot is where an exit is put; exit may be read once done is closed.
type slot struct {
	done chan struct{}
	exit master.Exit
}

// NewWatcher reads the exits of a master; nothing happens before Run.
func NewWatcher(exits <-chan master.Exit) *Watcher {
	return &Watcher{exits: exits, slots: map[string]*slot{}}
}

// Run returns when the master is gone or ctx ends.
func (w *Watcher) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case e, ok := <-w.exits:
			if !ok {
				return
			}
			w.deliver(e)
		}
	}
}

// deliver takes the first exit of a key only: an inventory may repeat one.
func (w *Watcher) deliver(e master.Exit) {
	s := w.slot(e.Key)
	select {
	case <-s.done:
	default:
		s.exit = e
		close(s.done)
	}
}

func (w *Watcher) slot(key string) *slot {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.slots[key]
	if s == nil {
		s = &slot{done: make(chan struct{})}
		w.slots[key] = s
	}
	return s
}

func (w *Watcher) forget(key string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.slots, key)
}

// appExit is an exit in the words of app.
func appExit(e master.Exit) app.Exit {
	exit := app.Exit{
		Code: e.Code, CoreDumped: e.CoreDumped, Unknown: e.Unknown,
		At: e.At, PeakRSS: e.MaxRSS, CPUTime: e.CPUTime,
	}
	if e.Signal != 0 {
		exit.Signal = SignalName(e.Signal)
	}
	if e.Signal != 0 || e.Unknown {
		exit.Code = -1
	}
	return exit
}
