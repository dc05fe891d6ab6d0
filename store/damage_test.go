package store

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"gpm/app"
)

// sample returns the bytes of a file of several pages whose last two commits
// say the same, so that losing the last one shows no difference.
func sample(t testing.TB) (image []byte, apps []App) {
	path := testPath(t)
	db := mustOpen(t, path, Options{FlushEvery: time.Hour})
	for i := range 60 {
		apps = append(apps, testApp(uint64(i+1), i))
		db.Log(app.Event{ID: i, Kind: app.EventStart, Lines: []string{"a line of the app"}})
		db.Observe(app.Status{ID: i, Name: "x"})
	}
	for range 3 {
		if err := errors.Join(db.Put(apps...), db.Flush()); err != nil {
			t.Fatal(err)
		}
	}
	db.Close()
	image, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return image, apps
}

func TestDamagedFiles(t *testing.T) {
	good, _ := sample(t)
	_, high, _, err := newestMeta(good)
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string][]byte{
		"empty":         {},
		"one byte":      {1},
		"zeros":         make([]byte, len(good)),
		"garbage":       bytes.Repeat([]byte("garbage!"), 4096),
		"half":          good[:len(good)/2],
		"a page":        good[:4096],
		"two pages":     good[:8192],
		"page is short": good[:high*4096-1],
	}
	for name, data := range cases {
		t.Run(name, func(t *testing.T) {
			path := testPath(t)
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			db, err := Open(path, Options{})
			if err == nil {
				db.Close()
				t.Fatal("it opens")
			}
			if !errors.Is(err, app.ErrStorage) || !strings.Contains(err.Error(), path) || !strings.Contains(app.AsError(err).Hint, "mv "+path) {
				t.Errorf("error %q, hint %q", err, app.AsError(err).Hint)
			}
			if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, data) {
				t.Errorf("the file was changed (%v)", err)
			}
		})
	}
}

// TestBitFlips flips bits all over the file: each is either found, or in a place
// that means nothing, and then everything reads as it was written.
func TestBitFlips(t *testing.T) {
	good, want := sample(t)
	found, passed := 0, 0
	for bit := 0; bit < len(good)*8; bit += 1009 {
		bad := bytes.Clone(good)
		bad[bit/8] ^= 1 << (bit % 8)
		if verify(bad) != nil {
			found++
		} else if passed++; passed%20 == 0 { // opening each would take minutes
			readsAs(t, bad, want)
		}
	}
	if found < 100 || passed < 20 {
		t.Errorf("%d flips were found and %d meant nothing", found, passed)
	}
}

func readsAs(t *testing.T, image []byte, want []App) {
	t.Helper()
	path := testPath(t)
	if err := os.WriteFile(path, image, 0o600); err != nil {
		t.Fatal(err)
	}
	db := mustOpen(t, path, Options{})
	defer db.Close()
	if apps, err := db.Apps(); err != nil || !reflect.DeepEqual(apps, want) {
		t.Fatalf("a flip went unseen: %v", err)
	}
	if events, err := db.Events(0, 0); err != nil || len(events) != len(want) {
		t.Fatalf("%d events, %v", len(events), err)
	}
	if st, err := db.Statuses(); err != nil || len(st) != len(want) {
		t.Fatalf("%d statuses, %v", len(st), err)
	}
}

func TestNotADatabaseButBolt(t *testing.T) {
	path := testPath(t)
	if err := initialise(path, []migration{createBuckets}); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "gpm.db")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, Options{}); !errors.Is(err, app.ErrStorage) || !strings.Contains(err.Error(), "regular file") {
		t.Errorf("a directory: %v", err)
	}
	if _, err := Open(filepath.Join(dir, "none", "gpm.db"), Options{}); !errors.Is(err, app.ErrStorage) {
		t.Errorf("a missing directory: %v", err)
	}
}

func FuzzVerify(f *testing.F) {
	good, _ := sample(f)
	f.Add(good[:3*4096])
	f.Add(good)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := verify(data); err != nil && !errors.Is(err, errDamaged) {
			t.Errorf("not called damaged: %v", err)
		}
	})
}

func FuzzDecode(f *testing.F) {
	key := key64(1)
	v, err := encode(key, testApp(1, 0))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(key, v)
	f.Add([]byte{}, []byte{0, 0, 0, 0})
	f.Add(key, seal(key, []byte("{")))
	f.Fuzz(func(t *testing.T, key, value []byte) {
		var a App
		var ev app.Event
		for _, into := range []any{&a, &ev} {
			if err := decode(key, value, into); err != nil && !errors.Is(err, errDamaged) {
				t.Errorf("not called damaged: %v", err)
			}
			if decode(key, seal(key, value), into) == nil && len(value) == 0 {
				t.Error("nothing was decoded as something")
			}
		}
	})
}

func BenchmarkOpenFullLog(b *testing.B) {
	path := testPath(b)
	db := mustOpen(b, path, Options{FlushEvery: time.Hour})
	for i := range 10_000 {
		db.Log(app.Event{ID: i % 500, Kind: app.EventExit, Lines: []string{strings.Repeat("x", 300)}})
	}
	for i := range 1000 {
		db.Observe(app.Status{ID: i})
		if err := db.Put(testApp(uint64(i), i)); err != nil {
			b.Fatal(err)
		}
	}
	db.Close()
	for b.Loop() {
		db, err := Open(path, Options{})
		if err != nil {
			b.Fatal(err)
		}
		db.Close()
	}
}
