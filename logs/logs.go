// Package logs carries bytes from the workers' output pipes to log files and
// reads those files back.
//
// Writing: a [Pump] moves what arrives in a pipe to the file that its [Target]
// names. On Linux the kernel does it (splice(2)), so that a daemon killed at any
// instant neither loses nor repeats a byte: what is not in the file is still in
// the pipe, and whoever holds the pipe hands it to the next daemon. Elsewhere a
// read and a write do it, and a kill in between loses what was read.
//
// Reading: [Last] finds the last lines of a file, [Follow] goes on from there
// across truncation, renaming and absence, and [Query] does both for many files.
package logs

import (
	"log/slog"
	"time"
)

// Limits of the defaults.
const (
	// MaxLine is the longest line, in bytes, that readers deliver in one piece.
	MaxLine = 1 << 20
	// DefaultMaxOpen is how many log files a Pump keeps open at once.
	DefaultMaxOpen = 512
)

// Options configure a [Pump]. The zero value is useful.
type Options struct {
	Log       *slog.Logger  // nil = silent
	MaxOpen   int           // log files open at once; 0 = DefaultMaxOpen
	Quota     int64         // bytes that all log files together may take: the oldest rotated ones go; 0 = no limit
	Folders   Folders       // where log files may be
	OnTrouble func(Trouble) // called when a file cannot be written and when it can again; must not block or call the Pump
}

// Target is where the bytes of one stream go.
type Target struct {
	Path   string // absolute; "" or the null device = read and thrown away
	Owner  *Owner // who owns the file when it has to be made; nil = this process's user
	Rotate Policy // the zero value: never. Of several streams of a file the last one attached decides

	Format   *Format // nil = the bytes as they come
	Filter   *Filter // nil = every line as it is
	Combined string  // a second file, shared by the streams of an app, that gets the same lines in order of arrival; "" = none
	Key      string  // with Format, Filter or Combined: names the stream across daemons, such as "3-out"; unique among those attached
}

// framed says that lines have to be looked at.
func (t Target) framed() bool { return t.Format != nil || t.Filter != nil || t.Combined != "" }

// Owner is a user and group by number; -1 leaves one as it is.
type Owner struct{ UID, GID int }

// Trouble says that a log file began to fail or recovered, or that lines for it were left out.
type Trouble struct {
	Path    string
	Err     error // nil = it works again, or LeftOut
	Dropped int64 // bytes lost in this spell so far
	LeftOut int64 // lines beyond the rate since the last report; 0 = it is about a failure
}

// Stats are the counters of one log file since the first stream was attached to it.
type Stats struct {
	Path      string
	Streams   int   // attached now
	Bytes     int64 // written
	Dropped   int64 // read from the pipe but not written: disk full and the like
	LeftOut   int64 // lines beyond the rate
	Errors    int64 // failed writes and opens
	Rotations int64
	Err       error     // the failure that lasts, nil = none
	Since     time.Time // when it began
}

// FileID tells files apart, whatever their names: device and inode, or what
// takes their place.
type FileID struct{ Dev, Ino uint64 }

// Offset is a place in a particular file. The zero value is the beginning of
// whichever file is there.
type Offset struct {
	File FileID
	Pos  int64
}
