package launch

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"gpm/app"
	"gpm/envfile"
)

// Marker is the environment variable by which every process of an instance is
// known, also one that left its session: <home hash>:<id>:<seq>.
const Marker = "GPM_INSTANCE"

// environment is what the process gets: what the caller declared, less what is
// filtered, and what pm2 tells its processes.
func environment(spec app.Spec, inst Instance, cmd command, who identity) (map[string]string, error) {
	env := filterEnv(spec.Env, spec.FilterEnv)
	if cmd.isPython() && env["PYTHONUNBUFFERED"] == "" {
		env["PYTHONUNBUFFERED"] = "1" // else the last lines before a crash are lost
	}
	if cmd.nodeDir != "" {
		env["PATH"] = cmd.nodeDir + string(filepath.ListSeparator) + searchPath(env)
	}
	if who.credential != nil && who.home != "" {
		env["HOME"], env["USER"], env["LOGNAME"] = who.home, who.name, who.name
	}
	if err := increment(env, spec.IncrementVar, inst.Slot); err != nil {
		return nil, err
	}
	maps.Copy(env, identityVars(spec, inst, cmd))
	return env, errors.Join(checkEnv(env), checkReferences(env))
}

// declaredEnv is what the caller gave, with what the files of the app say now.
func declaredEnv(spec app.Spec) (map[string]string, error) {
	if len(spec.EnvFile) == 0 {
		return spec.Env, nil
	}
	all := maps.Clone(spec.Env)
	if all == nil {
		all = map[string]string{}
	}
	for _, file := range spec.EnvFile {
		vars, err := envfile.Read(file)
		if wrong, ok := errors.AsType[*envfile.Mistake](err); ok {
			return nil, app.Errorf(app.CodeInvalid, "its env_file %s: %w", file, wrong)
		}
		if err != nil {
			return nil, fileError("its env_file", file, err)
		}
		for name, value := range vars {
			if !slices.Contains(spec.EnvOver, name) {
				all[name] = value
			}
		}
	}
	return all, nil
}

// filterEnv copies env without the variables whose name contains one of the words, and
// without those that speak of descriptors and pids of the caller.
func filterEnv(env map[string]string, words []string) map[string]string {
	kept := make(map[string]string, len(env)+16)
	for name, value := range env {
		if !isInherited(name) && !containsAny(name, words) {
			kept[name] = value
		}
	}
	return kept
}

// isInherited knows what a shell under another supervisor has in its environment and what
// is a lie in any other process: a node that finds NODE_CHANNEL_FD fails at start.
func isInherited(name string) bool {
	switch name {
	case "NODE_CHANNEL_FD", "NODE_CHANNEL_SERIALIZATION_MODE", "NODE_UNIQUE_ID",
		"LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC":
		return true
	}
	return false
}

func containsAny(s string, words []string) bool {
	for _, w := range words {
		if w != "" && strings.Contains(s, w) {
			return true
		}
	}
	return false
}

// increment raises a variable by the slot, so that each instance has its own port.
func increment(env map[string]string, name string, slot int) error {
	if name == "" {
		return nil
	}
	first, err := strconv.Atoi(cmp.Or(env[name], "0"))
	if err != nil {
		return app.Errorf(app.CodeInvalid, "increment_var %q is %q, which is not a whole number", name, env[name])
	}
	env[name] = strconv.Itoa(first + slot)
	return nil
}

// identityVars are the variables that apps made for pm2 rely on, and gpm's own.
func identityVars(spec app.Spec, inst Instance, cmd command) map[string]string {
	out, err := LogPaths(inst.Home, spec, inst.ID)
	return map[string]string{
		"pm_id":           strconv.Itoa(inst.ID),
		"name":            spec.Name,
		"namespace":       cmp.Or(spec.Namespace, "default"),
		"exec_mode":       string(cmp.Or(spec.ExecMode, app.Fork)) + "_mode",
		"instances":       strconv.Itoa(max(1, spec.Instances)),
		"pm_exec_path":    cmd.program,
		"pm_cwd":          spec.Cwd,
		"pm_out_log_path": out,
		"pm_err_log_path": err,
		"PM2_HOME":        inst.Home,
		"PM2_USAGE":       "CLI", // by which some look whether pm2 runs them
		"GPM_HOME":        inst.Home,
		"PWD":             spec.Cwd,
		Marker:            fmt.Sprintf("%s:%d:%d", inst.HomeHash, inst.ID, inst.Seq),

		cmp.Or(spec.InstanceVar, "NODE_APP_INSTANCE"): strconv.Itoa(inst.Slot),
	}
}

// checkEnv refuses what execve(2) would cut or misread.
func checkEnv(env map[string]string) error {
	for name, value := range env {
		switch {
		case name == "", strings.ContainsAny(name[min(1, len(name)):], "="), strings.Contains(name, "\x00"):
			// A leading "=" is how Windows keeps its drives' directories.
			return app.Errorf(app.CodeInvalid, "its environment has a variable named %q", name)
		case strings.Contains(value, "\x00"):
			return app.Errorf(app.CodeInvalid, "its environment variable %q holds a zero byte", name)
		}
	}
	return nil
}
