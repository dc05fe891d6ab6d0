// Package master is the immortal parent: it spawns workers, notices their exits
// without reaping them, and keeps every descriptor that must outlive the daemon.
// It decides nothing and reads no user data.
//
// [Table] is the state and the operations; [Serve] offers a Table over an
// inherited socketpair; [Dial] is the daemon's end of that; where descriptors
// cannot be passed (Windows) the daemon uses a Table of its own process.
package master

import (
	"context"
	"os"
	"time"
)

// Host is what the daemon needs from a master: a *Table in the same process or
// a *Link to one in another. All methods are safe for concurrent use. An error
// of the operating system keeps its errno: errors.Is(err, syscall.ENOENT) works
// across the link.
type Host interface {
	// List returns every child that is not released, the names held, and the notes.
	List(ctx context.Context) (Inventory, error)
	// Spawn starts a child under a key that no other child has.
	Spawn(ctx context.Context, s Spawn) (Spawned, error)
	// Adopt watches a process that is not a child of this master (a survivor of
	// an earlier one) when it still has the given start time, and re-opens the read ends of
	// its output pipes where the platform can.
	Adopt(ctx context.Context, key string, pid int, start uint64) (Spawned, error)
	// Attach returns new duplicates of a child's pipes, for a daemon that takes over.
	Attach(ctx context.Context, key string) (Spawned, error)
	// Signal sends a signal to the child's process group, or to the child alone.
	// A child that has ended and is not released yet: os.ErrProcessDone.
	Signal(ctx context.Context, key string, sig int, group bool) error
	// Release reaps an ended child, closes its pipes and forgets it.
	Release(ctx context.Context, key string) error
	// Hold keeps a descriptor under a name; an older one of that name is closed. The caller keeps its own.
	Hold(ctx context.Context, name string, f *os.File) error
	// Take returns a duplicate of a held descriptor. Unknown name: fs.ErrNotExist.
	Take(ctx context.Context, name string) (*os.File, error)
	// Drop closes held descriptors.
	Drop(ctx context.Context, names ...string) error
	// Note keeps data under a name until it is dropped: what must survive the
	// daemon but needs no disk. Nil data drops the name.
	Note(ctx context.Context, notes map[string][]byte) error
	// Exits delivers every exit of a child once, in order, including those found at
	// List time. It is closed when the master is gone.
	Exits() <-chan Exit
	// Stopping is closed when the master itself was asked to end (SIGTERM, SIGINT): the
	// daemon then stops everything, keeps what the user wanted, and calls Shutdown.
	Stopping() <-chan struct{}
	// Shutdown ends the master after the daemon has ended: children must be released before.
	Shutdown(ctx context.Context) error
	// Serving says that the calling daemon has taken over. One that comes after an Upgrade has to, in time.
	Serving(ctx context.Context) error
	// Upgrade makes the master become the program at path, in place, once the calling daemon has ended. When
	// that fails, or no daemon of that program comes to serve, the present one goes on and its daemon
	// finds the reason as the note [RollbackNote].
	Upgrade(ctx context.Context, path string) error
	// PID is the master's process id; children that lost their parent become its children.
	PID() int
}

// RollbackNote is the note by which a daemon learns that an upgrade has failed.
const RollbackNote = "rollback"

// StdoutName is the name under which a master holds its own standard output, where it has one.
const StdoutName = "stdout"

// Spawn says what to execute, in the words of execve(2). Nothing is looked up.
type Spawn struct {
	Key  string   `json:"key"`
	Path string   `json:"path"` // absolute
	Argv []string `json:"argv"`
	Env  []string `json:"env"`
	Dir  string   `json:"dir"`

	Credential  *Credential `json:"credential,omitempty"`
	Rlimits     []Rlimit    `json:"rlimits,omitempty"`
	Nice        *int        `json:"nice,omitempty"`
	CPUs        []int       `json:"cpus,omitempty"`
	OOMScoreAdj *int        `json:"oom_score_adj,omitempty"`
	Cgroup      string      `json:"cgroup,omitempty"` // directory of a cgroup v2 the child is born in

	Stdin bool           `json:"stdin,omitempty"` // a pipe to write to; else /dev/null
	Files map[int]string `json:"files,omitempty"` // child descriptor (from 3) → held name; closed in the master's copy of the child only
}

// Credential is the user a child runs as, setuid(2) and setgroups(2).
type Credential struct {
	UID    uint32   `json:"uid"`
	GID    uint32   `json:"gid"`
	Groups []uint32 `json:"groups"`
}

// Rlimit is one resource limit, setrlimit(2); RLIM_INFINITY is math.MaxUint64.
type Rlimit struct {
	Resource int    `json:"resource"`
	Soft     uint64 `json:"soft"`
	Hard     uint64 `json:"hard"`
}

// Spawned is a running (or just ended) child. The caller closes the files.
type Spawned struct {
	PID    int
	Start  uint64   // start time in clock ticks after boot, proc(5); 0 where the platform has none
	Stdout *os.File // non-blocking read end; nil when it could not be re-opened
	Stderr *os.File
	Stdin  *os.File // write end, only when asked for
}

// Child is one entry of an Inventory.
type Child struct {
	Key     string    `json:"key"`
	PID     int       `json:"pid"`
	Start   uint64    `json:"start"`
	Started time.Time `json:"started"`
	Adopted bool      `json:"adopted,omitempty"` // not our child: its exit status may be unknown
	Exit    *Exit     `json:"exit,omitempty"`    // set once it has ended
}

// Inventory is everything a master keeps.
type Inventory struct {
	Children []Child           `json:"children"`
	Held     []string          `json:"held"`
	Notes    map[string][]byte `json:"notes"`
	Heir     bool              `json:"heir,omitempty"` // it is all from a master that was killed, whose children are still to be adopted
}

// Exit says that a child has ended. It stays a zombie until Release.
type Exit struct {
	Key        string        `json:"key"`
	PID        int           `json:"pid"`
	Code       int           `json:"code"`             // exit code, -1 when a signal ended it
	Signal     int           `json:"signal,omitempty"` // the signal's number
	CoreDumped bool          `json:"core_dumped,omitempty"`
	Unknown    bool          `json:"unknown,omitempty"`  // not our child, and the kernel does not tell
	At         time.Time     `json:"at"`                 // when it was noticed
	MaxRSS     int64         `json:"max_rss,omitempty"`  // bytes
	CPUTime    time.Duration `json:"cpu_time,omitempty"` // user and system
}
