package pm2

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"time"

	"gpm/app"
)

// View says how processes are shown to pm2's clients.
type View struct {
	Home string // what PM2_HOME is
	// Mask returns what to show for a variable; nil shows all. pm2's own clients
	// need the values: what `save` writes is what they were shown.
	Mask func(key, value string) string
}

// Element is the JSON object of one process, as in jlist: {pid, name, pm2_env,
// pm_id, monit}. Times are milliseconds since 1970, sizes bytes, durations
// milliseconds. pid is 0 without a process.
func Element(p Process, v View) *Object {
	pid := 0
	if p.State.HasChild() {
		pid = p.PID
	}
	o := &Object{}
	o.Set("pid", pid)
	o.Set("name", p.Name)
	o.Set("pm2_env", Env(p, v))
	o.Set("pm_id", p.ID)
	o.Set("monit", monit(p.Usage))
	return o
}

func monit(u *app.Usage) *Object {
	o := &Object{}
	if u == nil {
		u = &app.Usage{}
	}
	o.Set("memory", u.RSS)
	o.Set("cpu", math.Round(u.CPU*10)/10)
	return o
}

// settings is about how many members of pm2_env are no variables.
const settings = 64

// Env is pm2_env: the settings, the environment once as "env" and once flattened,
// and the state. A variable never hides a setting or the state of the same name.
func Env(p Process, v View) *Object {
	env := environment(p, v)
	o := sized(len(env.Members()) + settings)
	identity(o, p, env)
	restarting(o, p)
	execution(o, p)
	for _, key := range slices.Sorted(maps.Keys(p.More.Settings)) {
		o.SetNew(key, p.More.Settings[key])
	}
	state := sized(settings)
	condition(state, p, v)
	for _, m := range env.Members() {
		if _, taken := state.Get(m.Key); !taken {
			o.SetNew(m.Key, m.Value)
		}
	}
	for _, m := range state.Members() {
		o.Set(m.Key, m.Value)
	}
	return o
}

// environment is the declared one, not the process's: it is what `save` keeps and
// a restart needs.
func environment(p Process, v View) *Object {
	o := sized(len(p.Spec.Env) + 1)
	for _, key := range slices.Sorted(maps.Keys(p.Spec.Env)) {
		value := p.Spec.Env[key]
		if v.Mask != nil {
			value = v.Mask(key, value)
		}
		o.Set(key, value)
	}
	return o
}

func identity(o *Object, p Process, env *Object) {
	o.Set("name", p.Name)
	o.Set("namespace", orElse(p.Namespace, "default"))
	if _, _, args := executed(p); len(args) > 0 {
		o.Set("args", args)
	}
	o.Set("node_args", list(p.Spec.InterpreterArgs))
	o.Set("filter_env", list(p.Spec.FilterEnv))
	inner := env.Without() // a copy
	inner.Set("unique_id", uniqueID(p))
	o.Set("env", inner)
}

func restarting(o *Object, p Process) {
	policy := p.Spec.Policy
	o.Set("autostart", !p.Spec.NoAutostart)
	o.Set("autorestart", !policy.NoAutorestart)
	o.Set("watch", watching(p))
	upkeep(o, p.Spec)
	o.Set("treekill", !policy.NoTreekill)
	o.Set("kill_timeout", policy.KillTimeout.Milliseconds())
	o.Set("listen_timeout", policy.ListenTimeout.Milliseconds())
	o.Set("min_uptime", policy.MinUptime.Milliseconds())
	o.Set("max_restarts", policy.MaxRestarts)
	if policy.RestartDelay > 0 {
		o.Set("restart_delay", policy.RestartDelay.Milliseconds())
	} else if policy.BackoffFirst != app.DefaultPolicy().BackoffFirst {
		o.Set("exp_backoff_restart_delay", policy.BackoffFirst.Milliseconds())
	}
	if policy.WaitReady {
		o.Set("wait_ready", true)
	}
	if len(policy.StopExitCodes) > 0 {
		o.Set("stop_exit_codes", policy.StopExitCodes)
	}
}

// watching is a truth, or the paths.
func watching(p Process) any {
	if paths := p.Spec.Watch; p.Watching && (len(paths) != 1 || paths[0] != ".") && len(paths) > 0 {
		return paths
	}
	return p.Watching
}

func upkeep(o *Object, s app.Spec) {
	if len(s.IgnoreWatch) > 0 {
		o.Set("ignore_watch", s.IgnoreWatch)
	}
	if s.WatchDelay > 0 {
		o.Set("watch_delay", s.WatchDelay.Milliseconds())
	}
	if s.MaxMemoryRestart > 0 {
		o.Set("max_memory_restart", s.MaxMemoryRestart)
	}
	if s.CronRestart != "" {
		o.Set("cron_restart", s.CronRestart)
	}
	if s.ShutdownWithMessage {
		o.Set("shutdown_with_message", true)
	}
}

func execution(o *Object, p Process) {
	s := p.Spec
	o.Set("instance_var", orElse(s.InstanceVar, "NODE_APP_INSTANCE"))
	if s.IncrementVar != "" {
		o.Set("increment_var", s.IncrementVar)
	}
	o.Set("instances", max(1, s.Instances))
	o.Set("exec_mode", orElse(string(p.Mode), "fork")+"_mode")
	path, by, _ := executed(p)
	o.Set("exec_interpreter", by)
	o.Set("pm_exec_path", path)
	o.Set("pm_cwd", s.Cwd)
	o.Set("pm_out_log_path", p.OutLog)
	o.Set("pm_err_log_path", p.ErrLog)
	o.Set("pm_pid_path", p.PidFile)
	o.Set("merge_logs", s.MergeLogs || p.Mode != app.Cluster && s.Instances <= 1)
	if s.DisableLogs {
		o.Set("disable_logs", true)
	}
	for _, given := range []Member{
		{"pm_log_path", p.AllLog}, {"log_date_format", s.LogFormat}, {"log_type", s.LogType},
	} {
		if given.Value != "" {
			o.Set(given.Key, given.Value)
		}
	}
	if s.LogFormat == app.TimeFormat {
		o.Set("time", true)
	}
	owner(o, s)
	// What has no meaning here but is looked for there.
	o.Set("pmx", true)
	o.Set("automation", true)
	o.Set("vizion", true)
	o.Set("vizion_running", false)
	o.Set("km_link", false)
	o.Set("windowsHide", true)
	o.Set("kill_retry_time", 100)
	o.Set("username", p.User)
}

func condition(o *Object, p Process, v View) {
	o.Set(orElse(p.Spec.InstanceVar, "NODE_APP_INSTANCE"), p.Slot)
	o.Set("unique_id", uniqueID(p))
	o.Set("PM2_HOME", v.Home)
	o.Set("PM2_USAGE", "CLI")
	o.Set("status", p.State.String())
	o.Set("pm_id", p.ID)
	o.Set("pm_uptime", milli(p.Since))
	o.Set("created_at", milli(p.Created))
	o.Set("restart_time", p.Restarts)
	o.Set("unstable_restarts", p.Unstable)
	o.Set("prev_restart_delay", delay(p.Status))
	if p.Exit != nil {
		o.Set("exit_code", ExitCode(*p.Exit))
	}
	o.Set("version", orElse(p.Version, "N/A"))
	if version := nodeVersion(p); version != "" {
		o.Set("node_version", version)
	}
	if p.Mode == app.Cluster {
		o.Set("_pm2_version", Speaks)
	}
	o.Set("versioning", p.More.Versioning)
	o.Set("axm_actions", actions(p))
	o.Set("axm_monitor", monitored(p))
	o.Set("axm_options", orEmpty(p.Options))
	o.Set("axm_dynamic", map[string]any{})
}

// executed is what runs as pm2 says it: a line for the shell is the shell's argument, and a program on PATH has a whole path. A
// pm2 that reads the dump starts the same then.
func executed(p Process) (path, by string, args []string) {
	path = p.Spec.Script
	switch {
	case p.Program == path && !filepath.IsAbs(path) && len(p.Argv) > 2 && p.Argv[1] == "-c":
		return p.Argv[0], "none", p.Argv[1:]
	case !filepath.IsAbs(path) && filepath.IsAbs(p.Program):
		path = p.Program
	}
	return path, interpreter(p), p.Spec.Args
}

func interpreter(p Process) string {
	switch {
	case p.Spec.Interpreter != "":
		return p.Spec.Interpreter
	case p.Program == "" || p.Program == p.Spec.Script:
		return "none"
	}
	return filepath.Base(p.Program)
}

// delay is how long the present waiting for a restart takes.
func delay(s app.Status) int64 {
	if s.State != app.Waiting || s.Deadline.IsZero() {
		return 0
	}
	return max(0, s.Deadline.Sub(s.Since).Milliseconds())
}

// ExitCode is pm2's one number for an exit: the code, or as a shell says it 128
// plus the signal. (pm2 records 0 for a signal, which looks like success.)
func ExitCode(e app.Exit) int {
	if n, ok := signalNumbers()[e.Signal]; ok {
		return 128 + n
	}
	return e.Code
}

// signalNumbers are those that POSIX or every Unix of ours numbers alike.
func signalNumbers() map[string]int {
	return map[string]int{
		"SIGHUP": 1, "SIGINT": 2, "SIGQUIT": 3, "SIGILL": 4, "SIGTRAP": 5, "SIGABRT": 6,
		"SIGFPE": 8, "SIGKILL": 9, "SIGSEGV": 11, "SIGPIPE": 13, "SIGALRM": 14, "SIGTERM": 15,
	}
}

// uniqueID is the same for all instances of an app and for its whole life, in the
// form of a random UUID.
func uniqueID(p Process) string {
	if p.More.UniqueID != "" {
		return p.More.UniqueID
	}
	h := sha256.Sum256(fmt.Appendf(nil, "%d\x00%s", p.App, p.Name))
	h[6] = h[6]&0x0f | 0x40
	h[8] = h[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", h[:4], h[4:6], h[6:8], h[8:10], h[10:16])
}

// milli is a JavaScript date; 0 for no time.
func milli(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func list(s []string) []string { return append([]string{}, s...) }

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func orEmpty[V any](m map[string]V) map[string]V {
	if m == nil {
		return map[string]V{}
	}
	return m
}
