package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
)

// create makes the file when there is none. It is built under another name and
// linked, so that nobody ever sees half a file, and of several processes that create it
// at once one wins and the others open the winner's.
func create(path string, steps []migration) error {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	if err := errors.Join(temp.Chmod(fileMode), temp.Close()); err != nil {
		return err
	}
	if err := initialise(temp.Name(), steps); err != nil {
		return err
	}
	if err := publish(temp.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// publish gives a finished file its name. Where the file system has no hard links
// it renames, which is safe against crashes though not against a second creator.
func publish(temp, path string) error {
	err := os.Link(temp, path)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return nil
	}
	return os.Rename(temp, path)
}

// inspect reads the whole file under a shared lock, before anything that could
// write to it, follow its page numbers or trust its values.
func inspect(path string, timeout time.Duration, known int) error {
	if err := checkKind(path); err != nil {
		return err
	}
	opts := *boltOptions(timeout)
	opts.ReadOnly = true // maps the file and reads the two meta pages only
	db, err := bbolt.Open(path, fileMode, &opts)
	if err != nil {
		return err
	}
	defer db.Close()
	image, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := verify(image); err != nil {
		return err
	}
	return db.View(func(tx *bbolt.Tx) error { return checkSchema(tx, known) })
}

// checkKind refuses what is no database before bbolt sees it: a directory, and an
// empty file, which bbolt would take for a new one.
func checkKind(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("it is not a regular file: %w", errDamaged)
	case info.Size() < 2*minPageSize:
		return fmt.Errorf("it has %d bytes only: %w", info.Size(), errDamaged)
	}
	return nil
}

func checkSchema(tx *bbolt.Tx, known int) error {
	version, err := schemaOf(tx)
	switch {
	case err != nil:
		return err
	case version > known:
		return newerSchema{version, known}
	case version < 1:
		return fmt.Errorf("it is not a gpm database: %w", errDamaged)
	}
	for _, name := range [][]byte{metaBucket, appsBucket, statusBucket, eventsBucket, snapshotsBucket} {
		if tx.Bucket(name) == nil {
			return fmt.Errorf("its bucket %q is missing: %w", name, errDamaged)
		}
	}
	return nil
}

// minPageSize is the smallest page of a machine that gpm runs on.
const minPageSize = 4096

// boltOptions leave the free list out of the file: it is found again from the
// tree, so there is one thing less to write and to be damaged.
func boltOptions(timeout time.Duration) *bbolt.Options {
	return &bbolt.Options{Timeout: timeout, NoFreelistSync: true, FreelistType: bbolt.FreelistMapType, NoStatistics: true}
}
