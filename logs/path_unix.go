//go:build unix

package logs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// maxLinks is how many symbolic links a path may lead over, as in the kernel.
const maxLinks = 40

// errRaced says that a directory was replaced while a path was walked.
var errRaced = errors.New("a directory of the path was replaced meanwhile")

// walker opens the directory of a log file that is to belong to somebody who is not us. It goes a step at a
// time, so that a symbolic link of that user can never lead our rights anywhere: a link is followed only if
// it belongs to root or to us.
type walker struct {
	owner Owner
	make  bool // directories that are missing, for the owner
	at    string
	dir   *os.Root
	links int
}

// openDirFor returns the directory of path.
func openDirFor(path string, owner Owner, create bool) (*os.Root, error) {
	w := &walker{owner: owner, make: create}
	if err := w.walk(filepath.Dir(path)); err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w.dir, nil
}

func (w *walker) close() error {
	if w.dir == nil {
		return nil
	}
	return w.dir.Close()
}

func (w *walker) walk(path string) error {
	if err := w.close(); err != nil {
		return err
	}
	root, err := os.OpenRoot("/")
	if err != nil {
		return err
	}
	w.dir, w.at = root, "/"
	steps := strings.FieldsFunc(filepath.Clean(path), func(r rune) bool { return r == '/' })
	for i, name := range steps {
		target, err := w.step(name)
		if err != nil {
			return fmt.Errorf("%s: %w", filepath.Join(w.at, name), plainCause(err))
		}
		if target != "" {
			return w.walk(filepath.Join(append([]string{target}, steps[i+1:]...)...))
		}
	}
	return nil
}

// step enters a directory; where the name is a symbolic link it returns the path that it leads to instead.
func (w *walker) step(name string) (target string, err error) {
	st, err := w.dir.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) && w.make {
		if err := w.dir.Mkdir(name, 0o700); err != nil {
			return "", err
		}
		if err := w.dir.Lchown(name, w.owner.UID, w.owner.GID); err != nil {
			return "", err
		}
		st, err = w.dir.Lstat(name)
	}
	if err != nil {
		return "", err
	}
	if st.Mode()&fs.ModeSymlink != 0 {
		return w.follow(name, st)
	}
	next, err := w.dir.OpenRoot(name)
	if err != nil {
		return "", err
	}
	now, err := next.Stat(".")
	if err == nil && !os.SameFile(st, now) {
		err = errRaced
	}
	if err != nil {
		return "", errors.Join(err, next.Close())
	}
	err = w.dir.Close()
	w.dir, w.at = next, filepath.Join(w.at, name)
	return "", err
}

func (w *walker) follow(name string, st fs.FileInfo) (string, error) {
	if uid := int(st.Sys().(*syscall.Stat_t).Uid); uid != 0 && uid != os.Geteuid() {
		return "", fmt.Errorf("it is a symbolic link of user %d, who could point it elsewhere", uid)
	}
	if w.links++; w.links > maxLinks {
		return "", syscall.ELOOP
	}
	target, err := w.dir.Readlink(name)
	if err == nil && !filepath.IsAbs(target) {
		target = filepath.Join(w.at, target)
	}
	return target, err
}

// openFor opens a log file that belongs, or is to belong, to somebody who is not us.
func openFor(path string, flags int, owner Owner) (*os.File, error) {
	dir, err := openDirFor(path, owner, true)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	name := filepath.Base(path)
	st, err := dir.Lstat(name)
	if err == nil && st.Mode()&fs.ModeSymlink != 0 {
		return nil, errors.New("it is a symbolic link")
	}
	if errors.Is(err, fs.ErrNotExist) {
		f, err := dir.OpenFile(name, flags|os.O_CREATE|os.O_EXCL, 0o600)
		if err == nil {
			if err := f.Chown(owner.UID, owner.GID); err != nil {
				return nil, errors.Join(err, f.Close())
			}
		}
		if !errors.Is(err, fs.ErrExist) { // else somebody was faster
			return f, err
		}
	}
	f, err := dir.OpenFile(name, flags, 0) // a link made meanwhile cannot lead out of this directory
	if err != nil {
		return nil, err
	}
	if err := checkNames(f, owner); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// checkNames refuses a file of somebody else that has another name: the owner of the directory may have put
// it there.
func checkNames(f *os.File, owner Owner) error {
	st, err := f.Stat()
	if err != nil {
		return err
	}
	sys := st.Sys().(*syscall.Stat_t)
	if sys.Nlink > 1 && !st.IsDir() && int(sys.Uid) != owner.UID {
		return errors.New("it is a second name of a file of somebody else")
	}
	return nil
}
