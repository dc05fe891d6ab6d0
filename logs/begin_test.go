package logs

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestBeginSeesRotation: a rotation while the files were being listed, so that the archive is not among them but the new
// live file is, must not have the archive read from its beginning.
func TestBeginSeesRotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.log")
	at := time.Now()
	for name, text := range map[string]string{
		archiveName(path, at.Add(-time.Hour)): "old\n", archiveName(path, at): "one\ntwo\nthree\n", path: "four\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	whole, err := chainOf(path)
	if err != nil || len(whole) != 3 {
		t.Fatal(whole, err)
	}
	was, err := statPath(whole[1].plain)
	if err != nil {
		t.Fatal(err)
	}
	r := newReader()
	from := place{file: was.id, pos: 8, seen: whole[0].at}
	f := &followed{cursor: cursor{path: path}, source: Source{Path: path, From: from.String()}}
	r.add(f)
	defer r.close()
	if again, err := r.tryBegin(f, []archive{whole[0], whole[2]}); !again || err != nil {
		t.Errorf("begins at %d of %q: %v", f.pos, f.own.plain, err)
	}
	if err := f.cursor.next(); err != nil {
		t.Fatal(err)
	}
	again, err := r.tryBegin(f, whole)
	if again || err != nil || f.own.plain != whole[1].plain || f.pos != 8 {
		t.Errorf("begins at %d of %q, again %v: %v", f.pos, f.own.plain, again, err)
	}
}

// TestPlaceOfReusedFile: the number of a file that was rotated and compressed may be the live one's by now.
func TestPlaceOfReusedFile(t *testing.T) {
	id, at := FileID{1, 2}, time.Now()
	chain := []archive{{plain: "a", at: at}, {plain: "b", at: at.Add(time.Second)}, {plain: "live", id: id, size: 100}}
	if i, pos := (place{file: id, pos: 50, seen: at}).find(chain); i != 1 || pos != 50 {
		t.Errorf("found at %d of file %d", pos, i)
	}
	if i, pos := (place{file: id, pos: 50, seen: at.Add(time.Second)}).find(chain); i != 2 || pos != 50 {
		t.Errorf("found at %d of file %d", pos, i)
	}
	if i, pos := (place{file: id, pos: 150, seen: at.Add(time.Second)}).find(chain); i != 2 || pos != 0 {
		t.Errorf("truncated, and found at %d of file %d", pos, i)
	}
}
