package ecosystem

import (
	"slices"
	"strings"
)

// containers are the keys that hold apps, in the order of precedence. gpm and pm2 may hold a whole file again.
var containers = []string{"apps", "gpm", "pm2"}

// topKeys are known beside the apps.
var topKeys = []string{"apps", "gpm", "pm2", "deploy", "static"}

// declaration is one app before it is read; its name is the key it stands under, if any.
type declaration struct {
	name string
	node *node
}

// read takes the tree apart: apps, deploy, static.
func (r *reader) read(tree *node) error {
	if formatOf(r.path) == formatPackage {
		section, err := packageSection(tree)
		if err != nil {
			return err
		}
		tree = section
	}
	found, err := r.shape(tree, 0)
	if err != nil {
		return err
	}
	if len(found) == 0 && r.out.Deploy == nil && r.out.Static == nil {
		return bad(tree.pos, "it declares no apps").withHint(`a file holds {"apps": [{"name": "web", "script": "server.js"}]}`)
	}
	if len(found) > maxApps {
		return bad(tree.pos, "it declares more than %d apps", maxApps)
	}
	return r.apps(found)
}

// packageSection is the part of a package.json that is ours.
func packageSection(tree *node) (*node, error) {
	for _, key := range containers[1:] {
		if m, ok := tree.get(key); ok {
			if m.value.kind != object && m.value.kind != list {
				return nil, bad(m.value.pos.or(m.pos), "%s must be an object or a list, not %s", quote(key), m.value.describe())
			}
			return &node{kind: object, pos: tree.pos, members: []member{m}}, nil
		}
	}
	return nil, bad(pos{}, `it has neither a "gpm" nor a "pm2" key`).withHint("add one, or name another file")
}

// shape finds the apps in a list, an object with one of the containers, or a bare app.
func (r *reader) shape(tree *node, depth int) ([]declaration, error) {
	switch tree.kind {
	case list:
		return each(tree), nil
	case object:
	default:
		return nil, bad(tree.pos, "it must hold an object or a list of apps, not %s", tree.describe()).
			withHint(`a file holds {"apps": [{"name": "web", "script": "server.js"}]}`)
	}
	if r.isApp(tree) {
		return []declaration{{node: tree}}, nil
	}
	if err := r.topLevel(tree); err != nil {
		return nil, err
	}
	for _, key := range containers {
		m, ok := tree.get(key)
		switch {
		case !ok || m.value.kind == null:
			continue
		case m.value.kind == list:
			return each(m.value), nil
		case m.value.kind != object:
			return nil, bad(m.value.pos.or(m.pos), "%s must be a list of apps, not %s", quote(key), m.value.describe())
		case key != "apps" && depth == 0:
			return r.shape(m.value, depth+1)
		}
		return r.appsObject(m.value), nil
	}
	return nil, nil
}

func each(n *node) []declaration {
	out := make([]declaration, len(n.items))
	for i, item := range n.items {
		out[i] = declaration{node: item}
	}
	return out
}

// appsObject is one app, or apps by their names.
func (r *reader) appsObject(n *node) []declaration {
	if r.isApp(n) || slices.ContainsFunc(n.members, func(m member) bool { return m.value.kind != object }) {
		return []declaration{{node: n}}
	}
	out := make([]declaration, len(n.members))
	for i, m := range n.members {
		out[i] = declaration{m.key, m.value}
	}
	return out
}

// isApp knows an app by its script, which may not be called by the name of a container.
func (r *reader) isApp(n *node) bool {
	for _, m := range n.members {
		if slices.Contains(containers, m.key) {
			return false
		}
	}
	return slices.ContainsFunc(n.members, func(m member) bool {
		i, ok := r.known[m.key]
		return ok && r.fields[i].Name == "script" && m.value.kind != object
	})
}

// topLevel reads what stands beside the apps.
func (r *reader) topLevel(tree *node) error {
	for _, m := range tree.members {
		var err error
		switch {
		case m.key == "deploy":
			err = r.deploy(m)
		case m.key == "static":
			r.out.Static, err = readStatic(m)
		case !slices.Contains(topKeys, m.key) && !isPrivate(m.key):
			err = r.unknown(m, "", append(r.spellingsOf("script", "name"), topKeys...))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) spellingsOf(names ...string) []string {
	var out []string
	for _, name := range names {
		out = append(out, r.fields[r.known[name]].spellings()...)
	}
	return out
}

// isPrivate lets people keep notes and anchors in a file.
func isPrivate(key string) bool {
	return key == "" || strings.ContainsRune("$_.", rune(key[0])) || strings.HasPrefix(key, "x-") || strings.HasPrefix(key, "//")
}

// unknown warns of a key and names the nearest of those that could be meant.
func (r *reader) unknown(m member, where string, candidates []string) error {
	if len(r.out.Warnings) >= maxWarnings {
		return nil
	}
	if slices.Contains(candidates, m.key) {
		return r.warn(m.pos, "%sthe key %s has no effect beside the apps", where, quote(m.key))
	}
	if near := nearest(m.key, candidates); near != "" {
		return r.warn(m.pos, "%sunknown key %s: did you mean %s?", where, quote(m.key), quote(near))
	}
	return r.warn(m.pos, "%sunknown key %s", where, quote(m.key))
}

// deploy checks the shape only: its fields are the deploy command's.
func (r *reader) deploy(m member) error {
	if m.value.kind == null {
		return nil
	}
	if m.value.kind != object {
		return bad(m.value.pos.or(m.pos), `"deploy" must be an object of environments, not %s`, m.value.describe())
	}
	for _, env := range m.value.members {
		if env.value.kind != object {
			return bad(env.value.pos.or(env.pos), `the environment %s of "deploy" must be an object, not %s`, quote(env.key), env.value.describe())
		}
	}
	r.out.Deploy = m.value.plain().(map[string]any)
	if env, ok := m.value.get(r.opts.Env); ok && r.opts.Env != "" {
		r.deployEnv, _ = env.value.get("env")
	}
	return nil
}
