//go:build unix

package logs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// openLog opens a log file for reading and writing and makes it, and its
// directory, when it is not there. Never O_APPEND: splice(2) refuses such files.
// O_NONBLOCK lets a FIFO be recognised instead of waited for.
//
// With an owner, the file's directory may belong to somebody who is not us: see walker.
func openLog(path string, owner *Owner) (*os.File, error) {
	flags := os.O_RDWR | syscall.O_NONBLOCK | syscall.O_NOCTTY
	var f *os.File
	var err error
	if owner != nil {
		f, err = openFor(path, flags, *owner)
	} else if f, err = os.OpenFile(path, flags, 0); errors.Is(err, fs.ErrNotExist) {
		f, err = createLog(path, flags)
	}
	if err != nil {
		return nil, err
	}
	if err := checkRegular(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// createLog makes the file; whoever was faster is opened as it is.
func createLog(path string, flags int) (*os.File, error) {
	f, err := os.OpenFile(path, flags|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, err
		}
		f, err = os.OpenFile(path, flags|os.O_CREATE|os.O_EXCL, 0o600)
	}
	if errors.Is(err, fs.ErrExist) {
		return os.OpenFile(path, flags, 0)
	}
	return f, err
}

// nonblock lets a FIFO be recognised instead of waited for.
const nonblock = syscall.O_NONBLOCK

func checkRegular(f *os.File) error {
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if !st.Mode().IsRegular() {
		return fmt.Errorf("it is a %s, not a regular file", kindOf(st.Mode()))
	}
	return nil
}

func kindOf(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "directory"
	case m&fs.ModeNamedPipe != 0:
		return "named pipe"
	case m&fs.ModeSocket != 0:
		return "socket"
	}
	return "device"
}

func statPath(path string) (fileState, error) {
	st, err := os.Stat(path)
	if err != nil {
		return fileState{}, err
	}
	return stateOf(st), nil
}

func statFile(f *os.File) (fileState, error) {
	st, err := f.Stat()
	if err != nil {
		return fileState{}, err
	}
	return stateOf(st), nil
}

func stateOf(st fs.FileInfo) fileState {
	sys := st.Sys().(*syscall.Stat_t)
	return fileState{
		id:   FileID{Dev: uint64(sys.Dev), Ino: uint64(sys.Ino)},
		size: st.Size(), modTime: st.ModTime(),
	}
}

// sameOwner gives a file the owner of another, as far as we may.
func sameOwner(f *os.File, st fs.FileInfo) error {
	sys := st.Sys().(*syscall.Stat_t)
	if int(sys.Uid) == os.Geteuid() && int(sys.Gid) == os.Getegid() {
		return nil
	}
	if err := f.Chown(int(sys.Uid), int(sys.Gid)); err != nil && os.Geteuid() == 0 {
		return err
	}
	return nil
}
