package logs

import (
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"sort"
	"time"
)

// indexEvery is how precisely the index tells when a line arrived.
const indexEvery = 100 * time.Millisecond

// recordSize is that of an index record: the time in nanoseconds since 1970 and the
// size that the log file had then, both little endian. A byte of the log arrived
// at or after the time of the last record whose size is not above its offset.
const recordSize = 16

// indexName is the hidden file beside a log file that holds its index.
func indexName(path string) string {
	dir, base := filepath.Split(path)
	return filepath.Join(dir, "."+base+".idx")
}

// index writes the arrival times of one log file. Its failures are nobody's
// trouble: without it, lines have no times.
type index struct {
	file *os.File // nil = not open
	size int64
	last time.Time
}

// open goes on with the index of a file of the given size. An index that knows a
// larger file belongs to what was there before a truncation.
func (x *index) open(path string, owner *Owner, size int64) {
	f, err := openLog(indexName(path), owner)
	if err != nil {
		return
	}
	st, err := f.Stat()
	if err != nil {
		_ = f.Close() // nothing is written yet
		return
	}
	x.file, x.size, x.last = f, st.Size()/recordSize*recordSize, time.Time{}
	if r, err := readRecord(f, x.size/recordSize-1); err == nil && r.off > size {
		x.reset()
	}
}

// stamp notes that what follows off arrives now.
func (x *index) stamp(now time.Time, off int64) {
	if x.file == nil || now.Sub(x.last) < indexEvery {
		return
	}
	var b [recordSize]byte
	binary.LittleEndian.PutUint64(b[:8], uint64(now.UnixNano()))
	binary.LittleEndian.PutUint64(b[8:], uint64(off))
	if n, err := x.file.WriteAt(b[:], x.size); err == nil {
		x.size += int64(n)
	}
	x.last = now
}

// reset forgets all times: the log file was truncated.
func (x *index) reset() {
	if x.file != nil && x.file.Truncate(0) == nil {
		x.size, x.last = 0, time.Time{}
	}
}

func (x *index) close() {
	if x.file != nil {
		_ = x.file.Close() // see index
		x.file = nil
	}
}

// rename takes the index along with its log file.
func (x *index) rename(from, to string) {
	_ = os.Rename(indexName(from), indexName(to)) // see index
}

// record is one entry of an index.
type record struct {
	at  time.Time
	off int64
}

func readRecord(r io.ReaderAt, i int64) (record, error) {
	var b [recordSize]byte
	if i < 0 {
		return record{}, io.EOF
	}
	if _, err := r.ReadAt(b[:], i*recordSize); err != nil {
		return record{}, err
	}
	return record{
		at:  time.Unix(0, int64(binary.LittleEndian.Uint64(b[:8]))),
		off: int64(binary.LittleEndian.Uint64(b[8:])),
	}, nil
}

// clock tells when the bytes of a log file arrived. It reads the index a record at
// a time and keeps the present one, for lines come in order.
type clock struct {
	file *os.File // nil = no index
	n    int64    // records
	at   int64    // number of the present record; negative = none yet
	cur  record
	next record // unless the present one is the last
}

// openClock opens the index of a log file; one without has a clock that knows nothing.
func openClock(path string) *clock {
	f, err := os.Open(indexName(path))
	if err != nil {
		return &clock{}
	}
	return &clock{file: f, at: -1}
}

func (c *clock) close() {
	if c.file != nil {
		_ = c.file.Close() // only read
		c.file = nil
	}
}

// refresh looks how many records there are now.
func (c *clock) refresh() {
	if c.file == nil {
		return
	}
	if st, err := c.file.Stat(); err == nil && st.Size()/recordSize != c.n {
		c.n, c.at = st.Size()/recordSize, -1
	}
}

// when returns the arrival time of the byte at off; the zero time when not known.
func (c *clock) when(off int64) time.Time {
	if c.file == nil {
		return time.Time{}
	}
	if c.at < 0 || off < c.cur.off || c.at+1 < c.n && off >= c.next.off {
		c.seek(off)
	}
	return c.cur.at
}

// seek finds the last record whose offset is at most off.
func (c *clock) seek(off int64) {
	i := int64(sort.Search(int(c.n), func(i int) bool {
		r, err := readRecord(c.file, int64(i))
		return err != nil || r.off > off
	}))
	c.at = i - 1
	c.cur, _ = readRecord(c.file, i-1)
	c.next, _ = readRecord(c.file, i)
}

// offset returns a place before which no byte arrived at or after t; what follows
// may be somewhat older.
func (c *clock) offset(t time.Time) int64 {
	if c.file == nil {
		return 0
	}
	c.refresh()
	i := sort.Search(int(c.n), func(i int) bool {
		r, err := readRecord(c.file, int64(i))
		return err != nil || !r.at.Before(t)
	})
	// What follows the record before may have arrived up to indexEvery after it.
	r, err := readRecord(c.file, int64(i)-1)
	if err != nil {
		return 0
	}
	return r.off
}
