package store

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gpm/app"
)

// mountSmall mounts a tmpfs of so many KiB, or skips the test.
func mountSmall(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("gpm-test", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("cannot mount a tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Errorf("cannot unmount: %v", err)
		}
	})
	return dir
}

func TestFullDisk(t *testing.T) {
	dir := mountSmall(t, "2m")
	path := filepath.Join(dir, "gpm.db")
	db := mustOpen(t, path, Options{FlushEvery: time.Hour})
	defer db.Close()
	if err := db.Put(testApp(1, 0)); err != nil {
		t.Fatal(err)
	}
	filler := filepath.Join(dir, "filler")
	if err := os.WriteFile(filler, bytes.Repeat([]byte("x"), 4<<20), 0o600); !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("the disk is not full: %v", err)
	}

	big := testApp(2, 1)
	big.Spec.Env["BIG"] = strings.Repeat("y", 100<<10)
	err := db.Put(big)
	if !errors.Is(err, app.ErrStorage) || !strings.Contains(app.AsError(err).Hint, "space") {
		t.Errorf("Put on a full disk: %v", err)
	}
	for range 20 {
		db.Log(app.Event{ID: 1, Reason: strings.Repeat("z", 20<<10)})
	}
	db.Observe(app.Status{ID: 0, Restarts: 3})
	if err := db.Flush(); !errors.Is(err, app.ErrStorage) {
		t.Errorf("Flush on a full disk: %v", err)
	}
	if h := db.Health(); h.Err == nil || h.Waiting != 21 || h.Since.IsZero() {
		t.Errorf("health %+v", h)
	}
	if apps := mustApps(t, db); len(apps) != 1 {
		t.Errorf("%d apps after the failed Put", len(apps))
	}

	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if err := db.Put(big); err != nil {
		t.Errorf("Put with space again: %v", err)
	}
	if err := db.Flush(); err != nil {
		t.Errorf("Flush with space again: %v", err)
	}
	if h := db.Health(); h.Err != nil || h.Waiting != 0 || h.Dropped != 0 {
		t.Errorf("health %+v", h)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = mustOpen(t, path, Options{})
	defer db.Close() // before the unmount
	if events, err := db.Events(0, 0); err != nil || len(events) != 20 {
		t.Errorf("%d events, %v", len(events), err)
	}
	if st, err := db.Statuses(); err != nil || st[0].Restarts != 3 {
		t.Errorf("status %+v, %v", st[0], err)
	}
}

func TestCreateOnFullDisk(t *testing.T) {
	dir := mountSmall(t, "4k")
	path := filepath.Join(dir, "gpm.db")
	_, err := Open(path, Options{})
	if !errors.Is(err, app.ErrStorage) || !strings.Contains(err.Error(), path) || app.AsError(err).Hint == "" {
		t.Errorf("Open on a full disk: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); left != nil {
		t.Errorf("left behind: %v", left)
	}
}

func TestReadOnlyDisk(t *testing.T) {
	dir := mountSmall(t, "1m")
	path := filepath.Join(dir, "gpm.db")
	db := mustOpen(t, path, Options{})
	db.Close()
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Skipf("cannot remount read-only: %v", err)
	}
	for _, p := range []string{path, filepath.Join(dir, "new.db")} {
		_, err := Open(p, Options{})
		if !errors.Is(err, app.ErrStorage) || !strings.Contains(err.Error(), "for writing") || !strings.Contains(err.Error(), p) {
			t.Errorf("Open on a read-only disk: %v", err)
		}
	}
}

func TestNoPermission(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may write everywhere")
	}
	path := testPath(t)
	mustOpen(t, path, Options{}).Close()
	if err := os.Chmod(path, 0o400); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, Options{}); !errors.Is(err, app.ErrStorage) || !strings.Contains(err.Error(), "for writing") {
		t.Errorf("Open without permission: %v", err)
	}
}
