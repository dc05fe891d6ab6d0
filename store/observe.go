package store

import (
	"maps"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"gpm/app"
)

// observations is what is known and not on disk yet. A flush moves it from now
// to flushing, so that readers see all of it all the time.
type observations struct {
	mu       sync.Mutex
	seq      uint64 // of the newest event
	now      layer
	flushing layer
	limit    int // most events that may wait
	health   Health

	log *eventLog // the writer's alone; the lock does not guard it
}

// layer is a set of observations that hides what is below it. An id is in
// statuses or in gone, never in both.
type layer struct {
	events   []app.Event // in the order they came
	statuses map[int]app.Status
	gone     map[int]bool // ids whose status has to be removed
}

func newLayer() layer { return layer{statuses: map[int]app.Status{}, gone: map[int]bool{}} }

func (l *layer) size() int { return len(l.events) + len(l.statuses) + len(l.gone) }

func (l *layer) observe(st app.Status) {
	delete(l.gone, st.ID)
	l.statuses[st.ID] = st
}

func (l *layer) forget(id int) {
	delete(l.statuses, id)
	l.gone[id] = true
}

// over returns top laid over bottom; neither is changed.
func (top layer) over(bottom layer) layer {
	sum := newLayer()
	for _, l := range []layer{bottom, top} {
		sum.events = append(sum.events, l.events...)
		for _, st := range l.statuses {
			sum.observe(st)
		}
		for id := range l.gone {
			sum.forget(id)
		}
	}
	return sum
}

// Health says how the writing of observations goes.
type Health struct {
	Err     error     // of the last flush; nil when it worked
	Since   time.Time // when flushing began to fail
	Waiting int       // events and statuses in memory
	Dropped uint64    // events lost since Open because too many waited
}

func newObservations(events *bbolt.Bucket, opts Options) *observations {
	log := scanEvents(events, opts)
	return &observations{seq: log.newest, limit: opts.MaxEvents, log: log, now: newLayer(), flushing: newLayer()}
}

// Observe notes where an instance stands; only its latest status is written. A
// status with goal Gone removes the instance's. It never waits for the disk.
func (db *DB) Observe(st app.Status) {
	st.Usage = nil // a sample, of no use to a later daemon
	db.change(func(o *observations) {
		if st.Goal == app.Gone {
			o.now.forget(st.ID)
		} else {
			o.now.observe(st)
		}
	})
}

// Forget removes the last statuses of instances that are no more.
func (db *DB) Forget(ids ...int) {
	db.change(func(o *observations) {
		for _, id := range ids {
			o.now.forget(id)
		}
	})
}

// NextSeq reserves the sequence number of an event that is logged later.
func (db *DB) NextSeq() uint64 {
	db.obs.mu.Lock()
	defer db.obs.mu.Unlock()
	db.obs.seq++
	return db.obs.seq
}

// Log adds an event and returns its Seq: the next one when ev has none. An event
// that was logged before under the same Seq is replaced. It never waits for the disk.
func (db *DB) Log(ev app.Event) uint64 {
	db.change(func(o *observations) {
		if ev.Seq == 0 {
			ev.Seq = o.seq + 1
		}
		o.seq = max(o.seq, ev.Seq)
		o.now.events = append(o.now.events, ev)
		o.dropOldest()
	})
	return ev.Seq
}

// change alters the observations and wakes the writer unless it knows already.
func (db *DB) change(f func(*observations)) {
	db.obs.mu.Lock()
	f(db.obs)
	db.obs.mu.Unlock()
	db.markDirty()
}

func (db *DB) markDirty() {
	select {
	case db.dirty <- struct{}{}:
	default:
	}
}

// dropOldest bounds what a disk that stays full costs in memory.
func (o *observations) dropOldest() {
	if n := len(o.now.events) - o.limit; n > 0 {
		// The rest stays at its place: the slice grows in steps, so the copy is seldom.
		o.now.events = o.now.events[n:]
		o.health.Dropped += uint64(n)
	}
}

// Health reports on the writing of observations.
func (db *DB) Health() Health {
	o := db.obs
	o.mu.Lock()
	defer o.mu.Unlock()
	h := o.health
	h.Waiting = o.now.size() + o.flushing.size()
	return h
}

// Statuses returns the latest status of each instance by id, those that wait
// included. An id is used again once the list was empty: compare Status.App.
func (db *DB) Statuses() (map[int]app.Status, error) {
	waiting := db.obs.waiting() // before the disk: what is flushed meanwhile is in both
	all := map[int]app.Status{}
	err := db.bolt.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(statusBucket).ForEach(func(k, v []byte) error {
			var st app.Status
			err := decode(k, v, &st)
			all[st.ID] = st
			return err
		})
	})
	if err != nil {
		return nil, db.readError(err)
	}
	maps.DeleteFunc(all, func(id int, _ app.Status) bool { return waiting.gone[id] })
	maps.Copy(all, waiting.statuses)
	return all, nil
}

// waiting returns all that is not on disk.
func (o *observations) waiting() layer {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.now.over(o.flushing)
}
