package store

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	bolterrors "go.etcd.io/bbolt/errors"

	"gpm/app"
)

// newerSchema says that a later gpm wrote the file.
type newerSchema struct{ found, known int }

func (e newerSchema) Error() string {
	return fmt.Sprintf("its schema version is %d, and this gpm knows versions up to %d", e.found, e.known)
}

func (newerSchema) Is(target error) bool { return target == ErrNewer }

// openError turns what Open met into a sentence that names the file.
func openError(path string, err error) error {
	newer, isNewer := errors.AsType[newerSchema](err)
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return app.Errorf(app.CodeConflict, "cannot open %s: another gpm daemon has it open", path).
			WithHint("one daemon serves a home; gpm ping asks it, gpm kill ends it")
	case isNewer:
		return app.Errorf(app.CodeStorage, "cannot use %s: %w", path, newer).
			WithHint("upgrade gpm, or point GPM_HOME at another directory")
	case isDamage(err):
		return app.Errorf(app.CodeStorage, "cannot use %s: the file is damaged: %w", path, err).
			WithHint("it was left as it is; to start with an empty list move it away: mv %s %s.damaged", path, path)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return app.Errorf(app.CodeStorage, "cannot open %s for writing: %w", path, err).
			WithHint("the file and its directory must be writable for the user who runs gpm")
	case isFull(err):
		return app.Errorf(app.CodeStorage, "cannot open %s: %w", path, err).WithHint("free some space on that disk")
	}
	return app.Errorf(app.CodeStorage, "cannot open %s: %w", path, err)
}

func isDamage(err error) bool {
	for _, target := range []error{errDamaged, bolterrors.ErrInvalid, bolterrors.ErrChecksum, bolterrors.ErrVersionMismatch} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// writeError says that an intent was not kept.
func (db *DB) writeError(err error) error {
	switch {
	case err == nil:
		return nil
	case isFull(err):
		return app.Errorf(app.CodeStorage, "cannot save to %s: %w", db.path, err).
			WithHint("nothing was changed; free some space on that disk and repeat the command")
	}
	return app.Errorf(app.CodeStorage, "cannot save to %s: %w", db.path, err)
}

func (db *DB) readError(err error) error {
	if err == nil {
		return nil
	}
	return app.Errorf(app.CodeStorage, "cannot read %s: %w", db.path, err)
}
