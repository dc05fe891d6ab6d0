package watch

import (
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// tree is one root of a rule and all directories below it that are not ignored.
type tree struct {
	e     *entry
	root  string           // as the user named it
	real  string           // without links; "" while the root is absent
	dirs  map[string]place // subscribed, by place.dir
	queue []place          // what Add has not visited yet
	link  string           // directory subscribed because root is a link in it
	poll  *poll            // not nil: notifications cannot be had
}

func newTree(e *entry, root string) *tree {
	t := &tree{e: e, root: root, dirs: map[string]place{}}
	if e.rule.Poll > 0 {
		t.poll = &poll{every: e.rule.Poll, why: errWanted}
	}
	return t
}

// grow subscribes one more directory.
func (t *tree) grow() bool {
	if t.poll != nil {
		return false
	}
	if t.real == "" {
		top, ok := t.enter()
		if !ok {
			t.e.w.absent.add(t)
			return false
		}
		t.queue = []place{top}
	}
	if n := len(t.queue); n > 0 {
		p := t.queue[n-1]
		t.queue = append(t.queue[:n-1], t.visit(p, time.Time{})...)
	}
	return len(t.queue) > 0
}

// enter finds the root, if it is there.
func (t *tree) enter() (top place, ok bool) {
	real, err := filepath.EvalSymlinks(t.root)
	if err != nil {
		return place{}, false
	}
	if info, err := os.Stat(real); err != nil || !info.IsDir() {
		return place{}, false
	}
	t.real = real
	t.followLink()
	return topPlace(t.root, real, t.e.rule), true
}

func topPlace(root, real string, rule Rule) place {
	return place{dir: real, rules: newRules(root, rule).enter(real, "")}
}

// followLink listens for a root that is a link, such as "current" of a deployment, to be turned elsewhere.
func (t *tree) followLink() {
	info, err := os.Lstat(t.root)
	if err != nil || info.Mode()&os.ModeSymlink == 0 || t.link != "" {
		return
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(t.root))
	if err == nil && t.e.w.hub.add(dir, t) == nil {
		t.link = dir
	}
}

// visit subscribes a directory, then reads it: in this order nothing that is made
// meanwhile can be missed. Files changed after since are reported; none when it is
// zero. It returns the directories below.
func (t *tree) visit(p place, since time.Time) []place {
	if _, seen := t.dirs[p.dir]; seen {
		return nil
	}
	if err := t.e.w.hub.add(p.dir, t); err != nil {
		if _, there := os.ReadDir(p.dir); there == nil { // else: gone again, or not ours to read
			t.fallBack(err, since)
		}
		return nil
	}
	t.dirs[p.dir] = p
	files, dirs, _ := p.list(nil)
	for _, f := range files {
		if !since.IsZero() && changedAfter(f.path, since) {
			t.changed(f.rel, created)
		}
	}
	return dirs
}

func changedAfter(path string, since time.Time) bool {
	info, err := os.Stat(path)
	return err == nil && !info.ModTime().Before(since)
}

// always as visit's since reports every file.
var always = time.Unix(0, 0)

// descend visits start and all below it.
func (t *tree) descend(start place, since time.Time) {
	for queue := []place{start}; len(queue) > 0 && t.poll == nil; {
		n := len(queue) - 1
		queue = append(queue[:n], t.visit(queue[n], since)...)
	}
}

// fallBack polls the tree from now on.
func (t *tree) fallBack(why error, since time.Time) {
	t.unsubscribe()
	t.poll = &poll{every: t.e.w.opts.PollInterval, why: why}
	t.e.warn(t.root, why)
	if !since.IsZero() {
		t.changed("", written) // what happens until the first scan would be lost
	}
}

func (t *tree) unsubscribe() {
	for dir := range t.dirs {
		t.e.w.hub.drop(dir, t)
	}
	if t.link != "" {
		t.e.w.hub.drop(t.link, t)
	}
	t.dirs, t.queue, t.link, t.real = map[string]place{}, nil, "", ""
}

func (t *tree) close() {
	t.e.w.absent.remove(t)
	if t.e.w.hub != nil {
		t.unsubscribe()
	}
}

func (t *tree) changed(rel string, what op) {
	t.e.changed(filepath.Join(t.root, filepath.FromSlash(rel)), what)
}

func (t *tree) event(dir, base string, what fsnotify.Op) {
	if dir == t.link && base == filepath.Base(t.root) {
		t.restart(always)
		t.changed("", written)
		return
	}
	p, ok := t.dirs[dir]
	if !ok {
		return
	}
	rel, path := join(p.rel, base), filepath.Join(dir, base)
	switch {
	case base == gitignore && p.rules.git:
		t.restart(time.Time{})
	case what.Has(fsnotify.Remove) || what.Has(fsnotify.Rename):
		t.vanished(p, rel, movedIsRemoved || what.Has(fsnotify.Rename))
	case what.Has(fsnotify.Create):
		t.appeared(p, rel, path)
	case what.Has(fsnotify.Write) || touched(path):
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && !p.rules.ignores(rel, false) {
			t.changed(rel, written)
		}
	}
}

// appeared: a new file counts, and so does each file in a new directory.
func (t *tree) appeared(p place, rel, path string) {
	raw, err := os.Lstat(path)
	if err != nil { // gone again; remembered, so that its removal counts for nothing
		if !p.rules.ignores(rel, false) {
			t.changed(rel, created)
		}
		return
	}
	info, err := os.Stat(path)
	if err != nil || p.rules.ignores(rel, info.IsDir()) {
		return
	}
	if info.Mode().IsRegular() {
		t.changed(rel, created)
	}
	if !info.IsDir() {
		return
	}
	if d, ok := p.down(child{rel: rel, path: path}, raw.Mode()); ok {
		t.descend(d, always)
	}
}

// vanished: the files of a removed directory have had their own events; those of
// one that was moved away have not.
func (t *tree) vanished(p place, rel string, moved bool) {
	wasDir := t.dropBelow(rel)
	if !p.rules.ignores(rel, wasDir) && (moved || !wasDir) {
		t.changed(rel, removed)
	}
}

// dropBelow forgets the directory at rel and what is in it.
func (t *tree) dropBelow(rel string) (found bool) {
	for dir, p := range t.dirs {
		if p.rel == rel || strings.HasPrefix(p.rel, rel+"/") {
			t.e.w.hub.drop(dir, t)
			delete(t.dirs, dir)
			found = true
		}
	}
	return found
}

// gone matters for the root alone: the parents of all others tell.
func (t *tree) gone(dir string) {
	if dir == t.link {
		t.e.w.hub.drop(dir, t)
		t.link = ""
	}
	if dir != t.real {
		return
	}
	t.unsubscribe()
	t.e.w.absent.add(t)
	t.changed("", removed)
}

// restart reads the tree anew: its rules or its root have changed, or events were
// lost. Directories that stay keep their watch, so that nothing is missed meanwhile.
func (t *tree) restart(since time.Time) {
	old := t.dirs
	t.dirs, t.queue, t.real = map[string]place{}, nil, ""
	if top, ok := t.enter(); ok {
		t.descend(top, since)
	} else {
		t.e.w.absent.add(t)
	}
	for dir := range old {
		if _, kept := t.dirs[dir]; !kept {
			t.e.w.hub.drop(dir, t)
		}
	}
}

// lostFor is how far back a file's time is trusted to show a change whose event was lost.
const lostFor = 10 * time.Second

func (t *tree) resync() {
	if t.poll == nil {
		t.restart(time.Now().Add(-lostFor))
	}
}

func (t *tree) revive() bool {
	if t.poll == nil && t.real == "" {
		if top, ok := t.enter(); ok {
			t.descend(top, always)
		}
	}
	return t.poll != nil || t.real != ""
}

func (t *tree) polled() *poll { return t.poll }

func (t *tree) scanner() func() snapshot {
	root, rule := t.root, t.e.rule
	return func() snapshot {
		seen := snapshot{}
		real, err := filepath.EvalSymlinks(root)
		if err != nil {
			return seen
		}
		walk(topPlace(root, real, rule), nil, func(_ place, files []child, _ error) {
			for _, f := range files {
				seen.see(filepath.Join(root, filepath.FromSlash(f.rel)), f.path)
			}
		})
		return seen
	}
}
