package app

import (
	"path/filepath"
	"time"
)

// Status is one instance as seen from outside: what list prints, the wire
// carries and the store keeps.
type Status struct {
	ID        int      `json:"id"`
	App       uint64   `json:"app"` // the app record it belongs to
	Name      string   `json:"name"`
	Namespace string   `json:"namespace"`
	Slot      int      `json:"slot"` // 0-based instance number within the app
	Mode      ExecMode `json:"mode"`
	Version   string   `json:"version,omitempty"` // of the nearest package.json
	User      string   `json:"user,omitempty"`
	Watching  bool     `json:"watching,omitempty"`
	Healthy   bool     `json:"healthy,omitempty"` // its health check has passed and does not fail; of apps that have one

	State    State     `json:"state"`
	Goal     Goal      `json:"goal"`
	PID      int       `json:"pid,omitempty"`
	Start    uint64    `json:"start,omitempty"`    // the process's start time in clock ticks after boot, proc(5)
	Created  time.Time `json:"created"`            // first started
	Since    time.Time `json:"since"`              // start of the present process, or entry into the state without one
	Deadline time.Time `json:"deadline,omitzero"`  // when a waiting restart happens
	Restarts int       `json:"restarts"`           // automatic and manual
	Unstable int       `json:"unstable,omitempty"` // unstable runs in a row
	Backoff  int       `json:"backoff,omitempty"`  // back-off level
	Seq      uint64    `json:"seq,omitempty"`      // incarnation: counts the children of this instance
	Exit     *Exit     `json:"exit,omitempty"`     // how the last child ended
	Reason   string    `json:"reason,omitempty"`   // why it is in this state, for people

	LogTrouble string `json:"log_trouble,omitempty"` // why its output cannot be written now, for people

	Usage *Usage `json:"usage,omitempty"` // nil when nobody asked
}

// Uptime is how long the present process has run at now; 0 without one.
func (s Status) Uptime(now time.Time) time.Duration {
	if !s.State.HasChild() || s.Since.IsZero() {
		return 0
	}
	return max(0, now.Sub(s.Since))
}

// Usage is what a process and its descendants consume. Sizes in bytes.
type Usage struct {
	CPU       float64 `json:"cpu"` // percent of one core since the sample before
	RSS       int64   `json:"rss"`
	PSS       int64   `json:"pss,omitempty"`  // only where asked for in detail
	Heap      int64   `json:"heap,omitempty"` // [heap] and anonymous mappings; only in detail
	Processes int     `json:"processes"`
	Threads   int     `json:"threads,omitempty"`
	Files     int     `json:"files,omitempty"`      // open descriptors; only in detail
	ReadIO    int64   `json:"read_io,omitempty"`    // bytes read from storage; only in detail
	WriteIO   int64   `json:"write_io,omitempty"`   // bytes written to storage; only in detail
	CPUTimeMS int64   `json:"cpu_time_ms,omitzero"` // user and system, whole tree, since each process began

	Node *NodeUsage `json:"node,omitempty"` // what Node says about itself
}

// NodeUsage is what the agent in a Node process reports. Sizes in bytes, times in milliseconds; counts, times and
// delays are of the last second or so.
type NodeUsage struct {
	Version      string  `json:"version,omitempty"` // of Node
	HeapUsed     int64   `json:"heap_used"`
	HeapTotal    int64   `json:"heap_total"`
	HeapLimit    int64   `json:"heap_limit"`
	External     int64   `json:"external"`
	ArrayBuffers int64   `json:"array_buffers"`
	NewSpace     int64   `json:"new_space"`
	OldSpace     int64   `json:"old_space"`
	Scavenges    int     `json:"scavenges"`
	ScavengeMS   float64 `json:"scavenge_ms"`
	MarkSweeps   int     `json:"mark_sweeps"`
	MarkSweepMS  float64 `json:"mark_sweep_ms"`
	LoopP50      float64 `json:"loop_p50"`
	LoopP95      float64 `json:"loop_p95"`
	LoopP99      float64 `json:"loop_p99"`
	LoopMax      float64 `json:"loop_max"`
	Utilization  float64 `json:"utilization"` // of the event loop, 0 to 1
	Handles      int     `json:"handles"`
	Requests     int     `json:"requests"`
}

// Traffic counts the messages between gpm and a process, of its cluster's protocol too, since this daemon began to listen.
type Traffic struct {
	Received uint64 `json:"received"`
	Sent     uint64 `json:"sent"`
	Waiting  int    `json:"waiting"`            // bytes that the process has not read yet
	Overflow uint64 `json:"overflow,omitempty"` // messages to it that were dropped, because it does not read
	TooLong  uint64 `json:"too_long,omitempty"` // messages of it that were dropped
	Garbage  uint64 `json:"garbage,omitempty"`  // lines of it that are no messages
}

// Detail is everything about one instance: describe, env and jlist read it.
type Detail struct {
	Status
	Spec    Spec              `json:"spec"`
	Program string            `json:"program"`            // what is executed
	Argv    []string          `json:"argv"`               //
	ProcEnv map[string]string `json:"proc_env,omitempty"` // environment as given to the process
	OutLog  string            `json:"out_log"`
	ErrLog  string            `json:"err_log"`
	AllLog  string            `json:"all_log,omitempty"` // the file of both streams
	PidFile string            `json:"pid_path"`

	Traffic  *Traffic  `json:"traffic,omitempty"`  // of its channel for messages
	Pressure *Pressure `json:"pressure,omitempty"` // of its cgroup, where it has one that tells

	Shown
}

// Interpreter is the name of what runs the script, as pm2 says it: "node", or "none" for what is executed itself.
func (d Detail) Interpreter() string {
	switch {
	case d.Spec.Interpreter != "":
		return d.Spec.Interpreter
	case len(d.Argv) == 0 || d.Argv[0] == d.Program:
		return "none"
	}
	return filepath.Base(d.Argv[0])
}
