package logs

import (
	"errors"
	"os"
	"time"
)

// Policy says when a log file is rotated and what becomes of the rotated files.
// Rotation is a renaming by the writer at the end of a line; no byte is copied, and
// none is written twice or lost.
type Policy struct {
	MaxSize  int64         `json:"max_size,omitempty"` // bytes; the line that reaches it is completed; 0 = not by size
	Every    time.Duration `json:"every,omitempty"`    // rotate a file that is older, by its first byte since the last rotation; 0 = not by time
	Keep     int           `json:"keep,omitempty"`     // rotated files kept; 0 = all
	MaxAge   time.Duration `json:"max_age,omitempty"`  // rotated files older than that are removed; 0 = never
	Compress Compression   `json:"compress,omitempty"` // of rotated files, in the background
}

// DefaultPolicy bounds a log to about 50 MB and ten compressed predecessors.
func DefaultPolicy() Policy {
	return Policy{MaxSize: 50 << 20, Keep: 10, Compress: Gzip}
}

// DefaultQuota is a sane bound on all log files together.
const DefaultQuota = 4 << 30

// rotateRetry is how long a file that cannot be renamed is written on.
const rotateRetry = time.Minute

// turnover is what a sink knows about its rotations.
type turnover struct {
	asked bool      // by Rotate
	born  time.Time // when the present file got its first byte from us
	last  time.Time // stamp of the newest archive
	wait  time.Time // not before, after a failure
	past  []past    // newest last
}

// past is an epoch of a sink whose file was rotated away.
type past struct {
	epoch uint64
	path  string
}

// maxPast bounds how many rotations back a stream's tail can be read.
const maxPast = 8

// due says that the open file is to be rotated.
func (k *sink) due(now time.Time) bool {
	p, t := k.policy.Load(), &k.turn
	if k.off == 0 || now.Before(t.wait) {
		return false
	}
	if t.born.IsZero() {
		t.born = now
	}
	return t.asked || p.MaxSize > 0 && k.off >= p.MaxSize || p.Every > 0 && now.Sub(t.born) >= p.Every
}

// overdue says that the line that would have to end before the rotation is longer
// than any line may be.
func (k *sink) overdue() bool {
	p := k.policy.Load()
	return p.MaxSize > 0 && k.off >= p.MaxSize+MaxLine
}

// room limits a batch to what fits before the rotation.
func (k *sink) room(limit int64) int64 {
	if p := k.policy.Load(); p.MaxSize > k.off {
		return min(limit, p.MaxSize-k.off)
	}
	return limit
}

// rotate renames the file away and closes it. After a failure the file is written
// on: a long log is better than none.
func (k *sink) rotate(now time.Time) {
	at, err := k.nextStamp(now)
	to := archiveName(k.path, at)
	if err == nil {
		k.closeFile() // before the renaming: where a file is open, some systems refuse
		err = os.Rename(k.path, to)
	}
	if err != nil {
		k.turn.wait = now.Add(rotateRetry)
		k.stats.Errors++
		k.pump.log.Warn("Cannot rotate a log file", "path", k.path, "err", err)
		return
	}
	k.index.rename(k.path, to)
	k.turn.past = append(k.turn.past, past{k.epoch, to})
	k.turn.past = k.turn.past[max(0, len(k.turn.past)-maxPast):]
	k.turn.asked, k.turn.born, k.turn.last = false, time.Time{}, at
	k.epoch++
	k.id, k.off = FileID{}, 0
	k.stats.Rotations++
	k.pump.keeper.look(k.path, *k.policy.Load())
}

// nextStamp is a time for an archive's name: now, but after every other archive of
// the file, also when the clock was set back.
func (k *sink) nextStamp(now time.Time) (time.Time, error) {
	if k.turn.last.IsZero() {
		list, err := archivesOf(k.path)
		if err != nil {
			return time.Time{}, err
		}
		if len(list) > 0 {
			k.turn.last = list[len(list)-1].at
		}
	}
	at := now.UTC().Truncate(time.Microsecond)
	if !at.After(k.turn.last) {
		at = k.turn.last.Add(time.Microsecond)
	}
	return at, nil
}

// Rotate asks for the rotation of attached files, for schedules: at once where the
// file ends with a whole line, else with the end of that line. Empty files stay.
func (p *Pump) Rotate(paths ...string) {
	for _, path := range paths {
		if k := p.sinkOf(path); k != nil {
			k.rotateSoon(time.Now())
		}
	}
}

func (k *sink) rotateSoon(now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.turn.asked = true
	if k.ready(now) == nil && k.due(now) && !k.midLine() {
		k.rotate(now)
	}
	if k.off == 0 {
		k.turn.asked = false
	}
}

// pathOf returns the file of an epoch; "" when it is out of sight.
func (k *sink) pathOf(epoch uint64) string {
	if epoch == k.epoch {
		return k.path
	}
	for _, p := range k.turn.past {
		if p.epoch == epoch {
			return p.path
		}
	}
	return ""
}

// removeAll removes files; those that are gone already are no failure.
func removeAll(paths ...string) error {
	var errs []error
	for _, p := range paths {
		if err := os.Remove(p); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
