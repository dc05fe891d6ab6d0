package logs

import (
	"container/list"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"gpm/app"
)

// retryAfter is how long a file that cannot be written is left alone. Opening or
// writing on a full disk is slow in the kernel, and there is no hurry.
const retryAfter = time.Second

// holdFor is how long a stream that stopped in the middle of a line keeps a
// shared file to itself: on a busy machine it takes its time until a process that was cut off by a full pipe goes on.
const holdFor = 200 * time.Millisecond

// sink is one log file, shared by every stream that names it.
type sink struct {
	path   string // "" = throw away
	owner  *Owner
	pump   *Pump
	refs   int         // guarded by Pump.mu
	shared atomic.Bool // several streams
	policy atomic.Pointer[Policy]
	ill    atomic.Pointer[Trouble] // the present failure, for those who must not wait for mu
	names  []string                // as the streams name it; guarded by Pump.mu

	mu    sync.Mutex // guards the rest; held during a batch
	file  *os.File   // nil = not open
	fd    int        // of file
	elem  *list.Element
	id    FileID
	off   int64  // where the next byte goes
	epoch uint64 // counts the files and truncations: offsets of different epochs do not compare
	plain bool   // the file system refuses splice
	hold  hold
	turn  turnover
	index index
	fault fault
	stats Stats

	unsaid int64     // lines left out that nobody was told of
	said   time.Time // when somebody was
}

// hold keeps a shared file for the stream whose line is not complete.
type hold struct {
	by    *Stream
	until time.Time
	next  *Stream // waits for its turn
}

// fault is a spell of failure.
type fault struct {
	err     error
	since   time.Time
	retry   time.Time
	dropped int64
}

// fileState is what stat tells about a log file.
type fileState struct {
	id      FileID
	size    int64
	modTime time.Time
}

// prepare makes the file ready for a batch: open, the one that the path names,
// and off at its end or where we left it.
func (k *sink) prepare() error {
	if k.file != nil {
		st, err := statPath(k.path)
		if err != nil || st.id != k.id {
			k.closeFile() // removed, or renamed by somebody's rotation
		} else {
			k.adjust(st.size)
		}
	}
	if k.file == nil {
		return k.openFile()
	}
	k.pump.files.touch(k)
	return nil
}

// adjust corrects the offset when somebody else truncated the file or wrote to it.
func (k *sink) adjust(size int64) {
	if size < k.off {
		k.epoch++
		k.index.reset()
	}
	k.off = size
}

func (k *sink) openFile() error {
	f, err := openLog(k.path, k.owner)
	if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
		k.pump.files.shrink()
		f, err = openLog(k.path, k.owner)
	}
	if err != nil {
		return err
	}
	st, err := statFile(f)
	if err != nil {
		return errors.Join(err, f.Close())
	}
	if st.id != k.id || st.size < k.off {
		k.epoch++
	}
	k.index.open(k.path, k.owner, st.size)
	k.file, k.fd, k.id, k.off, k.plain = f, int(f.Fd()), st.id, st.size, false
	k.pump.files.add(k)
	return nil
}

// closeFile lets go of the file; the next batch opens it again.
func (k *sink) closeFile() {
	if k.file == nil {
		return
	}
	k.pump.files.remove(k)
	if err := k.file.Close(); err != nil {
		k.stats.Errors++
	}
	k.file = nil
	k.index.close()
}

// failed begins or continues a spell of failure.
func (k *sink) failed(err error, now time.Time) {
	k.stats.Errors++
	began := k.fault.err == nil
	if began {
		k.fault = fault{since: now}
	}
	k.fault.err, k.fault.retry = err, now.Add(retryAfter)
	k.closeFile()
	k.ill.Store(&Trouble{Path: k.path, Err: err, Dropped: k.fault.dropped})
	if began {
		k.pump.trouble(Trouble{Path: k.path, Err: err})
	}
}

// waiting says that the file failed and it is not yet time to try again.
func (k *sink) waiting(now time.Time) bool {
	return k.fault.err != nil && now.Before(k.fault.retry)
}

// ready opens the file for a batch, or says why there can be none now.
func (k *sink) ready(now time.Time) error {
	if k.waiting(now) {
		return k.fault.err
	}
	err := k.prepare()
	if err == nil && k.fault.err != nil {
		err = k.recovered()
	}
	if err != nil {
		k.failed(err, now)
	}
	return err
}

// recovered ends a spell of failure: the file is open again. A loss is marked in
// the file, else the lines before and after the gap would read as one.
func (k *sink) recovered() error {
	if k.fault.dropped > 0 {
		mark := fmt.Sprintf("\n[gpm: %d bytes lost here: %v]\n", k.fault.dropped, plainCause(k.fault.err))
		if _, err := k.write([]byte(mark)); err != nil {
			return err
		}
	}
	k.pump.trouble(Trouble{Path: k.path, Dropped: k.fault.dropped})
	k.fault = fault{}
	k.ill.Store(nil)
	return nil
}

// plainCause strips the path from an error of the os package.
func plainCause(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

// write appends p at the offset, whole or with an error.
func (k *sink) write(p []byte) (int, error) {
	n, err := k.file.WriteAt(p, k.off)
	k.wrote(int64(n))
	return n, err
}

func (k *sink) wrote(n int64) {
	k.off += n
	k.stats.Bytes += n
}

func (k *sink) lost(n int64) {
	k.stats.Dropped += n
	k.fault.dropped += n
	if k.fault.err != nil {
		k.ill.Store(&Trouble{Path: k.path, Err: k.fault.err, Dropped: k.fault.dropped})
	}
}

// sayEvery is how often the report that lines are left out is repeated.
const sayEvery = time.Minute

// leftOut counts lines beyond the rate.
func (k *sink) leftOut(n int64, now time.Time) {
	k.stats.LeftOut += n
	k.unsaid += n
	if now.Sub(k.said) < sayEvery {
		return
	}
	k.pump.trouble(Trouble{Path: k.path, LeftOut: k.unsaid})
	k.unsaid, k.said = 0, now
}

// heldFrom says that another stream is in the middle of a line. A stream that is
// drained cannot wait for it.
func (k *sink) heldFrom(s *Stream, now time.Time) bool {
	held := s.state == attached && k.hold.by != nil && k.hold.by != s && now.Before(k.hold.until)
	if held && k.hold.next == nil {
		k.hold.next = s
	}
	return held
}

// holdLine keeps a shared file for s while the line that it wrote last has no end;
// once the line has one, a stream that waits is next. A line that grows without an end does not
// prolong the hold of others. Only a file with several streams pays for looking.
func (k *sink) holdLine(s *Stream, now time.Time) {
	old := k.hold
	k.hold = hold{}
	switch {
	case !k.shared.Load():
	case k.midLine() && old.by == s && old.next != nil:
		k.hold = old
	case k.midLine():
		k.hold = hold{by: s, until: now.Add(holdFor)}
	case old.by == s && old.next != nil:
		k.hold = hold{by: old.next, until: now.Add(holdFor)}
	}
}

// midLine says that the file does not end with a newline.
func (k *sink) midLine() bool {
	var last [1]byte
	if k.off == 0 {
		return false
	}
	_, err := k.file.ReadAt(last[:], k.off-1)
	return err == nil && last[0] != '\n'
}

// reopen closes the file; the next byte opens what the path names then.
func (k *sink) reopen() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.closeFile()
	k.fault.retry = time.Time{}
}

// truncate empties the file.
func (k *sink) truncate() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := truncatePath(k.path, k.owner); err != nil {
		return err
	}
	k.off = 0
	k.epoch++
	k.index.reset()
	k.fault.retry = time.Time{}
	return nil
}

func (k *sink) snapshot() Stats {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.stats
	s.Path, s.Err, s.Since = k.path, k.fault.err, k.fault.since
	return s
}

// checkTarget refuses a path that can never be a log file. A file that cannot be written now, for the disk is full,
// read-only or forbidden, is no reason to refuse: it may pass, and is a failure like any later one until then.
func checkTarget(t Target, folders Folders) error {
	if !filepath.IsAbs(t.Path) {
		return app.Errorf(app.CodeInvalid, "cannot log to %q: not an absolute path", t.Path)
	}
	if err := folders.Check(t.Path); err != nil {
		return app.Errorf(app.CodeInvalid, "cannot log to %q: %w", t.Path, err)
	}
	f, err := openLog(t.Path, t.Owner)
	if err == nil {
		return f.Close()
	}
	if passing(err) || errors.Is(err, syscall.EROFS) || errors.Is(err, fs.ErrPermission) {
		return nil
	}
	return app.Errorf(app.CodeInvalid, "cannot log to %q: %w", t.Path, plainCause(err)).
		WithHint("name a regular file that gpm may write, or /dev/null")
}

// Check says whether a file could be a log file, without making it. A full disk is no reason against it.
func Check(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|nonblock, 0)
	if errors.Is(err, fs.ErrNotExist) {
		err = checkDirectory(filepath.Dir(path))
	} else if err == nil {
		err = errors.Join(checkRegular(f), f.Close())
	}
	switch {
	case err == nil || passing(err):
		return nil
	case errors.Is(err, syscall.EISDIR):
		return errors.New("it is a directory, not a regular file")
	}
	return plainCause(err)
}

// checkDirectory says whether files can be made in a directory that may have to be made itself.
func checkDirectory(dir string) error {
	if isPlainlyWritable(dir) {
		return nil
	}
	f, err := os.CreateTemp(dir, ".gpm-*")
	if _, missing := os.Lstat(dir); err != nil && missing != nil && filepath.Dir(dir) != dir {
		return checkDirectory(filepath.Dir(dir))
	}
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// passing says that an error comes from a shortage and not from the path.
func passing(err error) bool {
	for _, e := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EMFILE, syscall.ENFILE, syscall.EIO, syscall.ENOMEM} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// truncatePath empties a log file; one that does not exist is empty already.
func truncatePath(path string, owner *Owner) error {
	if owner == nil {
		return ignoreAbsent(os.Truncate(path, 0))
	}
	if _, err := os.Lstat(path); err != nil {
		return ignoreAbsent(err)
	}
	f, err := openLog(path, owner)
	if err != nil {
		return err
	}
	return errors.Join(f.Truncate(0), f.Close())
}
