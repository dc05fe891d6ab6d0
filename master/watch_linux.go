package master

import (
	"errors"
	"os"
	"os/signal"
	"sync"

	"golang.org/x/sys/unix"
)

// watcher notices the end of processes: one epoll over their pidfds in one
// goroutine. Processes without a pidfd are looked at whenever SIGCHLD comes.
type watcher struct {
	notice func(pid int)
	epoll  int
	quit   int // an eventfd that ends the goroutine

	sweeper sync.Once
	signals chan os.Signal
	done    chan struct{}
	running sync.WaitGroup
}

func newWatcher(notice func(pid int), _ bool) (*watcher, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	quit, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		unix.Close(epoll)
		return nil, err
	}
	w := &watcher{
		notice: notice, epoll: epoll, quit: quit,
		signals: make(chan os.Signal, 1), done: make(chan struct{}),
	}
	if err := w.register(quit, 0); err != nil {
		closeFDs(epoll, quit)
		return nil, err
	}
	w.running.Go(w.run)
	return w, nil
}

// register uses the pid as the event's data; 0 is the eventfd. One shot: the end comes once.
func (w *watcher) register(fd, pid int) error {
	return unix.EpollCtl(w.epoll, unix.EPOLL_CTL_ADD, fd,
		&unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLONESHOT, Fd: int32(pid)})
}

// add watches p. When its pidfd cannot be watched it gives it up and falls back to SIGCHLD.
func (w *watcher) add(p *process) error {
	var err error
	if p.watched() {
		err = w.register(p.pidfd, p.pid)
	}
	if err != nil {
		closeHandles(p)
	}
	if !p.watched() {
		w.sweeper.Do(func() {
			signal.Notify(w.signals, unix.SIGCHLD)
			w.running.Go(w.sweep)
		})
	}
	return err
}

func (w *watcher) run() {
	events := make([]unix.EpollEvent, 64)
	for {
		n, err := unix.EpollWait(w.epoll, events, -1)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return // only a closed descriptor, which close prevents
		}
		for _, e := range events[:max(0, n)] {
			if e.Fd == 0 {
				return
			}
			w.notice(int(e.Fd))
		}
	}
}

func (w *watcher) sweep() {
	for {
		select {
		case <-w.signals:
			w.notice(everyChild)
		case <-w.done:
			return
		}
	}
}

func (w *watcher) close() {
	signal.Stop(w.signals)
	close(w.done)
	_, _ = unix.Write(w.quit, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	w.running.Wait()
	closeFDs(w.epoll, w.quit)
}
