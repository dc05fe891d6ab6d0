package logs

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"time"
)

// cursor is a reader's place in a file that grows, is truncated, renamed and made
// again. It keeps no part of a line in memory: a line that is not complete is
// read again when there is more of it.
type cursor struct {
	path    string    // of the live file
	src     source    // nil = not open
	own     archive   // what src is
	rest    []archive // to be read after it, before the live file
	seen    time.Time // of the last archive that was read or passed over
	id      FileID
	pos     int64 // where the next line starts
	scanned int64 // no newline between pos and here
	end     int64 // the live file is not read beyond; 0 = as far as it goes
	clock   *clock
}

// scratch is the buffer of a reader, shared by all its cursors.
type scratch struct {
	buf   []byte
	limit int // longest line
}

func newScratch(limit int) *scratch {
	return &scratch{buf: make([]byte, readBlock), limit: limit}
}

// turn is what one call of read may deliver before another file has its turn.
const turn = 256 << 10

// read delivers the lines that are complete since the last call. more says that there
// is more at once. emit returns false to stop; the place is then after that line.
func (c *cursor) read(sc *scratch, emit func(Line) bool) (more bool, err error) {
	if err := c.open(); err != nil || c.src == nil {
		return false, err
	}
	more, err = c.lines(sc, turn, !c.own.live(), emit)
	if more || err != nil {
		return more, err
	}
	if c.own.live() {
		return c.follow(sc, emit)
	}
	return true, c.next()
}

// open opens the file unless one is open; c.src stays nil when there is none.
func (c *cursor) open() error {
	if c.src != nil {
		return nil
	}
	src, own, rest, err := openNext(c.path, c.rest, c.seen)
	if err != nil || src == nil {
		return err
	}
	c.src, c.own, c.rest, c.clock = src, own, rest, openClock(own.plain)
	if f, ok := src.(*os.File); ok && own.live() {
		err = c.resume(f)
	}
	if err != nil {
		return errors.Join(err, c.close())
	}
	return nil
}

// resume finds the old place in a live file that was closed meanwhile. When the
// path names another file by now, it is that of the archive which the old one became.
func (c *cursor) resume(f *os.File) error {
	st, err := statFile(f)
	if err != nil {
		return err
	}
	old, pos, scanned := c.id, c.pos, c.scanned
	c.id = st.id
	if (old == FileID{} || old == st.id) && st.size >= pos {
		return nil
	}
	c.pos, c.scanned = 0, 0
	own, rest, ok := behind(c.path, old)
	if old == st.id || !ok {
		return nil
	}
	c.rest = append([]archive{own}, rest...)
	if err := errors.Join(c.close(), c.open()); err != nil {
		return err
	}
	c.pos, c.scanned = pos, scanned
	return nil
}

func (c *cursor) close() error {
	if c.src == nil {
		return nil
	}
	c.clock.close()
	err := c.src.Close()
	c.src = nil
	return err
}

// suspend closes the file for a while; open comes back to the same place.
func (c *cursor) suspend() error {
	if c.src != nil && !c.own.live() {
		c.rest = append([]archive{c.own}, c.rest...)
	}
	return c.close()
}

// next leaves a file that is read to its end.
func (c *cursor) next() error {
	if !c.own.live() {
		c.seen = c.own.at
	}
	c.pos, c.scanned, c.id = 0, 0, FileID{}
	return c.close()
}

// follow looks, at the end of the live file, whether it is still the one to read. After
// a renaming, the rest of the old file comes first: what was written between our last
// look and the renaming; then what was rotated since.
func (c *cursor) follow(sc *scratch, emit func(Line) bool) (more bool, err error) {
	st, err := statPath(c.path)
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return false, err
	case err != nil: // no file of that name yet to go over to, and the old one may still be written
		return false, nil
	case st.id == c.id && st.size >= c.pos:
		return false, nil
	case st.id == c.id: // truncated
		c.pos, c.scanned = 0, 0
		return true, nil
	}
	if more, err := c.lines(sc, turn, true, emit); more || err != nil {
		return more, err
	}
	if f, ok := c.src.(*os.File); ok {
		if c.seen, err = stampFor(c.path, f); err != nil {
			return false, err
		}
	}
	return true, c.next()
}

// lines delivers complete lines up to the end of the file or about budget bytes.
// With last, what is left without a newline is delivered too.
func (c *cursor) lines(sc *scratch, budget int, last bool, emit func(Line) bool) (more bool, err error) {
	c.clock.refresh()
	for budget > 0 {
		if quiet, err := c.stillOpen(sc); err != nil || quiet && !last {
			return false, err
		}
		b, err := c.fill(sc)
		if err != nil {
			return false, err
		}
		used, goOn := c.hand(b, sc.limit, emit)
		budget -= used
		switch {
		case !goOn:
			return true, nil
		case used > 0:
			continue
		case last && len(b) > 0:
			l := Line{Text: b, End: Open, Off: c.pos}
			c.pos += int64(len(b))
			c.scanned = c.pos
			return !emit(l), nil
		default:
			c.scanned = c.pos + int64(len(b))
			return false, nil
		}
	}
	return true, nil
}

// hand emits the lines at the head of b and moves the place behind them.
func (c *cursor) hand(b []byte, limit int, emit func(Line) bool) (used int, goOn bool) {
	for {
		l, n, ok := firstLine(b[used:], limit)
		if !ok {
			return used, true
		}
		used += n
		l.Off = c.pos
		c.pos += int64(n)
		c.scanned = c.pos
		if !emit(l) {
			return used, false
		}
	}
}

// fill reads from the place on, at least one line or as much as a line may have; less
// only at the end of the file.
func (c *cursor) fill(sc *scratch) ([]byte, error) {
	for {
		b, err := c.readAt(sc.buf, c.pos)
		if err != nil {
			return nil, err
		}
		if n := len(b); n < len(sc.buf) || n > sc.limit || bytes.IndexByte(b, '\n') >= 0 {
			return b, nil
		}
		sc.buf = make([]byte, min(2*len(sc.buf), sc.limit+1))
	}
}

// stillOpen looks at what is new of a line known to be incomplete: without a newline in it
// there is nothing to deliver, and the line's beginning need not be read again.
func (c *cursor) stillOpen(sc *scratch) (bool, error) {
	if c.scanned <= c.pos {
		return false, nil
	}
	b, err := c.readAt(sc.buf, c.scanned)
	if err != nil {
		return false, err
	}
	n := int64(len(b))
	if len(b) == len(sc.buf) || c.scanned+n-c.pos > int64(sc.limit) || bytes.IndexByte(b, '\n') >= 0 {
		return false, nil
	}
	c.scanned += n
	return true, nil
}

// readAt reads into buf as far as the file, and the cursor's end, go.
func (c *cursor) readAt(buf []byte, off int64) ([]byte, error) {
	if c.end > 0 && c.own.live() {
		buf = buf[:max(0, min(int64(len(buf)), c.end-off))]
	}
	n, err := c.src.ReadAt(buf, off)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return buf[:n], nil
}
