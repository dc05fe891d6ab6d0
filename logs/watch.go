package logs

import (
	"path/filepath"
	"sync"
	"sync/atomic"
)

// watchers knows who wants to hear about which file. It costs one atomic load per
// batch as long as nobody does.
type watchers struct {
	count atomic.Int64
	mu    sync.Mutex
	files map[string]map[*Watcher]struct{}
}

// Watcher collects which of its files were written. It holds at most one entry
// per file, however slow its reader is. Its methods are for one goroutine.
type Watcher struct {
	in    *watchers
	alias map[string][]string // canonical → as given

	mu    sync.Mutex
	dirty []string
	set   map[string]struct{}
	ready chan struct{}
}

// Watch reports writes to the given files, by this Pump, until Close. A file may
// be named before it exists or has a stream.
func (p *Pump) Watch(paths ...string) *Watcher {
	w := &Watcher{in: &p.watch, alias: map[string][]string{}, set: map[string]struct{}{}, ready: make(chan struct{}, 1)}
	w.Add(paths...)
	p.watch.count.Add(1)
	return w
}

// Add reports writes to more files.
func (w *Watcher) Add(paths ...string) {
	for _, path := range paths {
		real, given := canonical(path, nil), filepath.Clean(path)
		w.alias[real] = append(w.alias[real], path)
		w.in.put(real, w)
		if given != real { // the name of a file with an owner, see canonical
			w.alias[given] = append(w.alias[given], path)
			w.in.put(given, w)
		}
	}
}

// Ready receives when at least one file was written since the last call of Dirty.
func (w *Watcher) Ready() <-chan struct{} { return w.ready }

// Dirty returns the files written since the last call, in the order of their
// first write, named as they were given to Watch.
func (w *Watcher) Dirty() []string {
	w.mu.Lock()
	real := w.dirty
	w.dirty = nil
	clear(w.set)
	w.mu.Unlock()
	var out []string
	for _, path := range real {
		out = append(out, w.alias[path]...)
	}
	return out
}

// Close ends the reports.
func (w *Watcher) Close() { w.in.remove(w) }

func (w *Watcher) mark(path string) {
	w.mu.Lock()
	if _, known := w.set[path]; !known {
		w.set[path] = struct{}{}
		w.dirty = append(w.dirty, path)
	}
	w.mu.Unlock()
	select {
	case w.ready <- struct{}{}:
	default:
	}
}

func (ws *watchers) put(path string, w *Watcher) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if ws.files == nil {
		ws.files = map[string]map[*Watcher]struct{}{}
	}
	if ws.files[path] == nil {
		ws.files[path] = map[*Watcher]struct{}{}
	}
	ws.files[path][w] = struct{}{}
}

func (ws *watchers) remove(w *Watcher) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for path := range w.alias {
		if _, in := ws.files[path][w]; !in {
			return // closed before
		}
		delete(ws.files[path], w)
		if len(ws.files[path]) == 0 {
			delete(ws.files, path)
		}
	}
	ws.count.Add(-1)
}

func (ws *watchers) notify(path string) {
	if ws.count.Load() == 0 {
		return
	}
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for w := range ws.files[path] {
		w.mark(path)
	}
}
