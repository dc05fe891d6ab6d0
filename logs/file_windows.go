package logs

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/windows"
)

// openLog opens a log file for reading and writing and makes it, and its
// directory, when it is not there. Ownership is inherited from the directory.
func openLog(path string, _ *Owner) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if errors.Is(err, os.ErrNotExist) {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, err
		}
		f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	}
	if err != nil {
		return nil, err
	}
	if err := checkRegular(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// nonblock: there are no FIFOs among the files here.
const nonblock = 0

func checkRegular(f *os.File) error {
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() {
		return errors.Join(errors.New("it is not a regular file"), err)
	}
	return nil
}

// statPath opens the file: its identity is only told by a handle.
func statPath(path string) (fileState, error) {
	f, err := os.Open(path)
	if err != nil {
		return fileState{}, err
	}
	st, err := statFile(f)
	return st, errors.Join(err, f.Close())
}

func statFile(f *os.File) (fileState, error) {
	st, err := f.Stat()
	if err != nil {
		return fileState{}, err
	}
	var info windows.ByHandleFileInformation
	if err := windows.GetFileInformationByHandle(windows.Handle(f.Fd()), &info); err != nil {
		return fileState{}, err
	}
	id := FileID{Dev: uint64(info.VolumeSerialNumber), Ino: uint64(info.FileIndexHigh)<<32 | uint64(info.FileIndexLow)}
	return fileState{id: id, size: st.Size(), modTime: st.ModTime()}, nil
}

// sameOwner does nothing: ownership is inherited from the directory.
func sameOwner(*os.File, os.FileInfo) error { return nil }
