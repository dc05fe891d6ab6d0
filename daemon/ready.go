package daemon

import (
	"os"
	"slices"
	"strings"

	"gpm/app"
	"gpm/launch"
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

// readyFrom is the position of a process as far as its probes make use of that: it is noted for the next daemon.
func readyFrom(spec app.Spec, plan launch.Plan) probe.From {
	from, named := asIn(plan), map[string]bool{"PORT": true}
	for _, p := range []app.Probe{spec.Policy.Ready.Probe, spec.Health.Probe()} {
		if len(p.Exec) > 0 {
			return from
		}
		os.Expand(p.HTTP+p.TCP, func(name string) string {
			named[name] = true
			return ""
		})
	}
	return probe.From{Env: slices.DeleteFunc(from.Env, func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return !named[name]
	})}
}
