package store

import (
	"bytes"
	"strings"

	"go.etcd.io/bbolt"

	"gpm/app"
)

// eventLog knows the size of the stored log, so that keeping it bounded needs no
// look at what is there.
type eventLog struct {
	opts   Options
	newest uint64
	count  int
	bytes  int64
	byID   map[int]int
	stale  bool // the counts are of a transaction that failed
}

const (
	// spared is how many events each instance keeps while others fill the log.
	spared = 50
	// maxEventSize bounds one stored event; an app may print anything as its last lines.
	maxEventSize = 64 << 10
)

func scanEvents(b *bbolt.Bucket, opts Options) *eventLog {
	l := &eventLog{opts: opts, byID: map[int]int{}}
	c := b.Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		l.tally(k, len(v), 1)
	}
	return l
}

// tally adds an entry to the counts, or takes it out when sign is -1.
func (l *eventLog) tally(key []byte, size, sign int) {
	seq, id := splitEventKey(key)
	l.newest = max(l.newest, seq)
	l.count += sign
	l.bytes += int64(sign * (len(key) + size))
	l.byID[id] += sign
	if l.byID[id] == 0 {
		delete(l.byID, id)
	}
}

// add stores events and then forgets old ones as far as the bounds ask for it.
func (l *eventLog) add(b *bbolt.Bucket, events []app.Event) error {
	if l.stale {
		*l = *scanEvents(b, l.opts)
	}
	b.FillPercent = 0.95 // keys only grow
	for _, ev := range events {
		if err := l.put(b, ev); err != nil {
			return err
		}
	}
	for _, spare := range []int{spared, 0} { // the second is for a log that consists of spared ones
		if !l.tooBig(1) {
			return nil
		}
		if err := l.trim(b, spare); err != nil {
			return err
		}
	}
	return nil
}

func (l *eventLog) put(b *bbolt.Bucket, ev app.Event) error {
	key := eventKey(ev.Seq, ev.ID)
	value, err := encode(key, ev)
	if err == nil && len(value) > maxEventSize {
		value, err = encode(key, shorten(ev))
	}
	if err != nil {
		return err
	}
	if old := b.Get(key); old != nil {
		l.tally(key, len(old), -1)
	}
	l.tally(key, len(value), 1)
	return b.Put(key, value)
}

// shorten keeps the last lines of an event that are worth a third of the bound:
// JSON may double or triple their size.
func shorten(ev app.Event) app.Event {
	room := maxEventSize / 3
	from := len(ev.Lines)
	for from > 0 && room >= len(ev.Lines[from-1]) {
		from--
		room -= len(ev.Lines[from])
	}
	ev.Lines = ev.Lines[from:]
	ev.Reason = strings.ToValidUTF8(ev.Reason[:min(len(ev.Reason), 1024)], "")
	return ev
}

// tooBig says whether the log is above a part of its bounds.
func (l *eventLog) tooBig(part float64) bool {
	return float64(l.count) > part*float64(l.opts.MaxEvents) || float64(l.bytes) > part*float64(l.opts.MaxBytes)
}

// trim forgets the oldest events until nine tenths are left, so that it is seldom
// needed, and spares the last ones of each instance.
func (l *eventLog) trim(b *bbolt.Bucket, spare int) error {
	var keys [][]byte
	c := b.Cursor()
	for k, v := c.First(); k != nil && l.tooBig(0.9); k, v = c.Next() {
		if _, id := splitEventKey(k); l.byID[id] > spare {
			keys = append(keys, bytes.Clone(k))
			l.tally(k, len(v), -1)
		}
	}
	for _, k := range keys { // not in the loop above: it would move the cursor
		if err := b.Delete(k); err != nil {
			return err
		}
	}
	return nil
}
