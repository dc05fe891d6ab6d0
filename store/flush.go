package store

import (
	"maps"
	"slices"
	"time"

	"go.etcd.io/bbolt"
)

// flush writes what waits in one transaction. What could not be written goes on
// waiting. Only the writer calls it.
func (db *DB) flush() error {
	l := db.obs.begin()
	if l.size() == 0 {
		return nil
	}
	log := db.obs.log
	err := db.bolt.Update(func(tx *bbolt.Tx) error {
		if err := l.writeStatuses(tx.Bucket(statusBucket)); err != nil {
			return err
		}
		return log.add(tx.Bucket(eventsBucket), l.events)
	})
	log.stale = err != nil // its counts speak of a file that was not written
	db.obs.end(err)
	if err != nil {
		return db.writeError(err)
	}
	if len(l.events) > 0 && db.opts.Flushed != nil {
		db.opts.Flushed(log.newest)
	}
	return nil
}

// begin moves what waits to flushing and returns it.
func (o *observations) begin() layer {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.flushing, o.now = o.now, newLayer()
	return o.flushing
}

// end forgets what was flushed, or puts it back under what came meanwhile.
func (o *observations) end(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err == nil {
		o.health.Err, o.health.Since = nil, time.Time{}
	} else {
		o.now = o.now.over(o.flushing)
		o.dropOldest()
		if o.health.Err == nil {
			o.health.Since = time.Now()
		}
		o.health.Err = err
	}
	o.flushing = newLayer()
}

// dropDeleted takes back the statuses of instances whose app was deleted just
// now; on disk they are gone already.
func (o *observations) dropDeleted(ids []int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, id := range ids {
		delete(o.now.statuses, id)
	}
}

func (l layer) writeStatuses(b *bbolt.Bucket) error {
	for id := range l.gone {
		if err := b.Delete(key64(uint64(id))); err != nil {
			return err
		}
	}
	// In the order of the keys, for neighbours share pages.
	for _, id := range slices.Sorted(maps.Keys(l.statuses)) {
		if err := put(b, key64(uint64(id)), l.statuses[id]); err != nil {
			return err
		}
	}
	return nil
}
