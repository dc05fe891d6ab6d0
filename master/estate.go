package master

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"sync"
)

// estate is what is kept beyond the life of whoever uses it: descriptors and notes, by name. The master has it for its
// daemons, and a daemon has a copy for the case that the master is killed.
type estate struct {
	mu    sync.Mutex // guards what follows; nothing under it blocks
	held  map[string]int
	notes map[string][]byte
}

func newEstate() *estate { return &estate{held: map[string]int{}, notes: map[string][]byte{}} }

// hold takes over fd under a name; an older one of that name is closed.
func (e *estate) hold(name string, fd int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	closeFDs(e.held[name])
	e.held[name] = fd
}

// lend returns a duplicate of a held descriptor. Unknown name: fs.ErrNotExist.
func (e *estate) lend(name string) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	fd, ok := e.held[name]
	if !ok {
		return -1, fmt.Errorf("cannot take %q: %w", name, fs.ErrNotExist)
	}
	fd, err := dup(fd)
	if err != nil {
		return -1, fmt.Errorf("cannot take %q: %w", name, err)
	}
	return fd, nil
}

// drop closes held descriptors. Unknown names are no error.
func (e *estate) drop(names ...string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, name := range names {
		closeFDs(e.held[name])
		delete(e.held, name)
	}
}

// note keeps the notes themselves, which nobody may change then. Nil data drops the name.
func (e *estate) note(notes map[string][]byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for name, data := range notes {
		if data == nil {
			delete(e.notes, name)
			continue
		}
		e.notes[name] = data
	}
}

// inventory lists the names held, sorted, and the notes.
func (e *estate) inventory() (held []string, notes map[string][]byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Sorted(maps.Keys(e.held)), maps.Clone(e.notes)
}

// descriptors returns those held, by name; they stay the estate's.
func (e *estate) descriptors() map[string]int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return maps.Clone(e.held)
}

func (e *estate) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, fd := range e.held {
		closeFDs(fd)
	}
	clear(e.held)
	clear(e.notes)
}
