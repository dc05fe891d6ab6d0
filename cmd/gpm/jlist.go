package main

import (
	"encoding/json"
	"maps"

	"github.com/spf13/cobra"

	"gpm/app"
)

func newJlistCommand(c *cli) *cobra.Command {
	return newDumpCommand(c, "jlist", "Print the list as JSON, in the shape of pm2", func(list []map[string]any) error { return c.printJSON(list) })
}

func newPrettylistCommand(c *cli) *cobra.Command {
	return newDumpCommand(c, "prettylist", "Print the same for reading", func(list []map[string]any) error {
		enc := json.NewEncoder(c.out)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(list)
	})
}

func newDumpCommand(c *cli, name, short string, print func([]map[string]any) error) *cobra.Command {
	var reveal, asJSON bool
	cmd := &cobra.Command{
		Use:   name,
		Short: short,
		Args:  arguments(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := c.connect(cmd.Context())
			if err != nil {
				return err
			}
			details, err := client.Details(cmd.Context())
			if err != nil {
				return err
			}
			list := make([]map[string]any, len(details))
			for i, d := range maskAll(details, reveal) {
				list[i] = pm2Process(d)
			}
			return print(list)
		},
	}
	cmd.Flags().BoolVar(&reveal, "reveal", false, "show values that look like secrets")
	cmd.Flags().BoolVar(&asJSON, "json", false, "it is JSON anyhow")
	return cmd
}

// pm2Process is an element of pm2's jlist, as far as its keys mean something here. Unlike there, the environment
// is under "env" only and not spilt over the settings.
func pm2Process(d app.Detail) map[string]any {
	u := usageOf(d.Status)
	env := map[string]any{}
	maps.Copy(env, pm2Settings(d))
	maps.Copy(env, pm2State(d))
	return map[string]any{
		"pid": d.PID, "name": d.Name, "pm_id": d.ID, "pm2_env": env,
		"monit": map[string]any{"memory": u.RSS, "cpu": roundTenth(u.CPU)},
	}
}

// pm2State is the part of pm2_env that changes by itself.
func pm2State(d app.Detail) map[string]any {
	m := map[string]any{
		"status": d.State.String(), "restart_time": d.Restarts, "unstable_restarts": d.Unstable,
		"created_at": d.Created.UnixMilli(), "pm_uptime": d.Since.UnixMilli(),
		"version": orNA(d.Version), "username": d.User,
	}
	if d.Exit != nil {
		m["exit_code"] = d.Exit.Code
		m["exit_signal"] = d.Exit.Signal
	}
	return m
}

// pm2Settings is the part of pm2_env that the user decided. Times are in milliseconds.
func pm2Settings(d app.Detail) map[string]any {
	s, p := d.Spec, d.Spec.Policy
	m := map[string]any{
		"name": d.Name, "namespace": d.Namespace, "pm_id": d.ID, "instances": s.Instances, "exec_mode": string(d.Mode) + "_mode",
		"exec_interpreter": s.Interpreter, "pm_exec_path": s.Script, "pm_cwd": s.Cwd,
		"pm_out_log_path": d.OutLog, "pm_err_log_path": d.ErrLog, "pm_pid_path": d.PidFile,
		"args": orEmpty(s.Args), "node_args": orEmpty(s.InterpreterArgs), "filter_env": orEmpty(s.FilterEnv), "env": s.Env,
		"autostart": !s.NoAutostart, "autorestart": !p.NoAutorestart, "treekill": !p.NoTreekill, "merge_logs": s.MergeLogs,
		"disable_logs": s.DisableLogs, "watch": d.Watching, "wait_ready": p.WaitReady, "stop_exit_codes": p.StopExitCodes,
		"min_uptime": p.MinUptime.Milliseconds(), "max_restarts": p.MaxRestarts, "restart_delay": p.RestartDelay.Milliseconds(),
		"exp_backoff_restart_delay": p.BackoffFirst.Milliseconds(), "kill_timeout": p.KillTimeout.Milliseconds(),
		"listen_timeout": p.ListenTimeout.Milliseconds(), "kill_signal": p.KillSignal,
	}
	instanceVar := s.InstanceVar
	if instanceVar == "" {
		instanceVar = "NODE_APP_INSTANCE"
	}
	m["instance_var"], m[instanceVar] = instanceVar, d.Slot
	if s.User != "" {
		m["uid"] = s.User
	}
	if s.Group != "" {
		m["gid"] = s.Group
	}
	return m
}

func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
