package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"gpm/app"
	"gpm/master"
	"gpm/store"
)

// upgrade is what a daemon knows of one program taking the place of another.
type upgrade struct {
	one        sync.Mutex    // held while a program is checked
	ready      chan struct{} // gets a token when this daemon is to make way
	rolledBack string        // why the last one failed, if this daemon is there because of that
}

func newUpgrade() upgrade { return upgrade{ready: make(chan struct{}, 1)} }

// selfTestTime bounds what a new program needs to try itself on a copy of the database.
const selfTestTime = time.Minute

// databaseName is the store's file in the home.
const databaseName = "gpm.db"

// postUpgrade checks a program and then makes way for it: the master becomes that program, which starts its own
// daemon. Nothing is touched before the check has passed.
func (d *Daemon) postUpgrade(ctx context.Context, req app.UpgradeRequest) (app.SelfTest, error) {
	if !d.upgrade.one.TryLock() {
		return app.SelfTest{}, app.Errorf(app.CodeConflict, "cannot update: another update is going on")
	}
	defer d.upgrade.one.Unlock()
	if len(master.ReadableTables()) == 0 {
		return app.SelfTest{}, app.Errorf(app.CodeInvalid, "cannot update in place: this system does not allow it").
			WithHint("gpm kill, then gpm resurrect or a start with the new version")
	}
	test, err := d.selfTest(ctx, req.Program)
	if err != nil {
		return test, err
	}
	if err := d.cfg.Host.Upgrade(ctx, req.Program); err != nil {
		return test, app.Errorf(app.CodeInternal, "cannot update: %w", err)
	}
	d.journal.Event(app.Event{Kind: app.EventUpgrade, ID: -1, Reason: fmt.Sprintf("from version %s to %s, %s", app.Version, test.Version, req.Program)})
	select {
	case d.upgrade.ready <- struct{}{}:
	default:
	}
	return test, nil
}

// selfTest has a program try itself on a copy of the database.
func (d *Daemon) selfTest(ctx context.Context, program string) (test app.SelfTest, err error) {
	if !filepath.IsAbs(program) {
		return test, app.Errorf(app.CodeInvalid, "cannot update to %q: the path is not absolute", program)
	}
	dir, err := os.MkdirTemp(d.cfg.Home, "self-test-")
	if err != nil {
		return test, app.Errorf(app.CodeStorage, "cannot copy the database for a self-test: %w", err).WithHint("free some space on that disk")
	}
	defer os.RemoveAll(dir)
	database := filepath.Join(dir, databaseName)
	if err := d.db.Backup(database); err != nil {
		return test, err
	}
	ctx, cancel := context.WithTimeout(ctx, selfTestTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "self-test", "--database", database)
	cmd.Dir, cmd.WaitDelay = "/", time.Second
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return test, refused(program, lastWords(errs.String(), err))
	}
	if err := json.Unmarshal(out.Bytes(), &test); err != nil || test.Version == "" {
		return test, refused(program, "it does not answer as a gpm does")
	}
	if !slices.Contains(test.Tables, slices.Max(master.ReadableTables())) {
		return test, refused(program, fmt.Sprintf("version %s cannot take over the running processes of version %s", test.Version, app.Version))
	}
	return test, nil
}

func refused(program, why string) error {
	return app.Errorf(app.CodeInvalid, "cannot update to %s: %s", program, why).WithHint("nothing was touched; version %s goes on", app.Version)
}

// lastWords is the last line that a program said, or how it ended.
func lastWords(text string, err error) string {
	all := strings.Split(strings.TrimSpace(text), "\n")
	if last := all[len(all)-1]; last != "" {
		return last
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return "its self-test ended with " + exit.String()
	}
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		err = path.Err // the path is said already
	}
	return err.Error()
}

// openStore opens the database, and first puts it back as it was if a later version was given up that had already changed it.
func (d *Daemon) openStore(opt store.Options) (*store.DB, error) {
	path := filepath.Join(d.cfg.Home, databaseName)
	db, err := store.Open(path, opt)
	if !errors.Is(err, store.ErrNewer) || d.failedUpgrade() == "" {
		return db, err
	}
	if err := store.Restore(path); err != nil {
		return nil, err
	}
	return store.Open(path, opt)
}

// failedUpgrade asks the master why an upgrade failed; "" when none did.
func (d *Daemon) failedUpgrade() string {
	ctx, cancel := context.WithTimeout(context.Background(), noteLimit)
	defer cancel()
	inv, err := d.cfg.Host.List(ctx)
	if err != nil {
		return "" // who needs the master more will say so
	}
	return string(inv.Notes[master.RollbackNote])
}

// noteRollback records once that an upgrade failed.
func (d *Daemon) noteRollback() {
	why := d.failedUpgrade()
	if why == "" {
		return
	}
	d.upgrade.rolledBack = why
	d.journal.Event(app.Event{Kind: app.EventUpgrade, ID: -1, Reason: "given up: " + why})
	ctx, cancel := context.WithTimeout(context.Background(), noteLimit)
	defer cancel()
	if err := d.cfg.Host.Note(ctx, map[string][]byte{master.RollbackNote: nil}); err != nil {
		d.cfg.Log.Warn("Cannot drop a note", "err", err)
	}
}
