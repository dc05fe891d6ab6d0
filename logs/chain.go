package logs

import (
	"errors"
	"io/fs"
	"os"
	"time"
)

// A log is read as a chain: the archives, oldest first, and the live file. An
// archive whose time is zero stands for the live one.

func (a archive) live() bool { return a.at.IsZero() }

// chainOf returns the chain of a log file.
func chainOf(path string) ([]archive, error) {
	list, err := archivesOf(path)
	if err != nil {
		return nil, err
	}
	live := archive{plain: path}
	if st, err := statPath(path); err == nil {
		live.size, live.mod, live.id = st.size, st.modTime, st.id
	}
	return append(list, live), nil
}

// successors returns the archives that follow the file which was live until
// it was renamed away and which f still has open.
func successors(path string, f *os.File) ([]archive, error) {
	list, err := archivesOf(path)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	if at, ok := stampOf(f); ok {
		return after(list, at), nil
	}
	st, err := statFile(f)
	if err != nil {
		return nil, err
	}
	return afterFile(list, st), nil
}

// after returns the archives of a list that are younger than at.
func after(list []archive, at time.Time) []archive {
	for i, a := range list {
		if a.at.After(at) {
			return list[i:]
		}
	}
	return nil
}

// afterFile does the same for a file whose name is not known. Its own archive is the first
// that is not older than its last byte, unless that one is seen to be another file.
func afterFile(list []archive, st fileState) []archive {
	rest := after(list, st.modTime.Add(-time.Microsecond))
	if len(rest) == 0 {
		return nil
	}
	if rest[0].kind == Plain {
		if first, err := statPath(rest[0].plain); err == nil && first.id != st.id {
			return rest
		}
	}
	return rest[1:]
}

// behind finds the archive that a file became which was live, with the identity
// id, when it was last read and is not open any more; ok is false when it is out of sight.
func behind(path string, id FileID) (own archive, rest []archive, ok bool) {
	list, err := archivesOf(path)
	if err != nil {
		return archive{}, nil, false
	}
	for i, a := range list {
		if st, err := statPath(a.plain); err == nil && st.id == id {
			return a, list[i+1:], true
		}
	}
	return archive{}, nil, false
}

// openNext opens the next of the chain: the first archive that is still there, or
// the live file. A nil source: there is none now.
func openNext(path string, rest []archive) (src source, own archive, st fileState, left []archive, err error) {
	for len(rest) > 0 {
		own, rest = rest[0], rest[1:]
		src, st, err = openArchive(own)
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed as too old
		}
		return src, own, st, rest, err
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, archive{}, st, nil, nil
	}
	if err != nil {
		return nil, archive{}, st, nil, err
	}
	if st, err = statFile(f); err != nil {
		return nil, archive{}, st, nil, errors.Join(err, f.Close())
	}
	return f, archive{plain: path}, st, nil, nil
}
