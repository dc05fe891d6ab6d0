package pm2

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"gpm/app"
)

// ParseConfig reads an app as a client's prepare sends it: a pm2_env of settings
// whose paths are absolute and defaults filled in. Log and pid files at pm2's
// default places under home are left out of the Spec, where gpm's own defaults
// then mean the same.
func ParseConfig(raw map[string]any, home string) (Config, error) {
	c := Config{Set: app.Fields{}, Rest: map[string]any{}}
	for _, f := range fields() {
		v, given := raw[f.key]
		if !given || v == nil {
			continue
		}
		if err := f.read(&c, value{v}); err != nil {
			return Config{}, app.Errorf(app.CodeInvalid, "cannot use %s of app %q: %w", f.key, fmt.Sprint(raw["name"]), err)
		}
	}
	for key, v := range raw {
		if v != nil && isSetting(key) {
			c.Rest[key] = v
		}
	}
	c.dropDefaultFiles(home)
	return c, nil
}

// ParseChange reads the env of a restart or reload: variables, and settings as
// current_conf. Variables are there only when the user wants them updated.
//
// Without a file (no script among the settings) a client sends its defaults along
// as if the user had asked for them; they are left out.
func ParseChange(env map[string]any, home string) (Config, error) {
	conf, _ := env["current_conf"].(map[string]any)
	if conf["script"] == nil {
		conf = withoutNoise(conf)
	}
	conf = maps.Clone(conf)
	if conf == nil {
		conf = map[string]any{}
	}
	vars := maps.Clone(env)
	for _, key := range []string{"current_conf", "updateEnv"} {
		delete(vars, key)
	}
	delete(conf, "env")
	if vars := stringEnv(vars, ""); len(vars) > 0 {
		conf["env"] = anyMap(vars)
	}
	delete(conf, "script") // as typed: relative to the client's directory
	return ParseConfig(conf, home)
}

// withoutNoise drops what every client sends, whatever the user said.
func withoutNoise(conf map[string]any) map[string]any {
	out := maps.Clone(conf)
	for key, noise := range map[string]string{
		"merge_logs": "true", "watch": "false", "instance_var": "NODE_APP_INSTANCE", "filter_env": "[]", "updateEnv": "true",
	} {
		if v, ok := out[key]; ok && fmt.Sprint(v) == noise {
			delete(out, key)
		}
	}
	return out
}

func anyMap(m map[string]string) map[string]any {
	out := make(map[string]any, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}

// stringEnv makes an environment of a JSON object. Objects are not variables: pm2
// puts the configuration of modules there. name is the app's, whose configuration
// comes as "{}".
func stringEnv(raw map[string]any, name string) map[string]string {
	out := map[string]string{}
	for key, v := range raw {
		if key == "unique_id" || key == name && v == "{}" || strings.ContainsAny(key, "=\x00") || key == "" {
			continue
		}
		if text, err := (value{v}).scalar(); err == nil {
			out[key] = text
		}
	}
	return out
}

// field is one key of pm2_env that a Spec has a place for.
type field struct {
	key  string
	read func(c *Config, v value) error
}

// fields lists them in order of rising precedence: of two names of one thing the
// later wins, and name comes before env, which needs it.
func fields() []field {
	return slices.Concat(commandFields(), logFields(), policyFields(), upkeepFields(), dumpFields())
}

func commandFields() []field {
	return []field{
		{"name", text("name", func(s *app.Spec) *string { return &s.Name })},
		{"namespace", text("namespace", func(s *app.Spec) *string { return &s.Namespace })},
		{"script", text("script", func(s *app.Spec) *string { return &s.Script })},
		{"pm_exec_path", text("script", func(s *app.Spec) *string { return &s.Script })},
		{"args", words("args", func(s *app.Spec) *[]string { return &s.Args })},
		{"exec_interpreter", text("interpreter", func(s *app.Spec) *string { return &s.Interpreter })},
		{"node_args", words("interpreter_args", func(s *app.Spec) *[]string { return &s.InterpreterArgs })},
		{"cwd", text("cwd", func(s *app.Spec) *string { return &s.Cwd })},
		{"pm_cwd", text("cwd", func(s *app.Spec) *string { return &s.Cwd })},
		{"env", readEnv},
		{"filter_env", words("filter_env", func(s *app.Spec) *[]string { return &s.FilterEnv })},
		{"instances", number("instances", func(s *app.Spec) *int { return &s.Instances })},
		{"exec_mode", readMode},
		{"instance_var", text("instance_var", func(s *app.Spec) *string { return &s.InstanceVar })},
		{"increment_var", text("increment_var", func(s *app.Spec) *string { return &s.IncrementVar })},
		{"uid", text("uid", func(s *app.Spec) *string { return &s.User })},
		{"gid", text("gid", func(s *app.Spec) *string { return &s.Group })},
	}
}

func logFields() []field {
	return []field{
		{"pm_out_log_path", text("out_file", func(s *app.Spec) *string { return &s.OutFile })},
		{"pm_err_log_path", text("error_file", func(s *app.Spec) *string { return &s.ErrorFile })},
		{"pm_log_path", text("log_file", func(s *app.Spec) *string { return &s.LogFile })},
		{"log_date_format", text("log_date_format", func(s *app.Spec) *string { return &s.LogFormat })},
		{"log_type", text("log_type", func(s *app.Spec) *string { return &s.LogType })},
		{"pm_pid_path", text("pid_file", func(s *app.Spec) *string { return &s.PidFile })},
		{"merge_logs", yes("merge_logs", func(s *app.Spec) *bool { return &s.MergeLogs })},
		{"disable_logs", yes("disable_logs", func(s *app.Spec) *bool { return &s.DisableLogs })},
	}
}

func policyFields() []field {
	return []field{
		{"autostart", no("no_autostart", func(s *app.Spec) *bool { return &s.NoAutostart })},
		{"autorestart", no("policy.no_autorestart", func(s *app.Spec) *bool { return &s.Policy.NoAutorestart })},
		{"treekill", no("policy.no_treekill", func(s *app.Spec) *bool { return &s.Policy.NoTreekill })},
		{"wait_ready", yes("policy.wait_ready", func(s *app.Spec) *bool { return &s.Policy.WaitReady })},
		{"stop_exit_codes", readStopCodes},
		{"max_restarts", number("policy.max_restarts", func(s *app.Spec) *int { return &s.Policy.MaxRestarts })},
		{"min_uptime", duration("policy.min_uptime", func(s *app.Spec) *time.Duration { return &s.Policy.MinUptime })},
		{"restart_delay", duration("policy.restart_delay", func(s *app.Spec) *time.Duration { return &s.Policy.RestartDelay })},
		{"exp_backoff_restart_delay", duration("policy.backoff_first", func(s *app.Spec) *time.Duration { return &s.Policy.BackoffFirst })},
		{"kill_timeout", duration("policy.kill_timeout", func(s *app.Spec) *time.Duration { return &s.Policy.KillTimeout })},
		{"listen_timeout", duration("policy.listen_timeout", func(s *app.Spec) *time.Duration { return &s.Policy.ListenTimeout })},
	}
}

func upkeepFields() []field {
	return []field{
		{"watch", readWatch},
		{"ignore_watch", words("ignore_watch", func(s *app.Spec) *[]string { return &s.IgnoreWatch })},
		{"watch_delay", duration("watch_delay", func(s *app.Spec) *time.Duration { return &s.WatchDelay })},
		{"max_memory_restart", reader("max_memory_restart", func(s *app.Spec) *int64 { return &s.MaxMemoryRestart }, value.bytes)},
		{"cron_restart", text("cron_restart", func(s *app.Spec) *string { return &s.CronRestart })},
		{"shutdown_with_message", yes("shutdown_with_message", func(s *app.Spec) *bool { return &s.ShutdownWithMessage })},
	}
}

// dumpFields are of the state, not of the settings; only a dump has them.
func dumpFields() []field {
	return []field{
		{"status", func(c *Config, v value) (err error) { c.Status, err = v.scalar(); return }},
		{"restart_time", func(c *Config, v value) (err error) { c.Restarts, err = v.number(); return }},
		{"created_at", func(c *Config, v value) error {
			ms, err := v.duration()
			c.Created = time.UnixMilli(ms.Milliseconds())
			return err
		}},
	}
}

// isSetting says whether a key without a place in Spec is a setting, and not a
// flattened variable or state.
func isSetting(key string) bool {
	switch key {
	case "watch_options", "time", "source_map_support",
		"disable_source_map_support", "post_update", "append_env_to_name", "wait_ip", "force", "pmx_module",
		"deep_monitoring", "trace", "disable_trace", "kill_signal":
		return true
	}
	return strings.HasPrefix(key, "env_")
}

// dropDefaultFiles leaves out the places where pm2 puts files by itself.
func (c *Config) dropDefaultFiles(home string) {
	f := Locate(home, func(string) string { return "" })
	for _, p := range []struct {
		field string
		path  *string
		where string
	}{
		{"out_file", &c.Spec.OutFile, f.Log(c.Spec.Name, "out")},
		{"error_file", &c.Spec.ErrorFile, f.Log(c.Spec.Name, "error")},
		{"pid_file", &c.Spec.PidFile, f.PidOf(c.Spec.Name)},
	} {
		if *p.path == p.where {
			*p.path = ""
			delete(c.Set, p.field)
		}
	}
}
