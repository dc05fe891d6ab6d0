package master

import (
	"sync"
	"time"

	"golang.org/x/sys/windows"
)

// watcher waits for each process in a goroutine.
type watcher struct {
	notice  func(pid int)
	quit    windows.Handle // an event that ends the goroutines
	running sync.WaitGroup
}

func newWatcher(notice func(pid int), _ bool) (*watcher, error) {
	quit, err := windows.CreateEvent(nil, 1, 0, nil)
	if err != nil {
		return nil, err
	}
	return &watcher{notice: notice, quit: quit}, nil
}

func (w *watcher) add(p *process) error {
	pid, handle := p.pid, p.handle
	w.running.Go(func() {
		e, err := windows.WaitForMultipleObjects([]windows.Handle{handle, w.quit}, false, windows.INFINITE)
		if err == nil && e == windows.WAIT_OBJECT_0 {
			w.notice(pid)
		}
	})
	return nil
}

func (*watcher) status(p *process) (Exit, sight) {
	if e, err := windows.WaitForSingleObject(p.handle, 0); err != nil || e != windows.WAIT_OBJECT_0 {
		return Exit{}, alive
	}
	var code uint32
	if err := windows.GetExitCodeProcess(p.handle, &code); err != nil {
		return Exit{Code: -1, Unknown: true}, gone
	}
	return Exit{Code: int(code), CPUTime: cpuTime(p.handle)}, gone
}

func cpuTime(h windows.Handle) time.Duration {
	var creation, exit, kernel, user windows.Filetime
	if err := windows.GetProcessTimes(h, &creation, &exit, &kernel, &user); err != nil {
		return 0
	}
	ticks := func(f windows.Filetime) int64 { return int64(f.HighDateTime)<<32 | int64(f.LowDateTime) }
	return time.Duration(100 * (ticks(kernel) + ticks(user)))
}

func (w *watcher) close() {
	_ = windows.SetEvent(w.quit)
	w.running.Wait()
	windows.CloseHandle(w.quit)
}
