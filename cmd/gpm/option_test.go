package main

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"gpm/app"
	"gpm/ecosystem"
)

// parseStart parses a command line as start does, with an environment of one variable.
func parseStart(args ...string) (app.StartRequest, error) {
	var o startOptions
	var req app.StartRequest
	cmd := &cobra.Command{Use: "start", SilenceErrors: true, SilenceUsage: true, RunE: func(cmd *cobra.Command, args []string) (err error) {
		req, err = startRequest(args, cmd.ArgsLenAtDash(), o, []string{"PATH=/bin", "=C:=x", "broken"})
		return err
	}}
	root := &cobra.Command{Use: "gpm", SilenceErrors: true, SilenceUsage: true}
	root.AddCommand(cmd)
	root.SetFlagErrorFunc(flagError)
	o.settings = addSettings(cmd)
	cmd.Flags().BoolVarP(&o.force, "force", "f", false, "")
	cmd.Flags().BoolVarP(&o.updateEnv, "update-env", "a", false, "")
	root.SetArgs(append([]string{"start"}, args...))
	err := root.Execute()
	return req, err
}

func TestStartOptions(t *testing.T) {
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for line, tt := range map[string]struct {
		fields string // that were set, in order
		want   func(s *app.Spec)
	}{
		"--name api":                           {"name", func(s *app.Spec) { s.Name = "api" }},
		"-n api --namespace x":                 {"name namespace", func(s *app.Spec) { s.Name, s.Namespace = "api", "x" }},
		"--cwd sub":                            {"cwd", func(s *app.Spec) { s.Cwd = filepath.Join(here, "sub") }},
		"--interpreter none":                   {"interpreter", func(s *app.Spec) { s.Interpreter = "none" }},
		"--node-args=--a --interpreter-args=b": {"interpreter_args", func(s *app.Spec) { s.InterpreterArgs = []string{"--a", "b"} }},
		"-i 3":                                 {"instances", func(s *app.Spec) { s.Instances = 3 }},
		"-i max":                               {"instances", func(s *app.Spec) { s.Instances = runtime.NumCPU() }},
		"--instances 0":                        {"instances", func(s *app.Spec) { s.Instances = runtime.NumCPU() }},
		"-i -1000":                             {"instances", func(s *app.Spec) { s.Instances = 1 }},
		"-i -1":                                {"instances", func(s *app.Spec) { s.Instances = max(1, runtime.NumCPU()-1) }},
		"-x":                                   {"exec_mode", func(s *app.Spec) { s.ExecMode = app.Fork }},
		"--env A=1 --env B=x=y --env A=2":      {"env", func(s *app.Spec) { s.Env["A"], s.Env["B"], s.EnvOver = "2", "x=y", []string{"A", "B", "A"} }},
		"--env PATH=":                          {"env", func(s *app.Spec) { s.Env["PATH"], s.EnvOver = "", []string{"PATH"} }},
		"--filter-env AWS --filter-env X":      {"filter_env", func(s *app.Spec) { s.FilterEnv = []string{"AWS", "X"} }},
		"-o out.log -e /dev/null": {"error_file out_file", func(s *app.Spec) {
			s.OutFile, s.ErrorFile = filepath.Join(here, "out.log"), "/dev/null"
		}},
		"-l all.log --time --log-type json --log-max-size 10M --log-keep 3 --log-max-age 1.5d --log-compress zstd": {
			"log_date_format log_file log_rotate.compress log_rotate.keep log_rotate.max_age log_rotate.max_size log_type", func(s *app.Spec) {
				s.LogFile, s.LogFormat, s.LogType = filepath.Join(here, "all.log"), "YYYY-MM-DDTHH:mm:ss", "json"
				s.LogRotate = app.Rotate{MaxSize: 10 << 20, Keep: 3, MaxAge: 36 * time.Hour, Compress: "zstd"}
			}},
		"--merge-logs --disable-logs -p NULL": {"disable_logs merge_logs pid_file", func(s *app.Spec) {
			s.MergeLogs, s.DisableLogs, s.PidFile = true, true, "NULL"
		}},
		"--uid bob --gid 12 --nice -5": {"gid nice uid", func(s *app.Spec) { s.User, s.Group, s.Nice = "bob", "12", new(-5) }},
		"--rlimit nofile=4096 --rlimit core=0:unlimited": {"rlimits", func(s *app.Spec) {
			s.Rlimits = map[string]string{"nofile": "4096", "core": "0:unlimited"}
		}},
		"--cpu 0,2-4": {"cpus", func(s *app.Spec) { s.CPUs = []int{0, 2, 3, 4} }},
		"--watch --ignore-watch *.tmp --watch-delay 1s": {"ignore_watch watch watch_delay", func(s *app.Spec) {
			s.Watch, s.IgnoreWatch, s.WatchDelay = []string{"."}, []string{"*.tmp"}, time.Second
		}},
		"--watch=src,/lib --watch=x": {"watch", func(s *app.Spec) { s.Watch = []string{filepath.Join(here, "src"), "/lib", filepath.Join(here, "x")} }},
		"--ext js,.ts": {"ignore_watch", func(s *app.Spec) {
			s.IgnoreWatch = []string{"*", "!*/", "!*.js", "!*.ts", ".*", "node_modules/"}
		}},
		"--watch=false":                  {"watch", func(*app.Spec) {}},
		"--cron @daily":                  {"cron_restart", func(s *app.Spec) { s.CronRestart = "@daily" }},
		"-c 0":                           {"cron_restart", func(s *app.Spec) { s.CronRestart = "0" }},
		"--max-memory-restart 200M":      {"max_memory_restart", func(s *app.Spec) { s.MaxMemoryRestart = 200 << 20 }},
		"--no-autostart":                 {"no_autostart", func(s *app.Spec) { s.NoAutostart = true }},
		"--no-autorestart":               {"policy.no_autorestart", func(s *app.Spec) { s.Policy.NoAutorestart = true }},
		"--no-autorestart=false":         {"policy.no_autorestart", func(*app.Spec) {}},
		"--max-restarts 0":               {"policy.max_restarts", func(s *app.Spec) { s.Policy.MaxRestarts = 0 }},
		"--min-uptime 1.5s":              {"policy.min_uptime", func(s *app.Spec) { s.Policy.MinUptime = 1500 * time.Millisecond }},
		"--restart-delay 250":            {"policy.restart_delay", func(s *app.Spec) { s.Policy.RestartDelay = 250 * time.Millisecond }},
		"--stop-exit-codes 0,3":          {"policy.stop_exit_codes", func(s *app.Spec) { s.Policy.StopExitCodes = []int{0, 3} }},
		"--kill-signal term":             {"policy.kill_signal", func(s *app.Spec) { s.Policy.KillSignal = "SIGTERM" }},
		"-k 1600 --no-treekill":          {"policy.kill_timeout policy.no_treekill", func(s *app.Spec) { s.Policy.KillTimeout, s.Policy.NoTreekill = 1600*time.Millisecond, true }},
		"--wait-ready":                   {"policy.wait_ready", func(s *app.Spec) { s.Policy.WaitReady = true }},
		"--listen-timeout 2m":            {"policy.listen_timeout", func(s *app.Spec) { s.Policy.ListenTimeout = 2 * time.Minute }},
		"--exp-backoff-restart-delay 50": {"policy.backoff_first", func(s *app.Spec) { s.Policy.BackoffFirst = 50 * time.Millisecond }},
		"-- --name x -i":                 {"args", func(s *app.Spec) { s.Args = []string{"--name", "x", "-i"} }},
		"-a":                             {"env", func(*app.Spec) {}},
	} {
		req, err := parseStart(append([]string{"app.js"}, strings.Fields(line)...)...)
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		want := app.Spec{Cwd: here, Env: map[string]string{"PATH": "/bin"}}
		tt.want(&want)
		fields := slices.Sorted(maps.Keys(req.Set))
		if !reflect.DeepEqual(req.Spec, want) || strings.Join(fields, " ") != tt.fields || !slices.Equal(req.Targets, []string{"app.js"}) {
			t.Errorf("%s:\n got %+v, set %v\nwant %+v, set %s", line, req.Spec, fields, want, tt.fields)
		}
	}
}

// Every option sets a field that exists, so that none is lost on the way to the daemon.
func TestOptionsNameFieldsOfSpec(t *testing.T) {
	known := map[string]bool{}
	for prefix, typ := range map[string]reflect.Type{"": reflect.TypeFor[app.Spec](), "policy.": reflect.TypeFor[app.Policy](), "log_rotate.": reflect.TypeFor[app.Rotate](), "log.": reflect.TypeFor[app.Lines](), "health.": reflect.TypeFor[app.Health](), "schedule.": reflect.TypeFor[app.Schedule](), "limits.": reflect.TypeFor[app.Limits]()} {
		for f := range typ.Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			known[prefix+name] = true
		}
	}
	for _, o := range options() {
		if !known[o.field] {
			t.Errorf("--%s sets %q, which app.Spec does not have", o.name, o.field)
		}
	}
}

func TestBadOptions(t *testing.T) {
	for line, why := range map[string]string{
		"--kill-timeout abc":        `cannot use --kill-timeout "abc": neither milliseconds nor a time like 1.5s`,
		"--kill-timeout -5":         "negative",
		"--kill-timeout NaN":        "out of range",
		"--kill-timeout 999999d":    "cannot use",
		"--kill-timeout 1h2d":       "neither",
		"--kill-timeout 1e300":      "out of range",
		"--max-restarts -1":         "at least 0",
		"--max-restarts x":          "at least 0",
		"-i many":                   "neither max nor a number",
		"-i 99999":                  "neither max nor a number",
		"--env =x":                  "not KEY=VALUE",
		"--nice 20":                 "-20 to 19",
		"--rlimit nofile":           "NAME=VALUE",
		"--cpu 3-1":                 "no CPU number",
		"--cpu 0,99999999":          "no CPU number",
		"--cpu ,":                   "no CPU number",
		"--stop-exit-codes 256":     "exit code",
		"--no-autostart=perhaps":    "neither true nor false",
		"--name=":                   "it is empty",
		"--nam x":                   "did you mean --name?",
		"--interpreter-args 'a":     "a quote is not closed",
		"--kill-timeout":            "needs an argument",
		"-i":                        "needs an argument",
		"--watch-nothing-like-this": "unknown option",
	} {
		_, err := parseStart(append([]string{"app.js"}, strings.Fields(line)...)...)
		e := app.AsError(err)
		if err == nil || e.Code != app.CodeInvalid || e.Hint == "" || !strings.Contains(e.Message+"\n"+e.Hint, why) {
			t.Errorf("%s: %v, want %q", line, e, why)
		}
	}
}

func TestStartTargets(t *testing.T) {
	req, err := parseStart("a.js", "npm run x", "--force", "b.js")
	if err != nil || !slices.Equal(req.Targets, []string{"a.js", "npm run x", "b.js"}) || !req.Force || req.Set["args"] {
		t.Errorf("%+v, %v", req, err)
	}
	for _, args := range [][]string{{}, {"--", "x"}} {
		if _, err := parseStart(args...); app.AsError(err).Code != app.CodeInvalid {
			t.Errorf("%v: %v", args, err)
		}
	}
}

func TestTenMegabytesOfArguments(t *testing.T) {
	_, err := parseStart("app.js", "--", strings.Repeat("x", 10<<20))
	if e := app.AsError(err); err == nil || e.Code != app.CodeInvalid || e.Hint == "" || !strings.Contains(e.Message, "arguments (10.0mb)") {
		t.Errorf("%v", err)
	}
	if _, err := parseStart("app.js", "--", strings.Repeat("x", 1<<20)); err != nil {
		t.Errorf("one megabyte: %v", err)
	}
}

func parseRestart(args ...string) (app.ActionRequest, error) {
	var o restartOptions
	var req app.ActionRequest
	cmd := &cobra.Command{Use: "restart", SilenceErrors: true, SilenceUsage: true, RunE: func(cmd *cobra.Command, args []string) (err error) {
		req, err = restartRequest(args, cmd.ArgsLenAtDash(), o, []string{"PATH=/bin"})
		return err
	}}
	o.settings = addSettings(cmd)
	cmd.Flags().BoolVar(&o.updateEnv, "update-env", false, "")
	cmd.Flags().IntVar(&o.parallel, "parallel", 0, "")
	cmd.SetArgs(args)
	err := cmd.Execute()
	return req, err
}

func TestRestartOptions(t *testing.T) {
	for line, want := range map[string]app.ActionRequest{
		"web 3": {Selectors: []string{"web", "3"}},
		"web --kill-timeout 99 --parallel 2": {
			Selectors: []string{"web"}, Parallel: 2, Spec: &app.Spec{Policy: app.Policy{KillTimeout: 99 * time.Millisecond}}, Set: app.Fields{"policy.kill_timeout": true},
		},
		"web -- a b": {Selectors: []string{"web"}, Spec: &app.Spec{Args: []string{"a", "b"}}, Set: app.Fields{"args": true}},
		"web --":     {Selectors: []string{"web"}, Spec: &app.Spec{Args: []string{}}, Set: app.Fields{"args": true}},
		"web --update-env": {
			Selectors: []string{"web"}, UpdateEnv: true, Spec: &app.Spec{Env: map[string]string{"PATH": "/bin"}}, Set: app.Fields{"env": true},
		},
		"web --env A=1": {Selectors: []string{"web"}, UpdateEnv: true, Spec: &app.Spec{Env: map[string]string{"A": "1"}, EnvOver: []string{"A"}}, Set: app.Fields{"env": true}},
	} {
		want.Action = app.ActionRestart
		got, err := parseRestart(strings.Fields(line)...)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v; want %+v", line, got, err, want)
		}
	}
	for _, line := range []string{"-- x", "web -i 3", "web -x", "web --parallel -1"} {
		if _, err := parseRestart(strings.Fields(line)...); app.AsError(err).Code != app.CodeInvalid {
			t.Errorf("%s: %v", line, err)
		}
	}
}

func TestSplitWords(t *testing.T) {
	for in, want := range map[string][]string{
		"":                  nil,
		"  a  b ":           {"a", "b"},
		`a "b c" 'd "e'`:    {"a", "b c", `d "e`},
		`a\ b "c\"d" 'e\f'`: {"a b", `c"d`, `e\f`},
		`""`:                {""},
		`x""y`:              {"xy"},
	} {
		if got, err := ecosystem.SplitWords(in); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %q, %v; want %q", in, got, err, want)
		}
	}
}

// Words that are quoted come back as they were.
func FuzzSplitWords(f *testing.F) {
	f.Add(`a "b c"`, "x")
	f.Add("'", `\`)
	f.Fuzz(func(t *testing.T, a, b string) {
		_, _ = ecosystem.SplitWords(a)
		quote := func(s string) string { return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"` }
		if !utf8.ValidString(a) || !utf8.ValidString(b) {
			return
		}
		if got, err := ecosystem.SplitWords(quote(a) + " " + quote(b)); err != nil || !slices.Equal(got, []string{a, b}) {
			t.Fatalf("%q, %v; want %q", got, err, []string{a, b})
		}
	})
}

func FuzzDuration(f *testing.F) {
	for _, s := range []string{"100", "1.5s", "-1", "NaN", "Inf", "1e400", "0x10", "9223372036854775807", "1h1h"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d, err := parseDuration(s); err == nil && d < 0 {
			t.Fatalf("%q is %s", s, d)
		}
	})
}

func FuzzOptions(f *testing.F) {
	f.Add(uint(5), "max")
	f.Add(uint(19), "0-8191")
	f.Fuzz(func(t *testing.T, n uint, value string) {
		all := options()
		var s app.Spec
		_ = all[n%uint(len(all))].set(&s, value)
		if s.Instances < 0 || s.Policy.KillTimeout < 0 {
			t.Fatalf("%q: %+v", value, s)
		}
	})
}
