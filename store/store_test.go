package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"gpm/app"
)

// TestMain lets the test binary be the other process of a test.
func TestMain(m *testing.M) {
	if role := os.Getenv("GPM_STORE_CHILD"); role != "" {
		runChild(role, os.Args[1])
		return
	}
	os.Exit(m.Run())
}

func mustOpen(t testing.TB, path string, opts Options) *DB {
	t.Helper()
	db, err := Open(path, opts)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func testPath(t testing.TB) string { return filepath.Join(t.TempDir(), "gpm.db") }

func testApp(key uint64, ids ...int) App {
	a := App{Key: key, Created: time.Unix(1700000000, 0).UTC()}
	a.Spec = app.Spec{Name: fmt.Sprintf("app-%d", key), Script: "/srv/a.js", Cwd: "/srv", Env: map[string]string{"A": "ü\n"}, Policy: app.DefaultPolicy()}
	for slot, id := range ids {
		a.Instances = append(a.Instances, Instance{ID: id, Slot: slot, Goal: app.Up})
	}
	return a
}

func mustApps(t *testing.T, db *DB) []App {
	t.Helper()
	apps, err := db.Apps()
	if err != nil {
		t.Fatalf("Apps: %v", err)
	}
	return apps
}

func (db *DB) txid(t *testing.T) (id int) {
	t.Helper()
	if err := db.bolt.View(func(tx *bbolt.Tx) error { id = tx.ID(); return nil }); err != nil {
		t.Fatal(err)
	}
	return id
}

func TestIntentsSurviveReopen(t *testing.T) {
	path := testPath(t)
	db := mustOpen(t, path, Options{})
	want := []App{testApp(1, 0, 1), testApp(2, 2)}
	if err := db.Put(want[1], want[0]); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = mustOpen(t, path, Options{})
	if got := mustApps(t, db); !reflect.DeepEqual(got, want) {
		t.Errorf("after reopen:\n got %+v\nwant %+v", got, want)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
	if left, _ := filepath.Glob(path + ".*"); left != nil {
		t.Errorf("left behind: %v", left)
	}
}

func TestIDsStartAgainWhenListIsEmpty(t *testing.T) {
	db := mustOpen(t, testPath(t), Options{})
	add := func(n int) (ids []int, key uint64) {
		err := db.Update(func(tx *Tx) error {
			var err error
			if ids, err = tx.NextIDs(n); err != nil {
				return err
			}
			keys, err := tx.NextKeys(1)
			if err != nil {
				return err
			}
			key = keys[0]
			return tx.Put(testApp(key, ids...))
		})
		if err != nil {
			t.Fatal(err)
		}
		return ids, key
	}
	_, a := add(3)
	ids, b := add(1)
	if ids[0] != 3 || b != a+1 {
		t.Fatalf("second app has ids %v and key %d after %d", ids, b, a)
	}
	if err := db.Delete(a); err != nil {
		t.Fatal(err)
	}
	if ids, _ = add(1); ids[0] != 4 {
		t.Errorf("id %d after a partial delete, want 4", ids[0])
	}
	if err := db.Delete(1, 2, 3, 99); err != nil {
		t.Fatal(err)
	}
	ids, key := add(2)
	if !reflect.DeepEqual(ids, []int{0, 1}) || key != 4 {
		t.Errorf("after the list was empty: ids %v key %d, want [0 1] and 4", ids, key)
	}
}

func TestFailedUpdateLeavesNothingAndSparesOthers(t *testing.T) {
	db := mustOpen(t, testPath(t), Options{})
	boom := errors.New("boom")
	var wg sync.WaitGroup
	errs := make([]error, 50)
	for i := range errs {
		wg.Go(func() {
			errs[i] = db.Update(func(tx *Tx) error {
				if err := tx.Put(testApp(uint64(i + 1))); err != nil {
					return err
				}
				if i%5 == 0 {
					return boom
				}
				return nil
			})
		})
	}
	wg.Wait()
	for i, err := range errs {
		if want := i%5 == 0; errors.Is(err, boom) != want || !want && err != nil {
			t.Errorf("update %d: %v", i, err)
		}
	}
	if got := len(mustApps(t, db)); got != 40 {
		t.Errorf("%d apps, want 40", got)
	}
}

func TestConcurrentPutsShareTransactions(t *testing.T) {
	path := testPath(t)
	db := mustOpen(t, path, Options{})
	before := db.txid(t)
	const n = 1000
	var wg sync.WaitGroup
	begin := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-begin
			if err := db.Put(testApp(uint64(i+1), i)); err != nil {
				t.Errorf("Put: %v", err)
			}
		})
	}
	close(begin)
	wg.Wait()
	if commits := db.txid(t) - before; commits > n/10 {
		t.Errorf("%d puts took %d commits", n, commits)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if got := len(mustApps(t, mustOpen(t, path, Options{}))); got != n {
		t.Errorf("%d apps after reopen, want %d", got, n)
	}
}

func TestClosedStoreRefuses(t *testing.T) {
	db := mustOpen(t, testPath(t), Options{})
	if err := errors.Join(db.Close(), db.Close()); err != nil {
		t.Fatal(err)
	}
	if err := db.Put(testApp(1)); !errors.Is(err, app.ErrStorage) {
		t.Errorf("Put after Close: %v", err)
	}
	if err := db.Flush(); !errors.Is(err, app.ErrStorage) {
		t.Errorf("Flush after Close: %v", err)
	}
	if _, err := db.Apps(); !errors.Is(err, app.ErrStorage) {
		t.Errorf("Apps after Close: %v", err)
	}
	db.Log(app.Event{}) // must not block
}

func TestSnapshots(t *testing.T) {
	path := testPath(t)
	db := mustOpen(t, path, Options{})
	if _, err := db.Snapshot("x"); !errors.Is(err, app.ErrNotFound) {
		t.Errorf("unknown snapshot: %v", err)
	}
	if err := db.SaveSnapshot("", nil); !errors.Is(err, app.ErrInvalid) {
		t.Errorf("empty name: %v", err)
	}
	for _, apps := range [][]App{{testApp(1)}, {testApp(1, 0), testApp(2, 1)}} {
		if err := db.SaveSnapshot("dump", apps); err != nil {
			t.Fatal(err)
		}
	}
	db.Close()
	db = mustOpen(t, path, Options{})
	s, err := db.Snapshot("dump")
	if err != nil || len(s.Apps) != 2 || time.Since(s.Saved) > time.Minute {
		t.Errorf("snapshot %+v, %v", s, err)
	}
	all, err := db.Snapshots()
	if err != nil || len(all) != 1 || all[0].Name != "dump" {
		t.Errorf("snapshots %+v, %v", all, err)
	}
}

func TestMigration(t *testing.T) {
	path := testPath(t)
	db := mustOpen(t, path, Options{})
	if err := db.Put(testApp(7)); err != nil {
		t.Fatal(err)
	}
	db.Close()

	rename := func(tx *bbolt.Tx) error {
		apps, err := readApps(tx)
		if err != nil {
			return err
		}
		apps[0].Spec.Name = "migrated"
		return (&Tx{b: tx}).Put(apps...)
	}
	fail := func(*bbolt.Tx) error { return errors.New("boom") }
	if _, err := open(path, Options{}, []migration{createBuckets, rename, fail}); !errors.Is(err, app.ErrStorage) {
		t.Fatalf("failing migration: %v", err)
	}
	if got := mustApps(t, mustOpen(t, path, Options{})); got[0].Spec.Name != "app-7" {
		t.Errorf("a failed migration changed the file: %q", got[0].Spec.Name)
	}
}

func TestMigrationKeepsACopy(t *testing.T) {
	path := testPath(t)
	db := mustOpen(t, path, Options{})
	if err := db.Put(testApp(7)); err != nil {
		t.Fatal(err)
	}
	db.Close()
	add := func(tx *bbolt.Tx) error { return (&Tx{b: tx}).Put(testApp(8)) }
	db, err := open(path, Options{}, []migration{createBuckets, add})
	if err != nil {
		t.Fatal(err)
	}
	if got := len(mustApps(t, db)); got != 2 {
		t.Errorf("%d apps after the migration, want 2", got)
	}
	db.Close()
	if got := len(mustApps(t, mustOpen(t, path+".schema-1", Options{}))); got != 1 {
		t.Errorf("%d apps in the copy, want 1", got)
	}

	_, err = Open(path, Options{})
	if !errors.Is(err, app.ErrStorage) {
		t.Fatalf("newer schema: %v", err)
	}
	for _, want := range []string{path, "version is 2", "up to 1"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
	if hint := app.AsError(err).Hint; !strings.Contains(hint, "upgrade gpm") {
		t.Errorf("hint %q", hint)
	}
}

func TestRestoreUndoesAMigration(t *testing.T) {
	path := testPath(t)
	db := mustOpen(t, path, Options{})
	if err := db.Put(testApp(7)); err != nil {
		t.Fatal(err)
	}
	db.Close()
	if err := Restore(path); err == nil {
		t.Error("there was nothing to restore")
	}
	add := func(tx *bbolt.Tx) error { return (&Tx{b: tx}).Put(testApp(8)) }
	db, err := open(path, Options{}, []migration{createBuckets, add})
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
	if _, err := Open(path, Options{}); !errors.Is(err, ErrNewer) {
		t.Fatalf("the migrated file: %v", err)
	}
	if err := Restore(path); err != nil {
		t.Fatal(err)
	}
	if got := mustApps(t, mustOpen(t, path, Options{})); len(got) != 1 || got[0].Key != 7 {
		t.Errorf("restored %+v", got)
	}
}

func TestRacingCreators(t *testing.T) {
	path := testPath(t)
	var wg sync.WaitGroup
	got := make(chan *DB, 20)
	for range cap(got) {
		wg.Go(func() {
			db, err := Open(path, Options{})
			if err != nil && !errors.Is(err, app.ErrConflict) {
				t.Errorf("Open: %v", err)
			}
			got <- db
		})
	}
	wg.Wait()
	close(got)
	winners := 0
	for db := range got {
		if db != nil {
			winners++
			if err := db.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		}
	}
	if winners != 1 {
		t.Errorf("%d creators have it open, want 1", winners)
	}
}
