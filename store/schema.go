package store

import (
	"fmt"
	"os"

	"go.etcd.io/bbolt"
)

// migration brings the file from one schema version to the next.
type migration func(*bbolt.Tx) error

// migrations[i] leads from version i to i+1; their number is today's version.
var migrations = []migration{createBuckets}

func createBuckets(tx *bbolt.Tx) error {
	for _, name := range [][]byte{metaBucket, appsBucket, statusBucket, eventsBucket, snapshotsBucket} {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return err
		}
	}
	return nil
}

// schemaOf reads the version; a file without any is 0, which only creation sees.
func schemaOf(tx *bbolt.Tx) (version int, err error) {
	b := tx.Bucket(metaBucket)
	if b == nil {
		return 0, nil
	}
	v := b.Get(schemaKey)
	if v == nil {
		return 0, fmt.Errorf("its schema version is missing: %w", errDamaged)
	}
	return version, decode(schemaKey, v, &version)
}

// apply runs the steps from version on, within tx.
func apply(tx *bbolt.Tx, steps []migration, version int) error {
	for i := version; i < len(steps); i++ {
		if err := steps[i](tx); err != nil {
			return fmt.Errorf("cannot migrate from schema version %d: %w", i, err)
		}
	}
	return put(tx.Bucket(metaBucket), schemaKey, len(steps))
}

// migrate brings an older file up to date, all steps in one transaction, after
// a copy of it was kept beside it.
func (db *DB) migrate(steps []migration) error {
	var version int
	err := db.bolt.View(func(tx *bbolt.Tx) (err error) {
		version, err = schemaOf(tx)
		return err
	})
	if err != nil || version == len(steps) {
		return err
	}
	return db.bolt.Update(func(tx *bbolt.Tx) error {
		if err := tx.CopyFile(backupOf(db.path, version), fileMode); err != nil {
			return fmt.Errorf("cannot keep a copy before the migration: %w", err)
		}
		return apply(tx, steps, version)
	})
}

// initialise makes a new, empty file.
func initialise(path string, steps []migration) error {
	db, err := bbolt.Open(path, fileMode, boltOptions(1))
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bbolt.Tx) error { return apply(tx, steps, 0) })
	if cerr := db.Close(); err == nil {
		err = cerr
	}
	return err
}

// fileMode: the file holds environments, so secrets.
const fileMode os.FileMode = 0o600
