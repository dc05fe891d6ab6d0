package main

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gpm/app"
)

// settings collects what options say about an app.
type settings struct {
	spec app.Spec
	set  app.Fields

	mild app.Fields // those of set that give way to what a file says

	envName string // --env NAME, which selects env_NAME of a file
}

// option is one setting on the command line: --name, its shorthand, what it is called in the help, and the
// field of app.Spec that it sets.
type option struct {
	name, short, value, usage string
	field                     string
	set                       func(s *app.Spec, text string) error
}

// options is everything that start and restart can set.
func options() []option {
	return slices.Concat(programOptions(), careOptions(), policyOptions())
}

// programOptions say what runs, and as what.
func programOptions() []option {
	type S = *app.Spec
	return []option{
		{"name", "n", "name", "name of the app", "name", text(func(s S) *string { return &s.Name })},
		{"namespace", "", "name", "group of apps (default \"default\")", "namespace", text(func(s S) *string { return &s.Namespace })},
		{"cwd", "", "dir", "working directory", "cwd", path(func(s S) *string { return &s.Cwd })},
		{"interpreter", "", "program", "what runs the script; none executes it directly", "interpreter", text(func(s S) *string { return &s.Interpreter })},
		{"interpreter-args", "", "args", "arguments of the interpreter", "interpreter_args", words(func(s S) *[]string { return &s.InterpreterArgs })},
		{"node-args", "", "args", "the same", "interpreter_args", words(func(s S) *[]string { return &s.InterpreterArgs })},
		{"instances", "i", "n", "how many; max or 0 is one a CPU, -1 one less, 50% half of them", "instances", instances},
		{"instance-var", "", "name", "variable that holds the number of the instance (default NODE_APP_INSTANCE)", "instance_var", text(func(s S) *string { return &s.InstanceVar })},
		{"increment-var", "", "name", "variable that is raised by one for each instance, such as PORT", "increment_var", text(func(s S) *string { return &s.IncrementVar })},
		{"execute-command", "x", "", "fork mode, whatever the program is", "exec_mode", forkMode},
		{"env", "", "KEY=VALUE", "environment variable (repeatable); of a file, NAME selects env_NAME", "env", variable},
		{"filter-env", "", "text", "drop variables whose name contains this (repeatable)", "filter_env", list(func(s S) *[]string { return &s.FilterEnv })},
		{"output", "o", "file", "log file of stdout", "out_file", path(func(s S) *string { return &s.OutFile })},
		{"error", "e", "file", "log file of stderr", "error_file", path(func(s S) *string { return &s.ErrorFile })},
		{"merge-logs", "", "", "one pair of log files for all instances", "merge_logs", toggle(func(s S) *bool { return &s.MergeLogs })},
		{"disable-logs", "", "", "keep no log files", "disable_logs", toggle(func(s S) *bool { return &s.DisableLogs })},
		{"log", "l", "[=file]", "log file of both streams (default NAME.log)", "log_file", logFile},
		{"log-date-format", "", "format", "a time before each line, like \"YYYY-MM-DD HH:mm:ss\"", "log_date_format", text(func(s S) *string { return &s.LogFormat })},
		{"time", "", "", "the same with YYYY-MM-DDTHH:mm:ss", "log_date_format", timeFormat},
		{"log-type", "", "type", "json: an object a line", "log_type", oneOf(func(s S) *string { return &s.LogType }, "json", "raw")},
		{"log-max-size", "", "size", "a log file is rotated beyond this (default 50M)", "log_rotate.max_size", byteSize(func(s S) *int64 { return &s.LogRotate.MaxSize })},
		{"log-keep", "", "n", "rotated files to keep (default 10)", "log_rotate.keep", number(func(s S) *int { return &s.LogRotate.Keep })},
		{"log-max-age", "", "time", "rotated files older than this are removed", "log_rotate.max_age", duration(func(s S) *time.Duration { return &s.LogRotate.MaxAge })},
		{"log-compress", "", "kind", "gzip (default), zstd or none", "log_rotate.compress", oneOf(func(s S) *string { return &s.LogRotate.Compress }, "gzip", "zstd", "none")},
		{"log-every", "", "time", "a log file is rotated when it is older than this", "log_rotate.every", duration(func(s S) *time.Duration { return &s.LogRotate.Every })},
		{"log-cron", "", "schedule", "log files are rotated at these times: \"0 0 * * *\"", "log_rotate.cron", text(func(s S) *string { return &s.LogRotate.Cron })},
		{"no-log-rotate", "", "", "never rotate", "log_rotate.off", toggle(func(s S) *bool { return &s.LogRotate.Off })},
		{"log-driver", "", "where", "lines go to journald, syslog or stdout as well", "log.driver", logDriver},
		{"log-rate", "", "n", "at most so many lines a second of each stream; what is more is counted", "log.rate", number(func(s S) *int { return &s.Log.Rate })},
		{"log-redact", "", "expression", "what this regular expression matches is not written (repeatable)", "log.redact", list(func(s S) *[]string { return &s.Log.Redact })},
		{"pid", "p", "file", "file for the process id", "pid_file", path(func(s S) *string { return &s.PidFile })},
		{"stdin", "", "", "give it a standard input, for send and attach", "stdin", toggle(func(s S) *bool { return &s.Stdin })},
		{"uid", "", "user", "run as this user", "uid", text(func(s S) *string { return &s.User })},
		{"gid", "", "group", "run as this group", "gid", text(func(s S) *string { return &s.Group })},
		{"nice", "", "n", "priority, -20 (high) to 19", "nice", nice},
		{"rlimit", "", "name=value", "resource limit: nofile=4096, core=0:unlimited (repeatable)", "rlimits", rlimit},
		{"cpu", "", "list", "CPUs to run on: 0,2-3", "cpus", cpus},
		{"cpu-affinity", "", "how", "spread pins instances to one CPU each, in turn", "cpu_affinity", affinity},
		{"oom-score-adj", "", "n", "choice of the out-of-memory killer, -1000 (never) to 1000", "oom_score_adj", oomScore},
	}
}

// careOptions say how its instances work together, and how it is looked after.
func careOptions() []option {
	type S = *app.Spec
	return []option{
		{"listen", "", "address", "give the process this socket by LISTEN_FDS: tcp://:3000, unix:///path, udp://:53 (repeatable)", "listen", list(func(s S) *[]string { return &s.Listen })},
		{"sticky", "", "by", "ip keeps the connections of a client with one worker", "sticky", sticky},
		{"shared-socket", "", "", "one listening socket for all workers", "shared_socket", toggle(func(s S) *bool { return &s.SharedSocket })},
		{"shutdown-with-message", "", "", "ask it to stop by the message \"shutdown\" instead of a signal", "shutdown_with_message", toggle(func(s S) *bool { return &s.ShutdownWithMessage })},
		{"no-agent", "", "", "preload nothing into Node", "no_agent", toggle(func(s S) *bool { return &s.NoAgent })},
		{"watch", "", "[=paths]", "restart it when a file below its directory, or these paths, changes (repeatable); imports: what it has loaded", "watch", watchPaths},
		{"ignore-watch", "", "pattern", "what the watch leaves out, as in .gitignore (several words, repeatable)", "ignore_watch", words(func(s S) *[]string { return &s.IgnoreWatch })},
		{"ext", "", "extensions", "of what is watched, only files with these extensions: js,ts", "ignore_watch", extensions},
		{"watch-delay", "", "time", "how long files must be quiet before the restart: 400ms; a plain number is seconds", "watch_delay", seconds(func(s S) *time.Duration { return &s.WatchDelay })},
		{"cron-restart", "c", "schedule", "restart it at these times: \"0 4 * * *\"; 0 is never", "cron_restart", text(func(s S) *string { return &s.CronRestart })},
		{"cron", "", "schedule", "the same", "cron_restart", text(func(s S) *string { return &s.CronRestart })},
		{"max-memory-restart", "", "size", "restart an instance that uses more, with its children: 200M", "max_memory_restart", byteSize(func(s S) *int64 { return &s.MaxMemoryRestart })},
		{"limit-memory", "", "size", "an instance that needs more is killed, by cgroup v2: 512M", "limits.memory", byteSize(func(s S) *int64 { return &s.Limits.Memory })},
		{"limit-cpu", "", "cpus", "as much CPU time as this many CPUs have, by cgroup v2: 0.5, 150%", "limits.cpu", cpuShare},
		{"limit-pids", "", "n", "so many processes and threads, by cgroup v2", "limits.pids", number(func(s S) *int { return &s.Limits.PIDs })},
		{"limit-io", "", "size", "bytes a second read from and written to the disk of its directory, by cgroup v2: 20M", "limits.io", byteSize(func(s S) *int64 { return &s.Limits.IO })},
		{"health-http", "", "url", "replace it when this does not answer below 400: /health at $PORT, or a whole URL", "health.http", optionalText(func(s S) *string { return &s.Health.HTTP })},
		{"health-tcp", "", "address", "replace it when this does not accept: localhost:3000", "health.tcp", optionalText(func(s S) *string { return &s.Health.TCP })},
		{"health-cmd", "", "command", "replace it when this shell command fails", "health.exec", shellLine(func(s S) *[]string { return &s.Health.Exec })},
		{"health-interval", "", "time", "time between two health checks (default 10s)", "health.interval", duration(func(s S) *time.Duration { return &s.Health.Interval })},
		{"health-timeout", "", "time", "how long a health check may take (default 5s)", "health.timeout", duration(func(s S) *time.Duration { return &s.Health.Timeout })},
		{"health-retries", "", "n", "failures in a row that make it unhealthy (default 3)", "health.retries", number(func(s S) *int { return &s.Health.Retries })},
		{"health-start-period", "", "time", "time after its start in which failures do not count", "health.start_period", duration(func(s S) *time.Duration { return &s.Health.StartPeriod })},
		{"depends-on", "", "app[:condition]", "start it when this app is started, listening, healthy or completed (repeatable)", "depends_on", dependency},
		{"task", "", "", "it runs once: exit code 0 is its end, anything else a failure", "policy.task", toggle(func(s S) *bool { return &s.Policy.Task })},
		{"schedule", "", "times", "run it at these times, as a job: \"0 4 * * *\", @hourly, @every 5m", "schedule.cron", optionalText(func(s S) *string { return &s.Schedule.Cron })},
		{"schedule-overlap", "", "policy", "when the run before goes on still: skip (default), queue or replace", "schedule.overlap", oneOf(func(s S) *string { return &s.Schedule.Overlap }, "skip", "queue", "replace")},
		{"schedule-missed", "", "policy", "runs whose time passed unseen: skip (default), or once for all of them", "schedule.missed", oneOf(func(s S) *string { return &s.Schedule.Missed }, "skip", "once")},
		{"schedule-limit", "", "time", "the longest run of a job", "schedule.limit", duration(func(s S) *time.Duration { return &s.Schedule.Limit })},
		{"timezone", "", "zone", "of its schedules, like Europe/Berlin (default the machine's)", "timezone", optionalText(func(s S) *string { return &s.Timezone })},
		{"on", "", "event=what", "when start, exit, errored, unhealthy or limit happens, run a command or POST to a URL (repeatable)", "hooks", hook},
	}
}

// policyOptions say when it starts and ends.
func policyOptions() []option {
	type S = *app.Spec
	return []option{
		{"no-autostart", "", "", "add it to the list, do not start it", "no_autostart", toggle(func(s S) *bool { return &s.NoAutostart })},
		{"no-autorestart", "", "", "do not restart it when it ends", "policy.no_autorestart", toggle(func(s S) *bool { return &s.Policy.NoAutorestart })},
		{"max-restarts", "", "n", "unstable runs in a row before it is given up (default 16)", "policy.max_restarts", number(func(s S) *int { return &s.Policy.MaxRestarts })},
		{"min-uptime", "", "time", "a shorter run is unstable (default 1s)", "policy.min_uptime", duration(func(s S) *time.Duration { return &s.Policy.MinUptime })},
		{"restart-delay", "", "time", "fixed pause before a restart", "policy.restart_delay", duration(func(s S) *time.Duration { return &s.Policy.RestartDelay })},
		{"exp-backoff-restart-delay", "", "time", "first pause of a growing series (default 100ms)", "policy.backoff_first", duration(func(s S) *time.Duration { return &s.Policy.BackoffFirst })},
		{"stop-exit-codes", "", "codes", "exit codes after which it is not restarted: 0,3", "policy.stop_exit_codes", numbers(func(s S) *[]int { return &s.Policy.StopExitCodes })},
		{"kill-signal", "", "signal", "what asks it to stop (default SIGINT)", "policy.kill_signal", signalName},
		{"kill-timeout", "k", "time", "pause before SIGKILL (default 5s)", "policy.kill_timeout", duration(func(s S) *time.Duration { return &s.Policy.KillTimeout })},
		{"no-treekill", "", "", "stop the process only, not its children", "policy.no_treekill", toggle(func(s S) *bool { return &s.Policy.NoTreekill })},
		{"wait-ready", "", "", "online only after its message \"ready\"", "policy.wait_ready", toggle(func(s S) *bool { return &s.Policy.WaitReady })},
		{"ready", "", "sign", "when it is online: notify (READY=1), 5s, tcp:PORT, an http URL or its /path, exec:COMMAND", "policy.ready", ready},
		{"autoscale", "", "min-max", "keep the number of instances between bounds: 1-8,target=70,metric=loop|cpu,cooldown=30s; off", "autoscale", autoscale},
		{"hang-limit", "", "time", "replace a Node process whose event loop does not turn for so long (default never)", "policy.hang_limit", duration(func(s S) *time.Duration { return &s.Policy.HangLimit })},
		{"listen-timeout", "", "time", "how long to wait for readiness (default 10s)", "policy.listen_timeout", duration(func(s S) *time.Duration { return &s.Policy.ListenTimeout })},
	}
}

// addSettings gives a command the options above and returns where they are collected.
func addSettings(cmd *cobra.Command) *settings {
	s := &settings{set: app.Fields{}}
	for _, o := range options() {
		f := cmd.Flags().VarPF(&setting{s, o}, o.name, o.short, o.usage)
		if o.value == "" || o.name == "watch" {
			f.NoOptDefVal = "true"
		}
	}
	return s
}

// setting is an option as pflag wants it.
type setting struct {
	to     *settings
	option option
}

func (v *setting) String() string { return "" } // defaults are the daemon's
func (v *setting) Type() string {
	if v.option.value == "" {
		return "bool"
	}
	return v.option.value
}

func (v *setting) Set(s string) error {
	if strings.ContainsRune(s, 0) {
		return errors.New("it contains a zero byte")
	}
	if v.option.name == "env" && s != "" && !strings.Contains(s, "=") {
		v.to.envName = s
		return nil
	}
	if err := v.option.set(&v.to.spec, s); err != nil {
		return err
	}
	v.to.set[v.option.field] = true
	return nil
}

// noEnvName refuses --env NAME where there is no file in which to look for env_NAME.
func (s *settings) noEnvName() error {
	if s.envName == "" {
		return nil
	}
	return app.Errorf(app.CodeInvalid, "cannot use --env %q: there is no file with an env_%s", s.envName, s.envName).
		WithHint("name an ecosystem file, or set a variable by --env KEY=VALUE")
}
