package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gpm/app"
	"gpm/ipc"
	"gpm/pm2"
)

// writtenAs are the settings whose name in a file is another than in a Spec: the key in pm2_env, and in the file.
var writtenAs = map[string][2]string{
	"interpreter":           {"exec_interpreter", "interpreter"},
	"interpreter_args":      {"node_args", "interpreter_args"},
	"out_file":              {"pm_out_log_path", "out_file"},
	"error_file":            {"pm_err_log_path", "error_file"},
	"log_file":              {"pm_log_path", "log_file"},
	"pid_file":              {"pm_pid_path", "pid_file"},
	"no_autostart":          {"autostart", "autostart"},
	"policy.no_autorestart": {"autorestart", "autorestart"},
	"policy.no_treekill":    {"treekill", "treekill"},
	"policy.backoff_first":  {"exp_backoff_restart_delay", "exp_backoff_restart_delay"},
}

// writeFiles writes what this command has started as NAME-pm2.json, an app each, which start reads again.
func (c *cli) writeFiles(ctx context.Context, client *ipc.Client, s *settings) error {
	if len(c.acted) == 0 {
		return nil
	}
	details, err := client.BriefDetails(ctx, c.acted...)
	if err != nil {
		return err
	}
	written := map[string]bool{}
	for _, d := range details {
		if written[d.Name] {
			continue
		}
		written[d.Name] = true
		path, err := filepath.Abs(pm2.FileName(d.Name) + "-pm2.json")
		if err != nil {
			return err
		}
		c.say("Writing configuration to %s", path)
		if err := writeApp(path, c.settingsOf(d, s)); err != nil {
			return app.Errorf(app.CodeStorage, "cannot write %s: %w", path, err)
		}
	}
	return nil
}

// settingsOf are an app's settings that were given, under the names of a file. Of the environment that is what --env
// said: the rest is the shell's.
func (c *cli) settingsOf(d app.Detail, s *settings) *pm2.Object {
	d.Spec.Interpreter = d.Interpreter()
	all := pm2.Env(pm2.Process{Detail: d}, pm2.View{})
	out := &pm2.Object{}
	out.Set("name", d.Name)
	out.Set("script", d.Spec.Script)
	out.Set("cwd", d.Spec.Cwd)
	if len(d.Spec.Args) > 0 {
		out.Set("args", d.Spec.Args)
	}
	if len(s.spec.Env) > 0 {
		out.Set("env", s.spec.Env)
	}
	var left []string
	for _, field := range slices.Sorted(maps.Keys(s.set)) {
		if slices.Contains([]string{"name", "cwd", "args", "env"}, field) {
			continue
		}
		plain := strings.TrimPrefix(field, "policy.")
		key, as := cmp.Or(writtenAs[field][0], plain), cmp.Or(writtenAs[field][1], plain)
		if value, ok := all.Get(key); ok {
			out.Set(as, value)
		} else if value, ok := ownField(d.Spec, field); ok {
			out.Set(as, value)
		} else {
			left = append(left, as)
		}
	}
	if len(left) > 0 {
		c.warn("cannot write %s: a file has no place for it", strings.Join(left, ", "))
	}
	return out
}

// ownField is a setting that pm2 has no word for.
func ownField(spec app.Spec, field string) (any, bool) {
	if slices.Contains([]string{"policy.hang_limit", "policy.stable_after", "policy.backoff_max"}, field) || strings.HasPrefix(field, "log_rotate.") {
		return nil, false
	}
	text, err := json.Marshal(spec)
	var all map[string]any
	if err != nil || json.Unmarshal(text, &all) != nil {
		return nil, false
	}
	if name, ok := strings.CutPrefix(field, "policy."); ok {
		all, _ = all["policy"].(map[string]any)
		field = name
	}
	value, ok := all[field]
	return value, ok
}

func writeApp(path string, settings *pm2.Object) error {
	text, err := json.MarshalIndent(settings, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, fmt.Appendf(nil, "%s\n", text), 0o600) // it may hold secrets
}
