package daemon

import (
	"os"
	"slices"
	"strings"

	"gpm/app"
	"gpm/probe"
)

// checkReady refuses signs of readiness that can never come, and bounds that make no sense.
func checkReady(spec app.Spec) error {
	r := spec.Policy.Ready
	if !r.Probe.IsZero() {
		if err := probe.Check(r.Probe); err != nil {
			return app.Errorf(app.CodeInvalid, "cannot tell when %q is ready: %w", spec.Name, err)
		}
	}
	return spec.Autoscale.Check()
}

// probedEnv is the part of an environment that a probe can make use of: all for a command, else what it names.
func probedEnv(p app.Probe, env []string) []string {
	switch {
	case p.IsZero():
		return nil
	case len(p.Exec) > 0:
		return slices.Clone(env)
	}
	named := map[string]bool{"PORT": true}
	os.Expand(p.HTTP+p.TCP, func(name string) string {
		named[name] = true
		return ""
	})
	return slices.DeleteFunc(slices.Clone(env), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return !named[name]
	})
}
