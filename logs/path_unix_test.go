//go:build unix

package logs

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func ownerOf(st fs.FileInfo) Owner {
	sys := st.Sys().(*syscall.Stat_t)
	return Owner{UID: int(sys.Uid), GID: int(sys.Gid)}
}

// TestForeignLinks: a user whose log files we write as root cannot lead us elsewhere.
func TestForeignLinks(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, which alone may write the files of others")
	}
	owner := &Owner{UID: 12345, GID: 12345}
	dir := t.TempDir()
	theirs, ours := filepath.Join(dir, "theirs"), filepath.Join(dir, "ours")
	for _, d := range []string{theirs, ours} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	secret := filepath.Join(ours, "secret")
	writeFile(t, secret, "secret")
	writeFile(t, filepath.Join(ours, "out.log"), "ours")
	chown := func(paths ...string) {
		for _, p := range paths {
			if err := os.Lchown(p, owner.UID, owner.GID); err != nil {
				t.Fatal(err)
			}
		}
	}
	link := func(to, name string) string {
		path := filepath.Join(dir, name)
		if err := os.Symlink(to, path); err != nil {
			t.Fatal(err)
		}
		return path
	}
	last, within, trusted := link(secret, "theirs/last"), link(ours, "theirs/within"), link("theirs", "trusted")
	chown(theirs, last, within)
	hard := filepath.Join(theirs, "hard")
	if err := os.Link(secret, hard); err != nil {
		t.Fatal(err)
	}
	for path, ok := range map[string]bool{
		filepath.Join(theirs, "out.log"):     true,
		filepath.Join(theirs, "new/out.log"): true,
		filepath.Join(trusted, "other.log"):  true, // a link of ours
		last:                                 false,
		filepath.Join(within, "out.log"):     false,
		hard:                                 false,
	} {
		f, err := openLog(path, owner)
		if (err == nil) != ok {
			t.Errorf("%s: %v", path, err)
		}
		if err == nil {
			st, err := f.Stat()
			if err != nil || ownerOf(st) != *owner || st.Mode().Perm() != 0o600 {
				t.Errorf("%s belongs to %v with mode %v, %v", path, ownerOf(st), st.Mode(), err)
			}
			f.Close()
		}
		if err := truncatePath(path, owner); (err == nil) != ok {
			t.Errorf("%s is emptied: %v", path, err)
		}
	}
	if st, err := os.Stat(filepath.Join(theirs, "new")); err != nil || ownerOf(st) != *owner || st.Mode().Perm() != 0o700 {
		t.Errorf("the new directory: %v, %v", st, err)
	}
	if got := read(t, secret); got != "secret" {
		t.Errorf("%q", got)
	}
}
