package logs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// source is an open log file, live or rotated, plain or compressed.
type source interface {
	io.ReaderAt
	io.Closer
}

// openArchive opens a rotated file in whatever form it has by now, or a live one
// (the plain form of its path).
func openArchive(a archive) (source, fileState, error) {
	for _, kind := range []Compression{Plain, Gzip, Zstd} {
		f, err := os.Open(a.plain + suffixes[kind])
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fileState{}, err
		}
		st, err := statFile(f)
		if err != nil {
			return nil, fileState{}, errors.Join(err, f.Close())
		}
		if kind == Plain {
			return f, st, nil
		}
		return &inflated{file: f, kind: kind}, st, nil
	}
	return nil, fileState{}, fmt.Errorf("open %s: %w", a.plain, fs.ErrNotExist)
}

// inflated reads a compressed file as if it were plain, with offsets of the plain
// bytes. Reading goes forward in one pass; going back before the last read costs another.
type inflated struct {
	file *os.File
	kind Compression
	z    io.ReadCloser // nil = not begun
	keep []byte        // the plain bytes from pos on that were read ahead of the last ReadAt
	pos  int64
}

// ReadAt implements io.ReaderAt.
func (z *inflated) ReadAt(p []byte, off int64) (int, error) {
	if z.z == nil || off < z.pos {
		if err := z.rewind(); err != nil {
			return 0, err
		}
	}
	if err := z.skip(off); err != nil {
		return 0, err
	}
	n := copy(p, z.keep)
	if n == len(p) {
		return n, nil
	}
	m, err := io.ReadFull(z.z, p[n:])
	// All of p is kept, for the caller may come back to a line that began in it.
	z.keep = append(z.keep, p[n:n+m]...)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	return n + m, err
}

func (z *inflated) rewind() error {
	if _, err := z.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	r, err := decompressReader(z.file, z.kind)
	if err != nil {
		return fmt.Errorf("cannot decompress %s: %w", z.file.Name(), err)
	}
	if z.z != nil {
		_ = z.z.Close() // only read
	}
	z.z, z.keep, z.pos = r, nil, 0
	return nil
}

// skip moves the beginning of what is kept forward to off.
func (z *inflated) skip(off int64) error {
	n := min(off-z.pos, int64(len(z.keep)))
	z.keep = z.keep[:copy(z.keep, z.keep[n:])]
	z.pos += n
	if z.pos == off {
		return nil
	}
	m, err := io.CopyN(io.Discard, z.z, off-z.pos)
	z.pos += m
	return err
}

// Close implements io.Closer.
func (z *inflated) Close() error {
	if z.z != nil {
		_ = z.z.Close() // only read
	}
	return z.file.Close()
}

// lastLines returns where the last n lines of a source begin, and how many lines
// of n are missing because it has fewer. size is that of a plain one.
func lastLines(src source, size int64, n int) (start int64, missing int, err error) {
	if z, packed := src.(*inflated); packed {
		return z.lastLines(n)
	}
	start, err = lastStart(src, size, n)
	if err != nil || start > 0 || n <= 0 {
		return start, 0, err
	}
	has, _, err := countLines(src, n)
	return 0, n - has, err
}

// lastLines reads all of it, for there is no other way to its end, and remembers
// where the last n lines began.
func (z *inflated) lastLines(n int) (start int64, missing int, err error) {
	if n <= 0 {
		return 0, 0, nil
	}
	ring := make([]int64, 0, min(n, 1024))
	at, buf, count := int64(0), make([]byte, readBlock), 0
	for begins := true; ; {
		m, err := z.ReadAt(buf, at)
		for i, b := range buf[:m] {
			if begins {
				ring = push(ring, n, count, at+int64(i))
				count++
			}
			begins = b == '\n'
		}
		at += int64(m)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, 0, err
		}
	}
	if count <= n {
		return 0, n - count, nil
	}
	return ring[count%n], 0, nil
}

// push keeps the last n of a sequence; i counts them from 0.
func push(ring []int64, n, i int, v int64) []int64 {
	if len(ring) < n {
		return append(ring, v)
	}
	ring[i%n] = v
	return ring
}

// countLines counts the lines of r, up to limit.
func countLines(r io.ReaderAt, limit int) (n int, size int64, err error) {
	buf := make([]byte, readBlock)
	open := false
	for n < limit {
		m, err := r.ReadAt(buf, size)
		for _, b := range buf[:m] {
			if open = b != '\n'; !open {
				n++
			}
		}
		size += int64(m)
		if errors.Is(err, io.EOF) {
			if open {
				n++
			}
			return min(n, limit), size, nil
		}
		if err != nil {
			return 0, 0, err
		}
	}
	return limit, size, nil
}
