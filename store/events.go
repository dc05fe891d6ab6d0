package store

import (
	"cmp"
	"slices"

	"go.etcd.io/bbolt"

	"gpm/app"
)

// Events returns the newest limit events after since, oldest first, those that are
// not flushed yet included. A limit of 0 or less means all.
func (db *DB) Events(since uint64, limit int) ([]app.Event, error) {
	waiting := db.obs.waiting().events // before the disk: what is flushed meanwhile is in both
	waiting = slices.DeleteFunc(waiting, func(e app.Event) bool { return e.Seq <= since })
	stored, err := db.collect(func(seq uint64, _, found int) verdict {
		if seq <= since || limit > 0 && found >= limit {
			return stop
		}
		return take
	}, nil)
	if err != nil {
		return nil, err
	}
	all := mergeEvents(stored, waiting)
	if limit > 0 && len(all) > limit {
		all = all[len(all)-limit:]
	}
	return all, nil
}

// History returns the newest limit events of each of the instances, oldest first.
// What an earlier owner of an id left before its delete is not part of it. A limit
// of 0 or less means all.
func (db *DB) History(ids []int, limit int) ([]app.Event, error) {
	waiting := db.obs.waiting().events
	q := newQuota(ids, limit)
	stored, err := db.collect(func(_ uint64, id, _ int) verdict { return q.want(id) }, q.accept)
	if err != nil {
		return nil, err
	}
	all := mergeEvents(stored, waiting)
	q = newQuota(ids, limit)
	var kept []app.Event
	for _, ev := range slices.Backward(all) {
		if q.want(ev.ID) == take && q.accept(ev) {
			kept = append(kept, ev)
		}
	}
	slices.Reverse(kept)
	return kept, nil
}

// quota counts how many more events each instance may give.
type quota map[int]int

func newQuota(ids []int, limit int) quota {
	if limit <= 0 {
		limit = int(^uint(0) >> 1)
	}
	q := quota{}
	for _, id := range ids {
		q[id] = limit
	}
	return q
}

func (q quota) want(id int) verdict {
	switch {
	case len(q) == 0:
		return stop
	case q[id] > 0:
		return take
	}
	return skip
}

// accept takes an event, newest first; the delete of an earlier owner ends the search for its id.
func (q quota) accept(ev app.Event) bool {
	q[ev.ID]--
	if ev.Kind == app.EventDelete {
		delete(q, ev.ID)
		return false
	}
	if q[ev.ID] == 0 {
		delete(q, ev.ID)
	}
	return true
}

// verdict is what to do with a stored event, decided by its key alone.
type verdict int

const (
	skip verdict = iota
	take
	stop
)

// collect walks the stored events from the newest back and returns those taken,
// oldest first. A nil accept accepts all.
func (db *DB) collect(want func(seq uint64, id, found int) verdict, accept func(app.Event) bool) ([]app.Event, error) {
	var found []app.Event
	err := db.bolt.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket(eventsBucket).Cursor()
		for k, v := c.Last(); k != nil; k, v = c.Prev() {
			seq, id := splitEventKey(k)
			switch want(seq, id, len(found)) {
			case stop:
				return nil
			case skip:
				continue
			}
			var ev app.Event
			if err := decode(k, v, &ev); err != nil {
				return err
			}
			if accept == nil || accept(ev) {
				found = append(found, ev)
			}
		}
		return nil
	})
	slices.Reverse(found)
	return found, db.readError(err)
}

// mergeEvents puts events in the order of Seq; of two with the same the later is kept.
func mergeEvents(older, newer []app.Event) []app.Event {
	all := slices.Concat(older, newer)
	slices.Reverse(all) // so that the later comes first, where CompactFunc keeps it
	slices.SortStableFunc(all, func(a, b app.Event) int { return cmp.Compare(a.Seq, b.Seq) })
	return slices.CompactFunc(all, func(a, b app.Event) bool { return a.Seq == b.Seq })
}
