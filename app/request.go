package app

import (
	"encoding/json"
	"strconv"
	"time"
)

// StartRequest asks for the targets of one `start` command, which share their options. The daemon
// decides what each names: existing processes (restart them), a file, a program on PATH, or a
// command line.
type StartRequest struct {
	Targets []string `json:"targets"`           // as typed
	Spec    Spec     `json:"spec"`              // options given; Cwd and Env are the caller's, Script is empty
	Set     Fields   `json:"set,omitempty"`     // which fields of Spec the user gave, by JSON name ("policy.kill_timeout"); the others take defaults
	Default *Spec    `json:"default,omitempty"` // of new apps; nil = gpm's
	Force   bool     `json:"force,omitempty"`   // start a second app of the same script
}

// Fields is a set of Spec fields by JSON name; those of Policy as "policy.NAME", those of Rotate and
// Lines as "log_rotate.NAME" and "log.NAME".
type Fields map[string]bool

// Action is what to do with processes that exist.
type Action string

// The actions.
const (
	ActionStart   Action = "start"
	ActionStop    Action = "stop"
	ActionRestart Action = "restart"
	ActionDelete  Action = "delete"
	ActionReset   Action = "reset" // counters to zero
	ActionSignal  Action = "signal"
	ActionReload  Action = "reload" // replace without a failed request
)

// ActionRequest applies an action to what the selectors match.
type ActionRequest struct {
	Action    Action   `json:"action"`
	Selectors []string `json:"selectors"`
	Signal    string   `json:"signal,omitempty"`     // for signal
	UpdateEnv bool     `json:"update_env,omitempty"` // restart: merge Spec.Env over the stored environment
	Spec      *Spec    `json:"spec,omitempty"`       // restart: new settings
	Set       Fields   `json:"set,omitempty"`        // restart: which of them
	Parallel  int      `json:"parallel,omitempty"`   // at most so many at once; 0 = the daemon's choice
}

// Message is what an app said on its channel.
type Message struct {
	At        time.Time       `json:"at"`
	Type      string          `json:"type"` // "process:msg", or what the app says: pm2's packets have a type and data
	ID        int             `json:"id"`
	Name      string          `json:"name"`
	Namespace string          `json:"namespace"`
	Data      json.RawMessage `json:"data"`
	Dropped   uint64          `json:"dropped,omitempty"` // messages before this one that the listener was too slow for
}

// MessageRequest sends a JSON text to processes.
type MessageRequest struct {
	Selectors []string        `json:"selectors"`
	Data      json.RawMessage `json:"data"`
}

// TriggerRequest has processes carry out an action that they have announced. The answer is a stream of Messages.
type TriggerRequest struct {
	Selectors []string      `json:"selectors"`
	Action    string        `json:"action"`
	Param     string        `json:"param,omitempty"`
	Timeout   time.Duration `json:"timeout,omitempty"`
}

// ScaleRequest asks for another number of instances of the apps that are selected.
type ScaleRequest struct {
	Selector string `json:"selector"`
	Change   string `json:"change"` // "4", "+2" or "-1"
}

// Progress is one line of the answer to a start or an action. The first line
// carries Total and Note; then one line for each process as it is done; an error line ends a
// request that failed as a whole.
type Progress struct {
	Total    int        `json:"total,omitempty"`
	Note     string     `json:"note,omitempty"`     // a sentence to print before
	Existing []Existing `json:"existing,omitempty"` // what is there already and is acted upon
	Started  bool       `json:"started,omitempty"`  // with Status: of an app that is new
	Status   *Status    `json:"status,omitempty"`   // a process that is done
	Error    *Error     `json:"error,omitempty"`    // with Status: that process failed; alone: the request failed
	Lines    []string   `json:"lines,omitempty"`    // last output of a replacement that failed
}

// Existing is an app that a start or a file finds there already, and what is done to it.
type Existing struct {
	App    string `json:"app"`
	IDs    []int  `json:"ids"`
	Action Action `json:"action"`
}

// DaemonStatus is the answer to `daemon status` and ping.
type DaemonStatus struct {
	Version   string    `json:"version"`
	PID       int       `json:"pid"`
	MasterPID int       `json:"master_pid"`
	Home      string    `json:"home"`
	Started   time.Time `json:"started"`        // this daemon
	MasterUp  time.Time `json:"master_started"` // the master
	Processes int       `json:"processes"`
	Online    int       `json:"online"`
	Restarts  int       `json:"daemon_restarts"` // daemons before this one under the same master
	RSS       int64     `json:"rss"`             // bytes, daemon and master
	Cgroup    string    `json:"cgroup,omitempty"`
	Pressure  *Pressure `json:"pressure,omitempty"` // of the machine, where it tells
	Schema    int       `json:"schema"`             // of the database
	Warnings  []string  `json:"warnings,omitempty"`
	// RolledBack is why the last upgrade failed, when this daemon was started because of that.
	RolledBack string `json:"rolled_back,omitempty"`
}

// LogStream names where a line came from.
type LogStream string

// The streams.
const (
	Stdout    LogStream = "out"
	Stderr    LogStream = "err"
	DaemonLog LogStream = "gpm"
)

// LogQuery selects lines of the log files.
type LogQuery struct {
	Selectors []string    `json:"selectors"` // none = all
	Lines     int         `json:"lines"`     // last lines of each file; negative = all
	Follow    bool        `json:"follow,omitempty"`
	Streams   []LogStream `json:"streams,omitempty"` // none = all
	Since     time.Time   `json:"since,omitzero"`    // lines that came later
	Until     time.Time   `json:"until,omitzero"`    // lines that came earlier
	Grep      string      `json:"grep,omitempty"`    // lines that match this regular expression, RE2

	Places bool              `json:"places,omitempty"` // deliver LogLine.Place
	From   map[string]string `json:"from,omitempty"`   // by LogLine.Source: the place of the last line that came; go on after it
}

// LogLine is one line without its newline.
type LogLine struct {
	ID     int       `json:"id"`
	Name   string    `json:"name"`
	Stream LogStream `json:"stream"`
	At     time.Time `json:"at,omitzero"` // when known
	Text   string    `json:"text"`
	Cut    bool      `json:"cut,omitempty"`  // a very long line that goes on in the next one of the same source
	File   string    `json:"file,omitempty"` // set on a header line that begins the history of a file; Text is empty then

	Place string `json:"place,omitempty"` // where its file goes on, in words of the daemon
	Mark  bool   `json:"mark,omitempty"`  // a header line that is there for its place alone
}

// Source names the log that a line is from, among those of a query.
func (l LogLine) Source() string { return strconv.Itoa(l.ID) + "-" + string(l.Stream) }
