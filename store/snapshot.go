package store

import (
	"time"

	"go.etcd.io/bbolt"

	"gpm/app"
)

// Snapshot is a named copy of the list, what `save` makes and `resurrect` reads.
type Snapshot struct {
	Name  string    `json:"name"`
	Saved time.Time `json:"saved"`
	Apps  []App     `json:"apps"`
}

// SaveSnapshot keeps apps under a name; an older snapshot of that name is
// replaced. It returns once that is on disk.
func (db *DB) SaveSnapshot(name string, apps []App) error {
	if name == "" {
		return app.Errorf(app.CodeInvalid, "cannot save a snapshot without a name")
	}
	s := Snapshot{Name: name, Saved: time.Now(), Apps: apps}
	return db.Update(func(tx *Tx) error { return put(tx.b.Bucket(snapshotsBucket), []byte(name), s) })
}

// Snapshot returns a snapshot, or ErrNotFound.
func (db *DB) Snapshot(name string) (Snapshot, error) {
	var s Snapshot
	found := false
	err := db.bolt.View(func(tx *bbolt.Tx) error {
		v := tx.Bucket(snapshotsBucket).Get([]byte(name))
		if found = v != nil; !found {
			return nil
		}
		return decode([]byte(name), v, &s)
	})
	if err == nil && !found {
		return s, app.Errorf(app.CodeNotFound, "cannot find a snapshot named %q", name).WithHint("gpm save makes one")
	}
	return s, db.readError(err)
}

// Snapshots returns all snapshots in the order of their names.
func (db *DB) Snapshots() ([]Snapshot, error) {
	var all []Snapshot
	err := db.bolt.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(snapshotsBucket).ForEach(func(k, v []byte) error {
			var s Snapshot
			err := decode(k, v, &s)
			all = append(all, s)
			return err
		})
	})
	return all, db.readError(err)
}
