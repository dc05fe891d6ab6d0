//go:build darwin || freebsd

package master

import (
	"errors"
	"sync"

	"golang.org/x/sys/unix"
)

// watcher notices the end of processes by one kqueue in one goroutine.
type watcher struct {
	notice  func(pid int)
	queue   int
	quit    int // write end of a pipe whose read end is in the queue
	quitEnd int
	running sync.WaitGroup

	mu    sync.Mutex
	ended map[int]unix.WaitStatus // by pid, until status asks
}

func newWatcher(notice func(pid int), _ bool) (*watcher, error) {
	queue, err := unix.Kqueue()
	if err != nil {
		return nil, err
	}
	unix.CloseOnExec(queue)
	read, write, err := closeOnExecPipe()
	if err != nil {
		closeFDs(queue)
		return nil, err
	}
	w := &watcher{notice: notice, queue: queue, quit: write, quitEnd: read, ended: map[int]unix.WaitStatus{}}
	if err := w.register(read, unix.EVFILT_READ, 0); err != nil {
		closeFDs(queue, read, write)
		return nil, err
	}
	w.running.Go(w.run)
	return w, nil
}

func (w *watcher) register(ident, filter int, note uint32) error {
	var e unix.Kevent_t
	unix.SetKevent(&e, ident, filter, unix.EV_ADD|unix.EV_ONESHOT)
	e.Fflags = note
	_, err := unix.Kevent(w.queue, []unix.Kevent_t{e}, nil, nil)
	return err
}

// add fails for a process that has ended already; the caller looks at it then.
func (w *watcher) add(p *process) error {
	w.mu.Lock()
	delete(w.ended, p.pid) // of an earlier process with this pid
	w.mu.Unlock()
	return w.register(p.pid, unix.EVFILT_PROC, exitNote)
}

func (w *watcher) run() {
	events := make([]unix.Kevent_t, 64)
	for {
		n, err := unix.Kevent(w.queue, nil, events, nil)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return
		}
		for _, e := range events[:max(0, n)] {
			if e.Filter != unix.EVFILT_PROC {
				return
			}
			w.mu.Lock()
			w.ended[int(e.Ident)] = unix.WaitStatus(e.Data)
			w.mu.Unlock()
			w.notice(int(e.Ident))
		}
	}
}

// status is what kqueue told; for a process that ended before it was watched
// only reaping tells.
func (w *watcher) status(p *process) (Exit, sight) {
	w.mu.Lock()
	s, ok := w.ended[p.pid]
	delete(w.ended, p.pid)
	w.mu.Unlock()
	if ok {
		return fromWaitStatus(s), gone
	}
	if pid, s := wait4(p.pid, unix.WNOHANG); pid == p.pid {
		p.reaped = true
		return fromWaitStatus(s), gone
	}
	if errors.Is(unix.Kill(p.pid, 0), unix.ESRCH) {
		return Exit{Code: -1, Unknown: true}, gone
	}
	return Exit{}, hidden // look again soon
}

func (w *watcher) close() {
	closeFDs(w.quit) // its other end becomes readable
	w.running.Wait()
	closeFDs(w.queue, w.quitEnd)
}
