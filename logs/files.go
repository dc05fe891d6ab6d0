package logs

import (
	"container/list"
	"sync"
)

// openFiles bounds how many log files are open: opening one more closes the one
// that was written least recently.
type openFiles struct {
	max  int
	mu   sync.Mutex // guards list; taken after a sink's mu
	list *list.List // of *sink, most recently written first
}

func newOpenFiles(limit int) *openFiles {
	return &openFiles{max: limit, list: list.New()}
}

// add, touch and remove are called with the sink's mu held.
func (o *openFiles) add(k *sink) {
	o.mu.Lock()
	k.elem = o.list.PushFront(k)
	over := o.list.Len() - o.max
	o.mu.Unlock()
	o.evict(over)
}

func (o *openFiles) touch(k *sink) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.list.MoveToFront(k.elem)
}

func (o *openFiles) remove(k *sink) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.list.Remove(k.elem)
	k.elem = nil
}

func (o *openFiles) len() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.list.Len()
}

// shrink closes half of the files: the process has run out of descriptors.
func (o *openFiles) shrink() { o.evict(max(1, o.len()/2)) }

// evict closes n files, the oldest first. One that is busy is passed over, for two
// sinks that wait for each other would never end.
func (o *openFiles) evict(n int) {
	if n <= 0 {
		return
	}
	o.mu.Lock()
	var victims []*sink
	for e := o.list.Back(); e != nil && len(victims) < n; e = e.Prev() {
		k := e.Value.(*sink)
		if k.mu.TryLock() {
			victims = append(victims, k)
		}
	}
	o.mu.Unlock()
	for _, k := range victims {
		k.closeFile()
		k.mu.Unlock()
	}
}
