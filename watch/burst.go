package watch

import "time"

// settle is how long a path must be quiet before a change counts: an editor's
// save is several events within a few milliseconds.
const settle = 40 * time.Millisecond

// patience is how many quiet times a burst may last before it counts all the same.
const patience = 10

// maxPaths is how many paths of one burst are remembered.
const maxPaths = 256

// op is the first thing that happened to a path within a burst.
type op uint8

const (
	written op = iota
	created
	removed
)

// burst is the events that will make one trigger. The zero value is empty.
type burst struct {
	first, last time.Time
	paths       map[string]op
	order       []string
	more        int // paths beyond maxPaths
}

func (b *burst) empty() bool { return len(b.order) == 0 }

func (b *burst) add(path string, what op, now time.Time) {
	if b.empty() {
		b.first, b.paths = now, map[string]op{}
	}
	b.last = now
	if _, known := b.paths[path]; known {
		return
	}
	if len(b.order) == maxPaths {
		b.more++
		return
	}
	b.paths[path] = what
	b.order = append(b.order, path)
}

// due is when the burst becomes a trigger: quiet for settle + delay, or going on
// for patience times that, and not within gap of the trigger before.
func (b *burst) due(delay, gap time.Duration, fired time.Time) time.Time {
	quiet := settle + delay
	at := b.last.Add(quiet)
	if limit := b.first.Add(patience * quiet); at.After(limit) {
		at = limit
	}
	if next := fired.Add(gap); !fired.IsZero() && at.Before(next) {
		return next
	}
	return at
}

// real returns the paths that still count at the end: a file that came and went
// within the burst, as editors' temporary files do, is nothing.
func (b *burst) real(exists func(string) bool) []string {
	var out []string
	for _, path := range b.order {
		if b.paths[path] != created || exists(path) {
			out = append(out, path)
		}
	}
	return out
}
