package app

import "time"

// WatchMode is how a source is watched.
type WatchMode string

// The modes.
const (
	WatchNotify WatchMode = "notify" // the kernel tells
	WatchPoll   WatchMode = "poll"   // scanned at an interval
	WatchAbsent WatchMode = "absent" // not there; looked for
)

// WatchExplanation answers why an app was restarted, or was not.
type WatchExplanation struct {
	ID         string         `json:"id"`
	Name       string         `json:"name,omitempty"`
	Why        string         `json:"why,omitempty"` // why it is watched at all
	Sources    []WatchSource  `json:"sources"`
	Ignored    []WatchIgnored `json:"ignored,omitempty"`      // the topmost paths that are ignored, at most 200
	More       int            `json:"more_ignored,omitempty"` // those beyond
	Unreadable []string       `json:"unreadable,omitempty"`   // directories that we may not read, and so cannot watch
	Watches    int            `json:"watches"`                // directories of the shared instance that this app needs
	Shared     int            `json:"shared_watches"`         // directories of the shared instance in all
	Triggers   int            `json:"triggers"`               // since the app was first added
	Last       *WatchChange   `json:"last,omitempty"`
	Warning    string         `json:"warning,omitempty"`
}

// WatchSource is one root, or the list of single files.
type WatchSource struct {
	Path    string    `json:"path,omitempty"`   // of a root
	Target  string    `json:"target,omitempty"` // where it leads, when links are on the way
	Mode    WatchMode `json:"mode"`
	Why     string    `json:"why,omitempty"` // of polling
	Dirs    int       `json:"dirs"`
	Files   int       `json:"files"`             // that matter
	Singles []string  `json:"singles,omitempty"` // the list of single files
}

// WatchIgnored is one path that is not watched, and the rule that says so.
type WatchIgnored struct {
	Path   string `json:"path"`
	Rule   string `json:"rule"`
	Source string `json:"source"` // "default", "ignore_watch", "own file", or file:line
}

// WatchChange is one burst of changes that restarts an app.
type WatchChange struct {
	ID    string    `json:"id"`
	At    time.Time `json:"at"`             // of the first event
	Paths []string  `json:"paths"`          // what changed, in order; at most 256
	More  int       `json:"more,omitempty"` // paths beyond those
}
