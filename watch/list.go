package watch

import (
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"time"
)

// place is a directory of a tree that is not ignored.
type place struct {
	dir   string // without links
	rel   string // slash path as the user sees it below the root, "" for the root
	rules *rules // inside it
}

// child is one entry of a place.
type child struct {
	rel  string
	path string      // in the place's dir
	mode fs.FileMode // of what a link leads to
}

// list returns the entries of p that matter. Entries that vanish meanwhile and
// broken links are left out; ignored, when given, hears of the others.
func (p place) list(ignored func(child, *pattern)) (files []child, dirs []place, err error) {
	entries, err := os.ReadDir(p.dir)
	for _, e := range entries {
		c := child{rel: join(p.rel, e.Name()), path: filepath.Join(p.dir, e.Name()), mode: e.Type()}
		if c.mode&fs.ModeSymlink != 0 {
			info, err := os.Stat(c.path)
			if err != nil {
				continue
			}
			c.mode = info.Mode()
		}
		if skip, by := p.rules.verdict(c.rel, c.mode.IsDir()); skip {
			if ignored != nil {
				ignored(c, by)
			}
			continue
		}
		switch {
		case c.mode.IsDir():
			if d, ok := p.down(c, e.Type()); ok {
				dirs = append(dirs, d)
			}
		case c.mode.IsRegular():
			files = append(files, c)
		}
	}
	return files, dirs, err
}

// down is the place that c, a directory or a link to one, stands for.
func (p place) down(c child, raw fs.FileMode) (place, bool) {
	dir := c.path
	if raw&fs.ModeSymlink != 0 {
		real, err := filepath.EvalSymlinks(c.path)
		if err != nil {
			return place{}, false
		}
		dir = real
	}
	return place{dir: dir, rel: c.rel, rules: p.rules.enter(dir, c.rel)}, true
}

func join(rel, name string) string {
	if rel == "" {
		return name
	}
	return rel + "/" + name
}

// walk visits start and everything below it once, links and cycles included.
// err is why a directory could not be read.
func walk(start place, ignored func(child, *pattern), visit func(p place, files []child, err error)) {
	seen := map[string]bool{}
	for queue := []place{start}; len(queue) > 0; {
		p := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		if seen[p.dir] {
			continue
		}
		seen[p.dir] = true
		files, dirs, err := p.list(ignored)
		visit(p, files, err)
		queue = append(queue, dirs...)
	}
}

// stamp tells two versions of a file apart.
type stamp struct {
	mtime time.Time
	size  int64
}

// snapshot is what a poll sees, by the path that users see.
type snapshot map[string]stamp

func (s snapshot) see(path, real string) {
	if info, err := os.Stat(real); err == nil && info.Mode().IsRegular() {
		s[path] = stamp{info.ModTime(), info.Size()}
	}
}

// diff calls changed for every difference, in the order of the paths.
func diff(old, now snapshot, changed func(path string, what op)) {
	found := map[string]op{}
	for path, n := range now {
		if o, had := old[path]; !had {
			found[path] = created
		} else if o.size != n.size || !o.mtime.Equal(n.mtime) {
			found[path] = written
		}
	}
	for path := range old {
		if _, has := now[path]; !has {
			found[path] = removed
		}
	}
	paths := make([]string, 0, len(found))
	for path := range found {
		paths = append(paths, path)
	}
	sort.Strings(paths)
	for _, path := range paths {
		changed(path, found[path])
	}
}
