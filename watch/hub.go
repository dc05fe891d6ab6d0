package watch

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/fsnotify/fsnotify"
)

// source is a part of a rule that is watched: a tree or a list of files. Its
// methods are called under the watcher's lock.
type source interface {
	grow() bool                               // subscribe some more; false when everything is
	event(dir, base string, what fsnotify.Op) // something happened to base in a subscribed dir
	gone(dir string)                          // a subscribed dir was removed or moved away
	resync()                                  // events were lost
	revive() bool                             // look for what is absent; true when nothing is any more
	polled() *poll                            // nil while notifications work
	scanner() func() snapshot                 // to be called without the lock
	entryOf() *entry
	info() Source
	close()
}

// hub is the one inotify instance, and who wants to hear of which directory. A
// directory is known by its path without links, because the kernel has one watch for
// each inode whatever path leads to it.
type hub struct {
	fs   *fsnotify.Watcher
	err  error // why fs is nil
	dirs map[string]*watched
	cost int // descriptors used where each file costs one
}

type watched struct {
	by   map[source]struct{}
	cost int
}

func newHub() *hub {
	h := &hub{dirs: map[string]*watched{}}
	h.fs, h.err = fsnotify.NewWatcher()
	h.err = explainLimit(h.err)
	return h
}

// add makes s hear of what happens in dir. The error says why only polling is left.
func (h *hub) add(dir string, s source) error {
	if h.err != nil {
		return h.err
	}
	if d := h.dirs[dir]; d != nil {
		d.by[s] = struct{}{}
		return nil
	}
	if remote(dir) {
		return errRemote
	}
	cost, err := watchCost(dir, maxWatchCost-h.cost)
	if err != nil {
		return err
	}
	if err := h.fs.Add(dir); err != nil {
		return explainLimit(err)
	}
	h.cost += cost
	h.dirs[dir] = &watched{by: map[source]struct{}{s: {}}, cost: cost}
	return nil
}

// drop ends what add began; the last one to drop ends the watch.
func (h *hub) drop(dir string, s source) {
	d := h.dirs[dir]
	if d == nil {
		return
	}
	delete(d.by, s)
	if len(d.by) > 0 {
		return
	}
	delete(h.dirs, dir)
	h.cost -= d.cost
	// A directory that is gone has lost its watch already, and that is an error here.
	_ = h.fs.Remove(dir)
}

// sources returns who listens to dir; a copy, because they may drop it meanwhile.
func (h *hub) sources(dir string) []source {
	d := h.dirs[dir]
	if d == nil {
		return nil
	}
	list := make([]source, 0, len(d.by))
	for s := range d.by {
		list = append(list, s)
	}
	return list
}

func (h *hub) close() error {
	if h.fs == nil {
		return nil
	}
	return h.fs.Close()
}

// Errors that end in polling.
var (
	errWatches   = errors.New("the limit of inotify watches is reached (sysctl fs.inotify.max_user_watches)")
	errInstances = errors.New("the limit of inotify instances or open files is reached (sysctl fs.inotify.max_user_instances)")
	errWanted    = errors.New("the rule asks for polling")
	errRemote    = errors.New("the kernel does not report changes that others make on this file system")
)

// explainLimit puts the kernel's limits into words, inotify(7).
func explainLimit(err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("%w: %w", errWatches, err)
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return fmt.Errorf("%w: %w", errInstances, err)
	}
	return err
}
