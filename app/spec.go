package app

import (
	"maps"
	"slices"
	"time"
)

// Spec is what the user asked to run. Plain data; the JSON names are those of
// an ecosystem file. Paths are absolute once a Spec has reached the daemon.
type Spec struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace,omitempty"` // "default" when empty

	Script          string   `json:"script"`                     // a file, a program on PATH, or a command line with spaces
	Args            []string `json:"args,omitempty"`             // after the script
	Interpreter     string   `json:"interpreter,omitempty"`      // "" = by extension or shebang, "none" = exec directly
	InterpreterArgs []string `json:"interpreter_args,omitempty"` // between interpreter and script
	Cwd             string   `json:"cwd"`

	Env       map[string]string `json:"env,omitempty"`        // the whole declared environment of the process
	EnvFile   []string          `json:"env_file,omitempty"`   // files of KEY=VALUE lines, absolute, read at each start; they win over Env …
	EnvOver   []string          `json:"env_over,omitempty"`   // … but for these variables of it, which the user gave beside them
	FilterEnv []string          `json:"filter_env,omitempty"` // variables whose name contains one of these are dropped

	Instances    int      `json:"instances,omitempty"`     // worker count, at least 1 once normalised
	ExecMode     ExecMode `json:"exec_mode,omitempty"`     // fork or cluster
	InstanceVar  string   `json:"instance_var,omitempty"`  // NODE_APP_INSTANCE when empty
	IncrementVar string   `json:"increment_var,omitempty"` // env var raised by one for each instance

	OutFile     string `json:"out_file,omitempty"`   // "" = <home>/logs/<name>-out.log
	ErrorFile   string `json:"error_file,omitempty"` // "" = <home>/logs/<name>-error.log
	MergeLogs   bool   `json:"merge_logs,omitempty"` // no -<id> suffix
	DisableLogs bool   `json:"disable_logs,omitempty"`
	LogFile     string `json:"log_file,omitempty"`        // both streams in true order; "true" = <home>/logs/<name>.log
	LogFormat   string `json:"log_date_format,omitempty"` // of a time before each line, in dayjs's letters: YYYY-MM-DD HH:mm:ss
	LogType     string `json:"log_type,omitempty"`        // "json": an object a line; "" or "raw": as printed
	LogRotate   Rotate `json:"log_rotate,omitzero"`
	Log         Lines  `json:"log,omitzero"`
	PidFile     string `json:"pid_file,omitempty"`
	Stdin       bool   `json:"stdin,omitempty"` // a pipe that `send` writes to; else nothing to read

	User  string `json:"uid,omitempty"` // name or number
	Group string `json:"gid,omitempty"`

	Nice        *int              `json:"nice,omitempty"`          // -20..19, setpriority(2)
	Rlimits     map[string]string `json:"rlimits,omitempty"`       // "nofile": "4096" or "1024:4096" or "unlimited", setrlimit(2)
	CPUs        []int             `json:"cpus,omitempty"`          // sched_setaffinity(2)
	CPUAffinity Affinity          `json:"cpu_affinity,omitempty"`  // how instances share the CPUs
	OOMScoreAdj *int              `json:"oom_score_adj,omitempty"` // -1000..1000, proc(5)

	Limits Limits `json:"limits,omitzero"` // what each instance may use, cgroups(7)

	Listen              []string `json:"listen,omitempty"`                // tcp://host:port, unix://path, udp://host:port; given to the process by LISTEN_FDS, sd_listen_fds(3)
	Sticky              Sticky   `json:"sticky,omitempty"`                // how a client stays with its worker
	SharedSocket        bool     `json:"shared_socket,omitempty"`         // one listening socket for all workers instead of one for each
	ShutdownWithMessage bool     `json:"shutdown_with_message,omitempty"` // the message "shutdown" instead of the stop signal
	NoAgent             bool     `json:"no_agent,omitempty"`              // nothing is preloaded into Node

	AwaitPort time.Time `json:"await_port,omitzero"` // until then a cluster worker whose port is in use waits for it instead of being told: an app that moves here boots before it is stopped there

	Watch       []string      `json:"watch,omitempty"`        // directories and files whose change restarts it, relative to Cwd; none = no watch
	IgnoreWatch []string      `json:"ignore_watch,omitempty"` // what of them does not matter, as in .gitignore
	WatchDelay  time.Duration `json:"watch_delay,omitempty"`  // quiet time after a change before the restart

	CronRestart      string `json:"cron_restart,omitempty"`       // 5 or 6 fields; "" or "0" = never
	Timezone         string `json:"timezone,omitempty"`           // of its schedules, like Europe/Berlin; "" = the machine's
	MaxMemoryRestart int64  `json:"max_memory_restart,omitempty"` // bytes of the whole tree of an instance; 0 = no limit

	Schedule   Schedule     `json:"schedule,omitzero"`     // makes it a job: it is not kept up, but run at set times
	DependsOn  []Dependency `json:"depends_on,omitempty"`  // what has to be before it is started
	Health     Health       `json:"health,omitzero"`       // whether it is well while it runs
	Hooks      []Hook       `json:"hooks,omitempty"`       // what is to happen when something happens to it
	PostUpdate []string     `json:"post_update,omitempty"` // commands that pull, forward and backward run in Cwd before they reload
	Autoscale  Autoscale    `json:"autoscale,omitzero"`    // how many instances, by how busy they are

	NoAutostart bool   `json:"no_autostart,omitempty"`
	Policy      Policy `json:"policy"`
}

// Rotate says when a log file is set aside and how long it is kept. The zero value means the defaults.
type Rotate struct {
	Off      bool          `json:"off,omitempty"`
	MaxSize  int64         `json:"max_size,omitempty"` // bytes; 0 = 50 MiB
	Every    time.Duration `json:"every,omitempty"`    // 0 = by size only
	Cron     string        `json:"cron,omitempty"`     // also at these times: 5 or 6 fields
	Keep     int           `json:"keep,omitempty"`     // rotated files; 0 = 10
	MaxAge   time.Duration `json:"max_age,omitempty"`  // 0 = any age
	Compress string        `json:"compress,omitempty"` // gzip (default), zstd or none
}

// Lines says what happens to the lines that an app prints.
type Lines struct {
	Driver LogDriver `json:"driver,omitempty"` // where they go besides the files
	Rate   int       `json:"rate,omitempty"`   // so many a second of each stream; more are left out and counted. 0 = any number
	Redact []string  `json:"redact,omitempty"` // regular expressions, RE2; what they match (their groups, if they have some) is not written
}

// LogDriver says where lines go besides the log files, which stay as the buffer and for `gpm logs`.
type LogDriver string

// The drivers.
const (
	Journald  LogDriver = "journald"
	Syslog    LogDriver = "syslog"
	DriverOut LogDriver = "stdout" // of gpm itself, where it runs in the foreground
)

// ExecMode says how the instances of an app share their ports.
type ExecMode string

// The two modes, as pm2 spells them on the wire.
const (
	Fork    ExecMode = "fork"
	Cluster ExecMode = "cluster"
)

// Affinity says which CPUs an instance runs on.
type Affinity string

// Spread gives each instance one CPU, in turn.
const Spread Affinity = "spread"

// Sticky says what keeps the connections of one client with one worker.
type Sticky string

// StickyIP goes by the client's address.
const StickyIP Sticky = "ip"

// Policy says when and how fast to restart and how long to wait at each step.
// The zero value is not useful; start from [DefaultPolicy].
type Policy struct {
	NoAutorestart bool          `json:"no_autorestart,omitempty"`
	Task          bool          `json:"task,omitempty"`            // it runs once: exit code 0 is its end, anything else a failure
	StopExitCodes []int         `json:"stop_exit_codes,omitempty"` // exits with these codes are final
	MinUptime     time.Duration `json:"min_uptime"`                // shorter runs count as unstable
	MaxRestarts   int           `json:"max_restarts"`              // unstable runs in a row before errored
	RestartDelay  time.Duration `json:"restart_delay,omitempty"`   // fixed delay; 0 = exponential back-off
	BackoffFirst  time.Duration `json:"backoff_first"`             // delay before the second restart in a row; the first is immediate
	BackoffMax    time.Duration `json:"backoff_max"`
	StableAfter   time.Duration `json:"stable_after"` // a run this long resets the back-off

	KillSignal    string        `json:"kill_signal"` // "SIGINT"
	KillTimeout   time.Duration `json:"kill_timeout"`
	NoTreekill    bool          `json:"no_treekill,omitempty"` // signal and kill the leader only
	WaitReady     bool          `json:"wait_ready,omitempty"`  // online only after a readiness message
	Ready         Ready         `json:"ready,omitzero"`        // another sign that it is online
	ListenTimeout time.Duration `json:"listen_timeout"`        // how long readiness is awaited
	HangLimit     time.Duration `json:"hang_limit,omitempty"`  // a Node process whose event loop does not turn for so long is replaced; 0 = never
}

// TimeFormat is the LogFormat of --time.
const TimeFormat = "YYYY-MM-DDTHH:mm:ss"

// DefaultPolicy returns gpm's defaults: pm2's numbers where they are sound, a longer kill timeout, exponential back-off, and more time to
// become ready: pm2 goes on when that is over, gpm gives a replacement up.
func DefaultPolicy() Policy {
	return Policy{
		MinUptime:     time.Second,
		MaxRestarts:   16,
		BackoffFirst:  100 * time.Millisecond,
		BackoffMax:    15 * time.Second,
		StableAfter:   30 * time.Second,
		KillSignal:    "SIGINT",
		KillTimeout:   5 * time.Second,
		ListenTimeout: 10 * time.Second,
	}
}

// Clone returns a deep copy.
func (s Spec) Clone() Spec {
	s.Args = slices.Clone(s.Args)
	s.InterpreterArgs = slices.Clone(s.InterpreterArgs)
	s.Env = maps.Clone(s.Env)
	s.EnvFile = slices.Clone(s.EnvFile)
	s.EnvOver = slices.Clone(s.EnvOver)
	s.FilterEnv = slices.Clone(s.FilterEnv)
	s.Rlimits = maps.Clone(s.Rlimits)
	s.CPUs = slices.Clone(s.CPUs)
	s.Listen = slices.Clone(s.Listen)
	s.Watch = slices.Clone(s.Watch)
	s.IgnoreWatch = slices.Clone(s.IgnoreWatch)
	s.DependsOn = slices.Clone(s.DependsOn)
	s.Hooks = slices.Clone(s.Hooks)
	for i := range s.Hooks {
		s.Hooks[i].Run = slices.Clone(s.Hooks[i].Run)
	}
	s.PostUpdate = slices.Clone(s.PostUpdate)
	s.Log.Redact = slices.Clone(s.Log.Redact)
	s.Health.Exec = slices.Clone(s.Health.Exec)
	s.Policy.StopExitCodes = slices.Clone(s.Policy.StopExitCodes)
	s.Policy.Ready.Exec = slices.Clone(s.Policy.Ready.Exec)
	return s
}
