package watch

import (
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// fileSet is files watched one by one, by way of the directories they are in.
type fileSet struct {
	e    *entry
	want []string
	todo []string                     // not subscribed yet
	dirs map[string]map[string]string // directory without links → name → file as given
	lost []string                     // files whose directory is absent
	poll *poll
}

func newFileSet(e *entry) *fileSet {
	f := &fileSet{e: e, want: e.rule.Files, todo: e.rule.Files, dirs: map[string]map[string]string{}}
	if e.rule.Poll > 0 {
		f.poll = &poll{every: e.rule.Poll, why: errWanted}
	}
	return f
}

// filesAtOnce is how many files are subscribed under one hold of the lock.
const filesAtOnce = 64

func (f *fileSet) grow() bool {
	if f.poll != nil {
		return false
	}
	n := min(filesAtOnce, len(f.todo))
	next := f.todo[:n]
	f.todo = f.todo[n:]
	for _, file := range next {
		f.subscribe(file) // may fall back to polling, which leaves nothing to do
	}
	return len(f.todo) > 0
}

// subscribe listens to the directory of file and, for a link, to that of its target.
func (f *fileSet) subscribe(file string) {
	if f.poll != nil {
		return
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(file))
	if err != nil {
		f.lost = append(f.lost, file)
		f.e.w.absent.add(f)
		return
	}
	f.listen(dir, filepath.Base(file), file)
	if real, err := filepath.EvalSymlinks(file); err == nil && real != filepath.Join(dir, filepath.Base(file)) {
		f.listen(filepath.Dir(real), filepath.Base(real), file)
	}
}

func (f *fileSet) listen(dir, base, file string) {
	if f.poll != nil {
		return
	}
	if f.dirs[dir] == nil {
		if err := f.e.w.hub.add(dir, f); err != nil {
			f.fallBack(err)
			return
		}
		f.dirs[dir] = map[string]string{}
	}
	f.dirs[dir][base] = file
}

func (f *fileSet) fallBack(why error) {
	f.unsubscribe()
	f.poll = &poll{every: f.e.w.opts.PollInterval, why: why}
	f.e.warn("the list of files", why)
}

func (f *fileSet) unsubscribe() {
	for dir := range f.dirs {
		f.e.w.hub.drop(dir, f)
	}
	f.dirs, f.todo, f.lost = map[string]map[string]string{}, nil, nil
}

func (f *fileSet) close() {
	f.e.w.absent.remove(f)
	if f.e.w.hub != nil {
		f.unsubscribe()
	}
}

// set replaces the list. New directories are subscribed before old ones are dropped.
func (f *fileSet) set(files []string) {
	f.want = files
	if f.poll != nil {
		f.poll = &poll{every: f.poll.every, why: f.poll.why} // what is new in the list is no change
		poke(f.e.w.scan)
		return
	}
	old := f.dirs
	f.dirs, f.todo, f.lost = map[string]map[string]string{}, nil, nil
	for _, file := range files {
		f.subscribe(file)
	}
	for dir := range old {
		if f.dirs[dir] == nil {
			f.e.w.hub.drop(dir, f)
		}
	}
}

func (f *fileSet) event(dir, base string, what fsnotify.Op) {
	file, ok := f.dirs[dir][base]
	if !ok {
		return
	}
	switch {
	case what.Has(fsnotify.Remove) || what.Has(fsnotify.Rename):
		f.e.changed(file, removed)
	case what.Has(fsnotify.Create):
		f.e.changed(file, written)
		f.subscribe(file) // a link may lead elsewhere now
	case what.Has(fsnotify.Write) || touched(filepath.Join(dir, base)):
		f.e.changed(file, written)
	}
}

func (f *fileSet) gone(dir string) {
	names := f.dirs[dir]
	f.e.w.hub.drop(dir, f)
	delete(f.dirs, dir)
	for _, file := range names {
		f.e.changed(file, removed)
		f.lost = append(f.lost, file)
		f.e.w.absent.add(f)
	}
}

func (f *fileSet) resync() {
	if f.poll != nil {
		return
	}
	f.set(f.want)
	for _, file := range f.want {
		if changedAfter(file, time.Now().Add(-lostFor)) {
			f.e.changed(file, written)
		}
	}
}

func (f *fileSet) revive() bool {
	lost := f.lost
	f.lost = nil
	for _, file := range lost {
		before := len(f.lost)
		f.subscribe(file)
		if _, err := os.Stat(file); err == nil && len(f.lost) == before {
			f.e.changed(file, created)
		}
	}
	return len(f.lost) == 0
}

func (f *fileSet) polled() *poll { return f.poll }

func (f *fileSet) scanner() func() snapshot {
	want := f.want
	return func() snapshot {
		seen := snapshot{}
		for _, file := range want {
			seen.see(file, file)
		}
		return seen
	}
}
