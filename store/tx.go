package store

import (
	"time"

	"go.etcd.io/bbolt"

	"gpm/app"
)

// App is one intent: what to run, and how many of it with which goal.
type App struct {
	Key       uint64     `json:"key"` // from NextKeys, never used twice
	Spec      app.Spec   `json:"spec"`
	Created   time.Time  `json:"created"`
	Instances []Instance `json:"instances"`
}

// Instance is one process that an App wants.
type Instance struct {
	ID   int      `json:"id"` // from NextIDs
	Slot int      `json:"slot"`
	Goal app.Goal `json:"goal"`
}

// Tx is a change in progress. It is valid only inside the function given to Update.
type Tx struct {
	b    *bbolt.Tx
	gone []int // ids of deleted instances: their statuses must not come back
}

// Apps returns every app in the order of their keys.
func (tx *Tx) Apps() ([]App, error) { return readApps(tx.b) }

// Put writes apps; one of the same key is replaced.
func (tx *Tx) Put(apps ...App) error {
	b := tx.b.Bucket(appsBucket)
	for _, a := range apps {
		if err := put(b, key64(a.Key), a); err != nil {
			return err
		}
	}
	return nil
}

// Delete removes apps and the last statuses of their instances; an unknown key is no
// error. When no app is left the instance ids start again at 0, as pm2's do.
func (tx *Tx) Delete(keys ...uint64) error {
	b := tx.b.Bucket(appsBucket)
	for _, key := range keys {
		if err := tx.deleteApp(b, key64(key)); err != nil {
			return err
		}
	}
	if k, _ := b.Cursor().First(); k != nil {
		return nil
	}
	return put(tx.b.Bucket(metaBucket), nextIDKey, 0)
}

func (tx *Tx) deleteApp(b *bbolt.Bucket, key []byte) error {
	v := b.Get(key)
	if v == nil {
		return nil
	}
	var a App
	if err := decode(key, v, &a); err != nil {
		return err
	}
	for _, in := range a.Instances {
		tx.gone = append(tx.gone, in.ID)
		if err := tx.b.Bucket(statusBucket).Delete(key64(uint64(in.ID))); err != nil {
			return err
		}
	}
	return b.Delete(key)
}

// NextKeys reserves n app keys, counted from 1, and returns them.
func (tx *Tx) NextKeys(n int) ([]uint64, error) {
	first, err := tx.reserve(nextKeyKey, n)
	keys := make([]uint64, n)
	for i := range keys {
		keys[i] = first + 1 + uint64(i)
	}
	return keys, err
}

// NextIDs reserves n instance ids, counted from 0, and returns them. The counter
// lives in the file and starts again only when Delete removes the last app; so put the
// apps that take the ids in the same Update.
func (tx *Tx) NextIDs(n int) ([]int, error) {
	first, err := tx.reserve(nextIDKey, n)
	ids := make([]int, n)
	for i := range ids {
		ids[i] = int(first) + i
	}
	return ids, err
}

// reserve raises a counter by n and returns what it was.
func (tx *Tx) reserve(name []byte, n int) (uint64, error) {
	b := tx.b.Bucket(metaBucket)
	var was uint64
	if v := b.Get(name); v != nil {
		if err := decode(name, v, &was); err != nil {
			return 0, err
		}
	}
	return was, put(b, name, was+uint64(n))
}

// Apps returns every app in the order of their keys.
func (db *DB) Apps() (apps []App, err error) {
	err = db.bolt.View(func(tx *bbolt.Tx) error {
		apps, err = readApps(tx)
		return err
	})
	return apps, db.readError(err)
}

// Put writes apps and returns once they are on disk.
func (db *DB) Put(apps ...App) error {
	return db.Update(func(tx *Tx) error { return tx.Put(apps...) })
}

// Delete removes apps and returns once that is on disk; see [Tx.Delete].
func (db *DB) Delete(keys ...uint64) error {
	return db.Update(func(tx *Tx) error { return tx.Delete(keys...) })
}

func readApps(tx *bbolt.Tx) ([]App, error) {
	var apps []App
	err := tx.Bucket(appsBucket).ForEach(func(k, v []byte) error {
		var a App
		if err := decode(k, v, &a); err != nil {
			return err
		}
		apps = append(apps, a)
		return nil
	})
	return apps, err
}
