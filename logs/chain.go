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

// stampFor returns the time that the archive of f has, which was live until it was renamed
// away: its successors are the archives after that. Without an archive, for
// somebody else renamed it, the time of its last byte serves.
func stampFor(path string, f *os.File) (time.Time, error) {
	if at, ok := stampOf(f); ok {
		return at, nil
	}
	st, err := statFile(f)
	if err != nil {
		return time.Time{}, err
	}
	list, err := archivesOf(path)
	return guessStamp(list, st), err
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

// guessStamp does it for a file whose present name is not known. Its archive is the first
// that is not older than its last byte, unless that one is seen to be another file.
func guessStamp(list []archive, st fileState) time.Time {
	before := st.modTime.Add(-time.Microsecond)
	rest := after(list, before)
	if len(rest) == 0 {
		return before
	}
	if rest[0].kind == Plain {
		if first, err := statPath(rest[0].plain); err == nil && first.id != st.id {
			return before
		}
	}
	return rest[0].at
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

// openNext opens what comes next: the first of rest that is still there, then
// what was rotated since seen, the time of the last archive read; then the live file. A nil
// source: there is none now.
func openNext(path string, rest []archive, seen time.Time) (src source, own archive, left []archive, err error) {
	for {
		for len(rest) > 0 {
			own, rest = rest[0], rest[1:]
			src, _, err = openArchive(own)
			if !errors.Is(err, fs.ErrNotExist) { // else removed as too old
				return src, own, rest, err
			}
			seen = own.at
		}
		live, err := os.Open(path)
		if err = ignoreAbsent(err); err != nil {
			return nil, archive{}, nil, err
		}
		// Only now: a file that was rotated before we had the live one open must not be passed over.
		if rest, err = since(path, seen); err == nil && len(rest) == 0 {
			if live == nil {
				return nil, archive{}, nil, nil
			}
			return live, archive{plain: path}, nil, nil
		}
		if live != nil {
			err = errors.Join(err, live.Close())
		}
		if err != nil {
			return nil, archive{}, nil, err
		}
	}
}

// since returns the archives younger than seen; none when seen is not known.
func since(path string, seen time.Time) ([]archive, error) {
	if seen.IsZero() {
		return nil, nil
	}
	list, err := archivesOf(path)
	return after(list, seen), err
}
