package pm2

import (
	"context"
	"encoding/json"
	"time"

	"gpm/app"
)

// Backend is what a daemon does for pm2's clients. Methods are called from many
// goroutines; they return when the action is done, as pm2's clients expect. Their
// errors reach the user as they are.
type Backend interface {
	// Daemon describes the daemon.
	Daemon(ctx context.Context) (app.DaemonStatus, error)
	// List returns all processes with their usage, by id.
	List(ctx context.Context) ([]Process, error)
	// Host measures the machine.
	Host(ctx context.Context) (app.Host, error)

	// Start starts a new app and returns its processes.
	Start(ctx context.Context, c Config) ([]Process, error)
	// StartID starts a process that is stopped.
	StartID(ctx context.Context, id int) (Process, error)
	// Stop stops a process and keeps it in the list.
	Stop(ctx context.Context, id int) (Process, error)
	// Restart changes what c sets (its Env is merged over the present one) and restarts.
	Restart(ctx context.Context, id int, c Config) (Process, error)
	// Reload is Restart without an interruption where the app allows it.
	Reload(ctx context.Context, id int, c Config) (Process, error)
	// Delete stops a process and removes it from the list; it returns the last state.
	Delete(ctx context.Context, id int) (Process, error)
	// Duplicate starts one more instance of the app of a process (scaling up; pm2
	// scales down with Delete).
	Duplicate(ctx context.Context, id int) (Process, error)
	// Reset sets the counters of restarts to zero.
	Reset(ctx context.Context, id int) error
	// Watch turns the watching of files on or off.
	Watch(ctx context.Context, id int, w Watch) error

	// Signal sends a signal by name ("SIGUSR2").
	Signal(ctx context.Context, id int, signal string) error
	// SendData sends a packet, a JSON object, over the process's IPC channel.
	SendData(ctx context.Context, id int, packet json.RawMessage) error
	// SendLine writes text to the standard input.
	SendLine(ctx context.Context, id int, text string) error
	// Trigger finds the processes that offer an action; send asks them to run it.
	// Their answers come as axm:reply on the [Bus].
	Trigger(ctx context.Context, t Trigger) (takers int, send func(), err error)

	// ReloadLogs opens all log files anew.
	ReloadLogs(ctx context.Context) error
	// NotifyKill tells the subscribers of the [Bus] that the daemon is going to end.
	NotifyKill()
	// Kill begins the end of the daemon. It may return before that.
	Kill(ctx context.Context) error
}

// Watch is what to do about the watching of files.
type Watch uint8

// The changes of watching.
const (
	WatchOff Watch = iota
	WatchOn
	WatchToggle
)

// Trigger is a request to run an action inside an app.
type Trigger struct {
	ID     int             // -1: by Name
	Name   string          //
	Action string          //
	Param  json.RawMessage // nil = none
	UUID   string          // of a scoped action, "" else
}

// Message is what the process with this id is sent: the bare name of the action, or with its parameter.
func (t Trigger) Message(id int) json.RawMessage {
	o := &Object{}
	o.Set("msg", t.Action)
	if len(t.Param) > 0 {
		o.Set("opts", t.Param)
	}
	if t.UUID != "" {
		o.Set("uuid", t.UUID)
	}
	o.Set("id", id)
	var v any = o
	if len(t.Param) == 0 && t.UUID == "" {
		v = t.Action
	}
	text, err := Encode(v)
	if err != nil { // a parameter that was valid when it came
		return json.RawMessage("null")
	}
	return text
}

// Metric is a figure with its unit, as pm2 shows it. Value is a number or text.
type Metric struct {
	Value    any    `json:"value"`
	Type     string `json:"type,omitempty"`
	Unit     string `json:"unit,omitempty"`
	Historic bool   `json:"historic"`
}

// Process is one process as pm2's clients see it: what gpm knows of it, and what
// only pm2's own instrumentation has words for. The zero More is all right.
type Process struct {
	app.Detail
	More More
}

// More is the part of a [Process] that [app.Detail] does not hold.
type More struct {
	UniqueID   string // "" = made from the app's record and name
	Versioning any    // of the app's repository; nil = not looked for
	// Settings are the others in pm2's words and units (bytes, milliseconds):
	// "max_memory_restart", "cron_restart", "watch", "env_production" …
	Settings map[string]any
}

// Config is an app as pm2's clients describe it, in gpm's words.
type Config struct {
	Spec app.Spec       // what Set names is meaningful; the rest is the zero value
	Set  app.Fields     // which fields of Spec were given
	Rest map[string]any // settings that Spec has no field for, in pm2's words and units

	// The rest is only in dump.pm2.
	Status   string    // pm2's word for the state when it was saved, "" = not said
	Restarts int       //
	Created  time.Time //
}
