package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"

	"gpm/app"
)

// Backup writes a copy of the store as it is at one moment; a file that is there is replaced.
func (db *DB) Backup(path string) error {
	err := db.bolt.View(func(tx *bbolt.Tx) error { return tx.CopyFile(path, fileMode) })
	if err != nil {
		return app.Errorf(app.CodeStorage, "cannot copy %s: %w", db.path, err).WithHint("free some space on that disk, or see who may write to it")
	}
	return nil
}

// ErrNewer is among the causes of an Open that met a file of a later gpm.
var ErrNewer = errors.New("a later gpm wrote it")

// backupOf is where the copy is kept that a migration from a schema version began with.
func backupOf(path string, schema int) string { return fmt.Sprintf("%s.schema-%d", path, schema) }

// Restore puts the copy back with which a later gpm began its migration from today's schema; what that one wrote is kept
// beside it, as .newer. Nobody may have the file open.
func Restore(path string) error {
	backup := backupOf(path, len(migrations))
	if err := inspect(backup, 1, len(migrations)); err != nil {
		return openError(backup, err)
	}
	if err := errors.Join(os.Rename(path, path+".newer"), os.Rename(backup, path), syncDir(filepath.Dir(path))); err != nil {
		return app.Errorf(app.CodeStorage, "cannot put %s back: %w", backup, err)
	}
	return nil
}
