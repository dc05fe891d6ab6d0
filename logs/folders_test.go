package logs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFolders(t *testing.T) {
	dir := t.TempDir()
	allowed, other := filepath.Join(dir, "allowed"), filepath.Join(dir, "other")
	for _, d := range []string{allowed, other} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(other, filepath.Join(allowed, "out")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(allowed, filepath.Join(dir, "in")); err != nil {
		t.Fatal(err)
	}
	f := Folders{allowed}
	for path, may := range map[string]bool{
		"allowed/a.log": true, "allowed/new/deep/a.log": true, "in/a.log": true, "in/new/a.log": true,
		"other/a.log": false, "allowed/out/a.log": false, "allowed/out/new/a.log": false, "allowed/../other/a.log": false, "allowed": false, "allowed2/a.log": false,
	} {
		path = dir + "/" + path
		if err := f.Check(path); (err == nil) != may {
			t.Errorf("%s: %v", path, err)
		}
		if err := (Folders{}).Check(path); err != nil {
			t.Errorf("%s without a list: %v", path, err)
		}
	}
	p := newPump(t, Options{Folders: f})
	_, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if _, err := p.Attach(w, Target{Path: filepath.Join(other, "a.log")}); err == nil || !strings.Contains(err.Error(), "none of the folders") {
		t.Errorf("a file elsewhere is attached: %v", err)
	}
	if _, err := os.Stat(filepath.Join(other, "a.log")); err == nil {
		t.Error("and made")
	}
}
