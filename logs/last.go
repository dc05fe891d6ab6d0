package logs

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
)

// readBlock is read at once when a file is searched backwards or copied forwards.
const readBlock = 64 << 10

// maxLast bounds what Last keeps in memory; a caller that wants more streams it with Query.
const maxLast = 16 << 20

// Last returns the last n lines of a file, oldest first; negative n means all.
// Lines longer than MaxLine come in pieces (see [End]), and no more than 16 MiB in
// all: the oldest lines are left out. A file that does not exist has no lines. end is where
// [Follow] goes on: after the last whole line, or after an open one that was returned.
func Last(path string, n int) (lines []Line, end Offset, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, Offset{}, nil
	}
	if err != nil {
		return nil, Offset{}, err
	}
	defer f.Close()
	st, err := statFile(f)
	if err != nil {
		return nil, Offset{}, err
	}
	start, err := lastStart(f, st.size, n)
	if err != nil {
		return nil, Offset{}, err
	}
	if st.size-start > maxLast {
		if start, err = lineAfter(f, st.size-maxLast, st.size); err != nil {
			return nil, Offset{}, err
		}
	}
	var sp Splitter
	keep := func(l Line) { lines = append(lines, Line{Text: bytes.Clone(l.Text), End: l.End}) }
	_, err = io.Copy(splitWriter{&sp, keep}, io.NewSectionReader(f, start, st.size-start))
	sp.Flush(keep)
	return lines, Offset{File: st.id, Pos: st.size}, err
}

type splitWriter struct {
	s    *Splitter
	emit func(Line)
}

func (w splitWriter) Write(p []byte) (int, error) {
	w.s.Write(p, w.emit)
	return len(p), nil
}

// lastStart returns where the last n lines of the first size bytes of r begin. It
// reads backwards, a block at a time, no further than it must.
func lastStart(r io.ReaderAt, size int64, n int) (int64, error) {
	if n < 0 {
		return 0, nil
	}
	if n == 0 {
		return size, nil
	}
	buf := make([]byte, readBlock)
	// The newline at the very end closes the last line and begins none.
	for end := size - 1; end > 0; {
		b := buf[:min(end, readBlock)]
		if _, err := r.ReadAt(b, end-int64(len(b))); err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		if count := bytes.Count(b, newline); count < n {
			n -= count
			end -= int64(len(b))
			continue
		}
		for ; ; n-- {
			i := bytes.LastIndexByte(b, '\n')
			if n == 1 {
				return end - int64(len(b)) + int64(i) + 1, nil
			}
			end, b = end-int64(len(b)-i), b[:i]
		}
	}
	return 0, nil
}

var newline = []byte{'\n'}

// lineAfter returns the start of the first line that begins after from, at most end.
func lineAfter(r io.ReaderAt, from, end int64) (int64, error) {
	buf := make([]byte, readBlock)
	for from < end {
		n, err := r.ReadAt(buf[:min(end-from, readBlock)], from)
		if i := bytes.IndexByte(buf[:n], '\n'); i >= 0 {
			return from + int64(i) + 1, nil
		}
		if err != nil || n == 0 {
			return end, err
		}
		from += int64(n)
	}
	return end, nil
}
