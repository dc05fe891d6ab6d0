package store

import (
	"time"

	"go.etcd.io/bbolt"
)

// maxBatch bounds how many callers share one transaction, so that the first
// of them does not wait for an endless queue.
const maxBatch = 1000

// call is one change on its way to the writer. A nil fn asks for a flush only.
type call struct {
	fn    func(*Tx) error
	reply chan error // buffered, so that the writer never waits
}

// Update runs fn in a transaction and returns once the change is on disk. When
// fn or the commit fails nothing of it is kept. Callers that come together share a
// transaction, and fn runs again when one of the others fails: it must have no other effect
// than through tx and on variables it sets anew each time.
func (db *DB) Update(fn func(*Tx) error) error { return db.send(fn) }

// Flush writes the observations that wait, now.
func (db *DB) Flush() error { return db.send(nil) }

func (db *DB) send(fn func(*Tx) error) error {
	c := call{fn: fn, reply: make(chan error, 1)}
	select {
	case db.calls <- c:
		return <-c.reply
	case <-db.quit:
		return errClosed()
	}
}

// write is the one goroutine that changes the file. A timer runs only while
// observations wait.
func (db *DB) write() {
	defer close(db.done)
	var due <-chan time.Time
	for {
		select {
		case c := <-db.calls:
			db.handle(db.gather(c))
		case <-db.dirty:
			if due == nil { // else it would move on and on
				due = time.After(db.opts.FlushEvery)
			}
		case <-due:
			due = nil
			if db.flush() != nil {
				db.markDirty() // try again after the same pause
			}
		case <-db.quit:
			db.err = db.flush()
			return
		}
	}
}

// gather adds the callers that wait at this moment to the first one.
func (db *DB) gather(first call) []call {
	batch := []call{first}
	for len(batch) < maxBatch {
		select {
		case c := <-db.calls:
			batch = append(batch, c)
		default:
			return batch
		}
	}
	return batch
}

// handle answers every call of a batch.
func (db *DB) handle(batch []call) {
	var changes []call
	for _, c := range batch {
		if c.fn == nil {
			c.reply <- db.flush()
		} else {
			changes = append(changes, c)
		}
	}
	for len(changes) > 0 {
		changes = db.commit(changes)
	}
}

// commit runs the changes in one transaction. One that fails is answered and
// rolls the transaction back; the others are returned to be run again.
func (db *DB) commit(changes []call) (again []call) {
	failed := -1
	var gone []int
	err := db.bolt.Update(func(b *bbolt.Tx) error {
		tx := &Tx{b: b}
		for i, c := range changes {
			if err := c.fn(tx); err != nil {
				failed = i
				return err
			}
		}
		gone = tx.gone
		return nil
	})
	if failed >= 0 {
		changes[failed].reply <- err
		return append(changes[:failed:failed], changes[failed+1:]...)
	}
	if err == nil {
		db.obs.dropDeleted(gone)
	}
	for _, c := range changes {
		c.reply <- db.writeError(err)
	}
	return nil
}
