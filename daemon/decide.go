package daemon

import (
	"path/filepath"
	"strconv"
	"strings"

	"gpm/app"
)

// existing is one instance that a start target may mean.
type existing struct {
	app.Status
	Script string // as stored: absolute when it is a file
}

// decision is what a start target means: restart these instances, or add an app.
type decision struct {
	ids  []int
	spec app.Spec // when ids is empty
}

// decide follows pm2's order: a name, a namespace, an id, a script that is in the
// list already, and only then something new. script is the target made absolute if it is a file, else "".
func decide(target, script string, req app.StartRequest, list []existing) (decision, error) {
	if ids := matchExisting(target, list); len(ids) > 0 {
		return decision{ids: ids}, nil
	}
	if _, err := strconv.Atoi(target); err == nil && script == "" {
		return decision{}, app.Errorf(app.CodeNotFound, "cannot start %q: no process has this id", target).
			WithHint("gpm list shows the ids")
	}
	spec := newSpec(target, script, req)
	twins := sameScript(spec, list)
	if len(twins) == 0 || req.Force {
		return decision{spec: spec}, nil
	}
	for _, t := range twins {
		if t.State.HasChild() && t.State != app.Stopping && t.State != app.Killing {
			return decision{}, app.Errorf(app.CodeConflict, "cannot start %q: the script is running already as %q (id %d)", target, t.Name, t.ID).
				WithHint("gpm restart %s, or add -f for a second copy, or --name for another name", t.Name)
		}
	}
	return decision{ids: ids(twins)}, nil
}

// matchExisting applies to bare words only: what has a slash or an extension is a file.
func matchExisting(target string, list []existing) []int {
	if strings.ContainsAny(target, `/\`) || filepath.Ext(target) != "" {
		return nil
	}
	if target == "all" {
		return ids(list)
	}
	number, err := strconv.Atoi(target)
	for _, match := range []func(existing) bool{
		func(e existing) bool { return e.Name == target },
		func(e existing) bool { return e.Namespace == target },
		func(e existing) bool { return err == nil && e.ID == number },
	} {
		if found := filter(list, match); len(found) > 0 {
			return ids(found)
		}
	}
	return nil
}

func sameScript(spec app.Spec, list []existing) []existing {
	return filter(list, func(e existing) bool { return e.Name == spec.Name && e.Script == spec.Script })
}

// newSpec completes the options of a request to a Spec.
func newSpec(target, script string, req app.StartRequest) app.Spec {
	base := app.Spec{Policy: app.DefaultPolicy()}
	if req.Default != nil {
		base = *req.Default
	}
	spec := app.Merge(base, req.Spec, req.Set)
	spec.Cwd, spec.Env = req.Spec.Cwd, req.Spec.Env
	spec.Script = target
	if script != "" {
		spec.Script = script
	}
	if spec.Name == "" {
		spec.Name = defaultName(target)
	}
	if spec.Namespace == "" {
		spec.Namespace = "default"
	}
	spec.Instances = max(1, spec.Instances)
	return spec
}

// defaultName is the base name without its last extension, pm2's rule also for command lines.
func defaultName(target string) string {
	base := filepath.Base(target)
	if name := strings.TrimSuffix(base, filepath.Ext(base)); name != "" {
		return name
	}
	return base
}

func filter(list []existing, ok func(existing) bool) []existing {
	var out []existing
	for _, e := range list {
		if ok(e) {
			out = append(out, e)
		}
	}
	return out
}

func ids(list []existing) []int {
	out := make([]int, len(list))
	for i, e := range list {
		out[i] = e.ID
	}
	return out
}
