package pm2

import (
	"slices"

	"gpm/app"
)

// Moving is an app of a pm2 with all its processes, as gpm would run it.
type Moving struct {
	Spec      app.Spec
	Set       app.Fields
	Processes []Live
	IsModule  bool // of pm2's own kind: its paths are pm2's, it is no app of the user
}

// IsWanted says whether any of its processes is up, or is to be.
func (m Moving) IsWanted() bool {
	return slices.ContainsFunc(m.Processes, func(p Live) bool { return p.Config.isWanted() })
}

// isWanted is false for what was stopped, and for what pm2 has given up.
func (c Config) isWanted() bool {
	return !slices.Contains([]string{"stopped", "stopping", "errored"}, c.Status)
}

// IDs are those of its processes.
func (m Moving) IDs() []int {
	var ids []int
	for _, p := range m.Processes {
		ids = append(ids, p.ID)
	}
	return ids
}

// itsOwn are variables that pm2 adds to the environment of every app.
var itsOwn = []string{"PM2_HOME", "PM2_USAGE", "PM2_JSON_PROCESSING", "PM2_PROGRAMMATIC", "PM2_INTERACTOR_PROCESSING", "NODE_APP_INSTANCE", "unique_id"}

// Group makes apps of processes: those of one name and script are instances of one app.
func Group(list []Live) []Moving {
	var out []Moving
	for _, p := range list {
		spec := app.Merge(app.Spec{Policy: app.DefaultPolicy(), Namespace: "default", ExecMode: app.Fork}, p.Config.Spec, p.Config.Set)
		at := slices.IndexFunc(out, func(m Moving) bool { return m.Spec.Name == spec.Name && m.Spec.Script == spec.Script })
		if at < 0 {
			for _, name := range itsOwn {
				delete(spec.Env, name)
			}
			at, out = len(out), append(out, Moving{Spec: spec, Set: p.Config.Set, IsModule: p.Config.Rest["pmx_module"] != nil})
		}
		out[at].Processes = append(out[at].Processes, p)
		out[at].Spec.Instances = len(out[at].Processes)
	}
	return out
}
