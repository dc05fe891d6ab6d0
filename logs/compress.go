package logs

import (
	"bufio"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"runtime"

	"github.com/klauspost/compress/zstd"
)

// errStopped ends a compression early.
var errStopped = errors.New("stopped")

// compressor compresses one archive after the other at low priority.
func (h *keeper) compressor() {
	runtime.LockOSThread() // and never unlocked: the thread ends with its low priority
	lowPriority()
	for {
		select {
		case <-h.stop:
			return
		case <-h.work:
		}
		for j, ok := h.nextJob(); ok; j, ok = h.nextJob() {
			err := h.compress(j)
			if errors.Is(err, errStopped) {
				return
			}
			if err != nil && !errors.Is(err, os.ErrNotExist) { // else it was removed meanwhile
				h.log.Warn("Cannot compress a rotated log", "path", j.path, "err", err)
			}
		}
	}
}

// nextJob takes the newest file: the older ones may be removed before their turn.
func (h *keeper) nextJob() (job, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.writing = ""
	if len(h.jobs) == 0 {
		return job{}, false
	}
	j := h.jobs[len(h.jobs)-1]
	h.jobs = h.jobs[:len(h.jobs)-1]
	h.writing = tempName(j.path + suffixes[j.kind])
	return j, true
}

// compress puts the compressed form in the place of a plain archive. At every
// instant one whole form is there.
func (h *keeper) compress(j job) error {
	target := j.path + suffixes[j.kind]
	temp := tempName(target)
	if err := h.compressTo(j, temp); err != nil {
		return errors.Join(err, removeAll(temp))
	}
	if err := os.Rename(temp, target); err != nil {
		return errors.Join(err, removeAll(temp))
	}
	return removeAll(j.path)
}

func (h *keeper) compressTo(j job, temp string) error {
	in, err := os.Open(j.path)
	if err != nil {
		return err
	}
	defer in.Close()
	st, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = errors.Join(h.copyCompressed(out, in, j.kind), sameOwner(out, st))
	if err == nil {
		err = out.Sync() // the plain form goes away
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return err
	}
	return errors.Join(os.Chmod(temp, st.Mode().Perm()), os.Chtimes(temp, st.ModTime(), st.ModTime()))
}

func (h *keeper) copyCompressed(out io.Writer, in io.Reader, kind Compression) error {
	b := bufio.NewWriterSize(out, readBlock)
	z, err := compressWriter(b, kind)
	if err != nil {
		return err
	}
	if _, err := io.Copy(z, stoppable{in, h.stop}); err != nil {
		return errors.Join(err, z.Close())
	}
	return errors.Join(z.Close(), b.Flush())
}

func compressWriter(w io.Writer, kind Compression) (io.WriteCloser, error) {
	if kind == Zstd {
		return zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(1<<20))
	}
	return gzip.NewWriterLevel(w, gzip.BestSpeed)
}

// stoppable is a reader that fails once stop is closed.
type stoppable struct {
	r    io.Reader
	stop <-chan struct{}
}

func (s stoppable) Read(p []byte) (int, error) {
	select {
	case <-s.stop:
		return 0, errStopped
	default:
		return s.r.Read(p)
	}
}

// decompressReader reads what compressWriter wrote.
func decompressReader(r io.Reader, kind Compression) (io.ReadCloser, error) {
	if kind == Zstd {
		d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(64<<20))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	}
	return gzip.NewReader(bufio.NewReaderSize(r, readBlock))
}
