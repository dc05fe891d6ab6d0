// Package store keeps what must outlive the daemon in one bbolt file: what the
// user wants to run (intents), where each instance stood last (observations),
// what happened (a bounded event log) and named snapshots.
//
// There is one write path. Intents go through [DB.Update]: one goroutine groups
// concurrent callers into one transaction, and a caller returns only after the
// commit is on disk. Observations ([DB.Observe], [DB.Log]) stay in memory and
// are written together at most once a second.
//
// The lock that bbolt holds on the file is the single-instance lock of a home.
package store

import (
	"cmp"
	"errors"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"gpm/app"
)

// Options tune a store. The zero value is ready to use.
type Options struct {
	// Timeout is how long Open waits for another process's lock; 0 tries once.
	Timeout time.Duration
	// MaxEvents and MaxBytes bound the event log; 0 means 10,000 events and 8 MiB.
	MaxEvents int
	MaxBytes  int64
	// FlushEvery is the least time between two writes of observations; 0 means one second.
	FlushEvery time.Duration
	// Flushed is called by the writer after a flush: every logged event up to
	// this Seq is on disk. It must not call back into the store.
	Flushed func(upTo uint64)
}

func (o Options) withDefaults() Options {
	o.Timeout = max(o.Timeout, 1) // bbolt takes 0 for "wait for ever"
	o.MaxEvents = cmp.Or(o.MaxEvents, 10_000)
	o.MaxBytes = cmp.Or(o.MaxBytes, 8<<20)
	o.FlushEvery = cmp.Or(o.FlushEvery, time.Second)
	return o
}

// DB is an open store. All methods are safe for concurrent use.
type DB struct {
	path  string
	opts  Options
	bolt  *bbolt.DB
	obs   *observations
	calls chan call     // to the writer
	dirty chan struct{} // holds a token while observations wait
	quit  chan struct{} // closed by Close
	done  chan struct{} // closed by the writer as it ends
	close sync.Once
	err   error // of Close
}

// Open opens the store at path and creates it when there is none. Its errors are
// *app.Error: ErrConflict when another process has it open, else ErrStorage. A
// file that is damaged or of a newer schema is left as it is.
func Open(path string, opts Options) (*DB, error) {
	return open(path, opts, migrations)
}

func open(path string, opts Options, steps []migration) (*DB, error) {
	opts = opts.withDefaults()
	if err := create(path, steps); err != nil {
		return nil, openError(path, err)
	}
	if err := inspect(path, opts.Timeout, len(steps)); err != nil {
		return nil, openError(path, err)
	}
	bolt, err := bbolt.Open(path, fileMode, boltOptions(opts.Timeout))
	if err != nil {
		return nil, openError(path, err)
	}
	db := &DB{
		path: path, opts: opts, bolt: bolt,
		calls: make(chan call), dirty: make(chan struct{}, 1),
		quit: make(chan struct{}), done: make(chan struct{}),
	}
	if err := db.prepare(steps); err != nil {
		return nil, openError(path, errors.Join(err, bolt.Close()))
	}
	go db.write()
	return db, nil
}

// prepare brings the file to today's schema and reads what is kept in memory.
func (db *DB) prepare(steps []migration) error {
	if err := db.migrate(steps); err != nil {
		return err
	}
	return db.bolt.View(func(tx *bbolt.Tx) error {
		db.obs = newObservations(tx.Bucket(eventsBucket), db.opts)
		return nil
	})
}

// Schema is the schema version that this program writes.
func Schema() int { return len(migrations) }

// Path returns the file's path as given to Open.
func (db *DB) Path() string { return db.path }

// Close writes what waits, ends the writer and releases the lock. A flush that
// fails is its error; the file is closed all the same.
func (db *DB) Close() error {
	db.close.Do(func() {
		close(db.quit)
		<-db.done
		db.err = errors.Join(db.err, db.bolt.Close())
	})
	return db.err
}

// errClosed answers calls after Close.
func errClosed() error {
	return app.Errorf(app.CodeStorage, "cannot use the store: it is closed")
}
