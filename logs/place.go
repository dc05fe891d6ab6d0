package logs

import (
	"fmt"
	"time"
)

// place is where a reader stands in a log, so that another reader can go on there, also in another process and
// after rotations.
type place struct {
	archive time.Time // of the rotated file; zero = it was live
	file    FileID    // of the live one
	pos     int64
	seen    time.Time // of the newest rotated file when it was live: it became the next
}

// String is what parsePlace reads: numbers that mean nothing to others.
func (p place) String() string {
	return fmt.Sprintf("%x.%x.%x.%x.%x", micros(p.archive), p.file.Dev, p.file.Ino, p.pos, micros(p.seen))
}

// micros is 0 for the zero time.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicros(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n)
}

func parsePlace(s string) (p place, ok bool) {
	var archive, seen int64
	n, err := fmt.Sscanf(s, "%x.%x.%x.%x.%x", &archive, &p.file.Dev, &p.file.Ino, &p.pos, &seen)
	if err != nil || n != 5 || p.pos < 0 {
		return place{}, false
	}
	p.archive, p.seen = fromMicros(archive), fromMicros(seen)
	return p, true
}

// place is where the cursor stands.
func (c *cursor) place() place {
	if c.own.live() {
		return place{file: c.id, pos: c.pos, seen: c.seen}
	}
	return place{archive: c.own.at, pos: c.pos}
}

// find returns where the place is by now: in which file of the chain, and where in it. Archives count before the
// identity of the live file: the number of a file that was removed is soon another's.
func (p place) find(chain []archive) (i int, pos int64) {
	live := len(chain) - 1
	for i, a := range chain[:live] {
		switch {
		case p.archive.IsZero() && a.at.After(p.seen), a.at.Equal(p.archive):
			return i, p.pos
		case !p.archive.IsZero() && a.at.After(p.archive):
			return i, 0 // the one of the place is removed
		}
	}
	if p.archive.IsZero() && chain[live].id == p.file && chain[live].size >= p.pos { // else truncated
		return live, p.pos
	}
	return live, 0
}
