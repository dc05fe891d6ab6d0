package ecosystem

import (
	"fmt"
	"strings"
	"time"

	"gpm/app"
)

// Field is one setting of an app. The table of them is the only place that knows which keys there are.
type Field struct {
	Name    string   // as documented; its camelCase form is known too
	Aliases []string // other names, in snake_case; their camelCase forms are known too
	Type    Type
	Default string // in words; what gpm does without the field
	Doc     string // one line for people; units, where there are any
	Spec    string // name in app.Spec that it sets, for app.Fields; "" = the value goes to Extra

	Low, High int // bounds of a number, Low in milliseconds for a Duration; both 0 = those of the type

	OneOf []string // the only words of a Text; nil = any
	Parts []Field  // what an object may hold in the field's place; their Spec begins with that of an object, as "log_rotate.keep"

	Instead string // what to use for a field that somebody would miss; its use is warned of

	put func(*app.Spec, any) // nil with Spec "" or where assembling an app takes several fields
}

// Fields returns the table: every field that an app of an ecosystem file may have.
func Fields() []Field {
	var all []Field
	for _, part := range [][]Field{programFields(), environmentFields(), logFields(), restartFields(), stopFields(), clusterFields(), machineFields(), careFields(), otherFields()} {
		all = append(all, part...)
	}
	return all
}

func programFields() []Field {
	return []Field{
		{Name: "script", Aliases: []string{"exec", "cmd", "command"}, Type: Text, Spec: "script", Doc: "File, program on PATH, or command line with spaces to run. Required.",
			put: func(s *app.Spec, v any) { s.Script = v.(string) }},
		{Name: "name", Type: Text, Default: "the script's base name without extension", Spec: "name", Doc: "What the app is called in commands and lists.",
			put: func(s *app.Spec, v any) { s.Name = v.(string) }},
		{Name: "name_prefix", Type: Text, Doc: "Put before the name, with a colon.", Spec: "name"},
		{Name: "namespace", Type: Text, Default: "default", Spec: "namespace", Doc: "Group of apps that commands can name together.",
			put: func(s *app.Spec, v any) { s.Namespace = v.(string) }},
		{Name: "cwd", Type: Text, Default: "the directory the command is given in", Spec: "cwd", Doc: "Working directory of the app. A relative one counts from the directory the command is given in, not from the file's."},
		{Name: "args", Type: Words, Spec: "args", Doc: "Arguments of the script.",
			put: func(s *app.Spec, v any) { s.Args = v.([]string) }},
		{Name: "exec_interpreter", Aliases: []string{"interpreter"}, Type: Text, Default: "by the script's extension or first line", Spec: "interpreter", Doc: "Program that runs the script; none executes it directly.",
			put: func(s *app.Spec, v any) { s.Interpreter = v.(string) }},
		{Name: "node_args", Aliases: []string{"interpreter_args"}, Type: Words, Spec: "interpreter_args", Doc: "Arguments of the interpreter, before the script.",
			put: func(s *app.Spec, v any) { s.InterpreterArgs = v.([]string) }},
		{Name: "exec_mode", Type: Mode, Default: "fork; cluster when instances is set and Node or Bun runs the script", Spec: "exec_mode", Doc: "Whether the instances share their ports."},
		{Name: "execute_command", Type: Bool, Default: "false", Spec: "exec_mode", Doc: "The same as exec_mode: fork."},
		{Name: "instances", Type: Instances, Default: "1", Spec: "instances", Doc: "How many processes: a number, 0 or max for one per CPU, a negative number for so many fewer than CPUs, or a percentage of the CPUs."},
		{Name: "instance_var", Type: Text, Default: "NODE_APP_INSTANCE", Spec: "instance_var", Doc: "Environment variable that holds the number of the instance.",
			put: func(s *app.Spec, v any) { s.InstanceVar = v.(string) }},
		{Name: "increment_var", Type: Text, Spec: "increment_var", Doc: "Environment variable that is raised by one for each instance, from its value in env or 0.",
			put: func(s *app.Spec, v any) { s.IncrementVar = v.(string) }},
		{Name: "autostart", Type: Bool, Default: "true", Spec: "no_autostart", Doc: "false adds the app without starting it.",
			put: func(s *app.Spec, v any) { s.NoAutostart = !v.(bool) }},
		{Name: "uid", Aliases: []string{"user"}, Type: Text, Default: "the user of the daemon", Spec: "uid", Doc: "User that the app runs as, by name or number; needs root.",
			put: func(s *app.Spec, v any) { s.User = v.(string) }},
		{Name: "gid", Type: Text, Default: "the user's group", Spec: "gid", Doc: "Group that the app runs as, by name or number; needs root.",
			put: func(s *app.Spec, v any) { s.Group = v.(string) }},
	}
}

func environmentFields() []Field {
	return []Field{
		{Name: "env", Type: Environment, Spec: "env", Doc: "Environment variables. Values that are no strings are written as JSON."},
		{Name: "env_file", Type: Words, Spec: "env", Doc: "Files of KEY=VALUE lines, counted from cwd; env wins over them, and a later file over an earlier one."},
		{Name: "filter_env", Type: BoolOrWords, Default: "none", Doc: "Which variables of the caller are not inherited: true = all, a string = that one, a list = those whose name contains one of them."},
		{Name: "append_env_to_name", Type: Bool, Default: "false", Doc: "Adds -NAME to the name with --env NAME."},
		{Name: "port", Type: Count, High: 65535, Spec: "env", Doc: "Sets the variable PORT."},
	}
}

func restartFields() []Field {
	return []Field{
		{Name: "autorestart", Type: Bool, Default: "true", Spec: "policy.no_autorestart", Doc: "Whether the app is started again when it ends.",
			put: func(s *app.Spec, v any) { s.Policy.NoAutorestart = !v.(bool) }},
		{Name: "stop_exit_codes", Type: Codes, Default: "none", Spec: "policy.stop_exit_codes", Doc: "Exit codes after which the app is not started again.",
			put: func(s *app.Spec, v any) { s.Policy.StopExitCodes = v.([]int) }},
		{Name: "min_uptime", Type: Duration, Low: 100, Default: "1000", Spec: "policy.min_uptime", Doc: "Milliseconds, or a time like 1s, 1m, 1h; at least 100. A shorter run counts as unstable.",
			put: func(s *app.Spec, v any) { s.Policy.MinUptime = v.(time.Duration) }},
		{Name: "max_restarts", Type: Count, Default: "16", Spec: "policy.max_restarts", Doc: "Unstable runs in a row before the app is given up as errored.",
			put: func(s *app.Spec, v any) { s.Policy.MaxRestarts = v.(int) }},
		{Name: "restart_delay", Type: Duration, Default: "0: the delay grows with each restart in a row", Spec: "policy.restart_delay", Doc: "Milliseconds, or a time like 1s, before each restart.",
			put: func(s *app.Spec, v any) { s.Policy.RestartDelay = v.(time.Duration) }},
		{Name: "exp_backoff_restart_delay", Aliases: []string{"backoff_first"}, Type: Duration, Default: "100", Spec: "policy.backoff_first", Doc: "Milliseconds, or a time like 1s: the first delay of those that grow; it counts instead of restart_delay.",
			put: func(s *app.Spec, v any) {
				if s.Policy.BackoffFirst = v.(time.Duration); s.Policy.BackoffFirst > 0 {
					s.Policy.RestartDelay = 0
				}
			}},
		{Name: "backoff_max", Type: Duration, Default: "15000", Spec: "policy.backoff_max", Doc: "Milliseconds, or a time like 15s: the longest delay of those that grow.",
			put: func(s *app.Spec, v any) { s.Policy.BackoffMax = v.(time.Duration) }},
		{Name: "stable_after", Type: Duration, Default: "30000", Spec: "policy.stable_after", Doc: "Milliseconds, or a time like 30s: a run this long resets the growing delay.",
			put: func(s *app.Spec, v any) { s.Policy.StableAfter = v.(time.Duration) }},
		{Name: "max_memory_restart", Type: Size, Default: "none", Doc: "Bytes, or a size like 512M, 2G: restart above it."},
		{Name: "cron_restart", Aliases: []string{"cron"}, Type: Cron, Default: "none", Doc: "Cron pattern of five fields, or six with seconds, at which to restart; 0 = none."},
		{Name: "watch", Type: BoolOrWords, Default: "false", Doc: "Restart when files change: true = those below cwd, or the paths to watch."},
		{Name: "ignore_watch", Type: Words, Default: "dotfiles and node_modules", Doc: "What watch leaves out."},
		{Name: "watch_delay", Type: Duration, Default: "0", Doc: "Milliseconds, or a time like 1s, to wait after a change."},
		{Name: "watch_options", Type: Object, Default: "none", Doc: "Options of pm2's watcher; of no effect.", Instead: "watch, ignore_watch and watch_delay say what is watched"},
		{Name: "force", Type: Bool, Default: "false", Doc: "Start a second copy of a script that runs already."},
	}
}

func stopFields() []Field {
	return []Field{
		{Name: "kill_signal", Type: Signal, Default: "SIGINT", Spec: "policy.kill_signal", Doc: "Signal that asks the app to stop.",
			put: func(s *app.Spec, v any) { s.Policy.KillSignal = v.(string) }},
		{Name: "kill_timeout", Type: Duration, Default: "5000", Spec: "policy.kill_timeout", Doc: "Milliseconds, or a time like 5s, before the app is killed that does not stop.",
			put: func(s *app.Spec, v any) { s.Policy.KillTimeout = v.(time.Duration) }},
		{Name: "kill_retry_time", Type: Duration, Default: "100", Doc: "Milliseconds between two looks at a stopping app. gpm is told by the system and does not look."},
		{Name: "shutdown_with_message", Type: Bool, Default: "false", Doc: "Ask the app to stop by the message shutdown on its channel instead of a signal."},
		{Name: "treekill", Type: Bool, Default: "true", Spec: "policy.no_treekill", Doc: "Whether the app's child processes are stopped with it.",
			put: func(s *app.Spec, v any) { s.Policy.NoTreekill = !v.(bool) }},
		{Name: "wait_ready", Type: Bool, Default: "false", Spec: "policy.wait_ready", Doc: "The app is online only once it sends the message ready.",
			put: func(s *app.Spec, v any) { s.Policy.WaitReady = v.(bool) }},
		{Name: "listen_timeout", Type: Duration, Default: "10000", Spec: "policy.listen_timeout", Doc: "Milliseconds, or a time like 3s, to wait for readiness.",
			put: func(s *app.Spec, v any) { s.Policy.ListenTimeout = v.(time.Duration) }},
	}
}

func machineFields() []Field {
	return []Field{
		{Name: "nice", Type: Number, Low: -20, High: 19, Default: "that of the daemon", Spec: "nice", Doc: "Scheduling priority from -20 to 19.",
			put: func(s *app.Spec, v any) { s.Nice = new(v.(int)) }},
		{Name: "rlimits", Type: Limits, Default: "those of the daemon", Spec: "rlimits", Doc: "Resource limits such as nofile: 4096 or 1024:4096 or unlimited.",
			put: func(s *app.Spec, v any) { s.Rlimits = v.(map[string]string) }},
		{Name: "cpus", Type: CPUs, Default: "all", Spec: "cpus", Doc: "CPUs that the app may use.",
			put: func(s *app.Spec, v any) { s.CPUs = v.([]int) }},
		{Name: "oom_score_adj", Type: Number, Low: -1000, High: 1000, Default: "that of the daemon", Spec: "oom_score_adj", Doc: "Adjustment from -1000 to 1000 of the out-of-memory killer's choice.",
			put: func(s *app.Spec, v any) { s.OOMScoreAdj = new(v.(int)) }},
	}
}

// otherFields are those of no effect on how gpm runs an app.
func otherFields() []Field {
	return []Field{
		{Name: "username", Type: Text, Default: "the current user", Doc: "User shown in lists."},
		{Name: "source_map_support", Type: Bool, Default: "true", Doc: "Node source maps in stack traces."},
		{Name: "disable_source_map_support", Type: Bool, Default: "false", Doc: "The opposite of source_map_support."},
		{Name: "post_update", Type: Lines, Spec: "post_update", Doc: "Commands that pull, forward and backward run in cwd after an update, before the reload.",
			put: func(s *app.Spec, v any) { s.PostUpdate = v.([]string) }},
		{Name: "vizion", Type: Bool, Default: "true", Doc: "Git metadata in descriptions."},
		{Name: "install_url", Type: Anything, Doc: "Known to pm2; of no effect."},
		{Name: "write", Type: Anything, Doc: "Known to pm2; of no effect."},
		{Name: "windows_hide", Type: Bool, Default: "true", Doc: "No console window on Windows."},
		{Name: "pmx", Type: Anything, Doc: "pm2.io only; of no effect."},
		{Name: "automation", Type: Anything, Doc: "pm2.io only; of no effect."},
		{Name: "trace", Type: Anything, Doc: "pm2.io only; of no effect."},
		{Name: "disable_trace", Type: Anything, Doc: "pm2.io only; of no effect."},
		{Name: "v8", Type: Anything, Doc: "pm2.io only; of no effect."},
		{Name: "event_loop_inspector", Type: Anything, Doc: "pm2.io only; of no effect."},
		{Name: "deep_monitoring", Type: Anything, Doc: "pm2.io only; of no effect."},
		{Name: "io", Type: Anything, Doc: "pm2.io only; of no effect."},
	}
}

// wants says in a message what the field holds.
func (f Field) wants() string {
	switch {
	case len(f.OneOf) > 0:
		return strings.Join(f.OneOf, " or ")
	case f.Type == Duration && f.Low > 0:
		return fmt.Sprintf("%s, at least %d", wanted[f.Type], f.Low)
	case f.Low != 0 || f.High != 0:
		return fmt.Sprintf("a whole number from %d to %d", f.Low, f.High)
	}
	return wanted[f.Type]
}
