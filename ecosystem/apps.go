package ecosystem

import (
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gpm/app"
)

// entry is one app while it is read.
type entry struct {
	*reader
	out   AppEntry
	node  *node
	where string            // "app "web": ", before a message
	given map[string]member // by the field's name in the table
	envs  map[string]member // env_NAME by NAME
}

// apps reads all declarations; what is not wanted is read too, as a file is good or bad as a whole.
func (r *reader) apps(found []declaration) error {
	names := map[string]bool{}
	for _, d := range found {
		e, err := r.app(d)
		if err != nil {
			return err
		}
		if name := e.out.Spec.Name; names[name] {
			return bad(e.namePos(), "two apps are called %s", quote(name)).withHint("instances starts several of one app; other apps need names of their own")
		}
		names[e.out.Spec.Name] = true
		e.out.Place = place(r.name, e.namePos())
		r.out.Apps = append(r.out.Apps, e.out)
	}
	return r.only()
}

// only drops the apps that --only does not name.
func (r *reader) only() error {
	if len(r.opts.Only) == 0 {
		return nil
	}
	suffix := "-" + r.opts.Env // of append_env_to_name
	wanted := func(a AppEntry, name string) bool {
		return a.Spec.Name == name || a.Extra["append_env_to_name"] == true && a.Spec.Name == name+suffix
	}
	var have []string
	for _, a := range r.out.Apps {
		have = append(have, a.Spec.Name)
	}
	for _, name := range r.opts.Only {
		if !slices.ContainsFunc(r.out.Apps, func(a AppEntry) bool { return wanted(a, name) }) {
			return app.Errorf(app.CodeNotFound, "cannot find app %q in %s", name, r.name).WithHint("it declares %s", strings.Join(have, ", "))
		}
	}
	r.out.Apps = slices.DeleteFunc(r.out.Apps, func(a AppEntry) bool {
		return !slices.ContainsFunc(r.opts.Only, func(name string) bool { return wanted(a, name) })
	})
	return nil
}

func (r *reader) app(d declaration) (*entry, error) {
	if d.node.kind != object {
		return nil, bad(d.node.pos, "an app must be an object, not %s", d.node.describe())
	}
	e := &entry{reader: r, node: d.node, given: map[string]member{}, envs: map[string]member{}}
	e.out = AppEntry{Spec: app.Spec{Policy: app.DefaultPolicy(), Instances: 1, ExecMode: app.Fork}, Set: app.Fields{}, Extra: map[string]any{}}
	e.out.Spec.Name = d.name
	e.where = e.label(d.name)
	for _, step := range []func() error{e.sort, e.fields, e.program, e.mode, e.paths, e.environment, e.name} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// label names the app in messages by what the file calls it.
func (e *entry) label(key string) string {
	for _, candidate := range []string{"name", "script"} {
		for _, m := range e.node.members {
			if i, ok := e.known[m.key]; ok && e.reader.fields[i].Name == candidate && m.value.kind == text {
				return "app " + quote(m.value.text) + ": "
			}
		}
		if key != "" {
			return "app " + quote(key) + ": "
		}
	}
	return ""
}

// sort tells fields from environments and from what nobody knows.
func (e *entry) sort() error {
	for _, m := range e.node.members {
		i, known := e.known[m.key]
		env, isEnv := strings.CutPrefix(m.key, "env_")
		switch {
		case m.value.kind == null && known:
		case m.key == "log" && m.value.kind != object: // pm2's other name for log_file
			if err := e.give("log_file", m); err != nil {
				return err
			}
		case m.key == "env_file" && m.value.kind == object: // the environment called file
			e.envs[env] = m
		case known:
			if err := e.give(e.reader.fields[i].Name, m); err != nil {
				return err
			}
		case isEnv && env != "":
			e.envs[env] = m
		case !isPrivate(m.key):
			if err := e.unknown(m, e.where, e.keys); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e *entry) give(field string, m member) error {
	if first, twice := e.given[field]; twice && first.key != m.key {
		if err := e.warn(m.pos, "%s%s and %s mean the same; the last one counts", e.where, quote(first.key), quote(m.key)); err != nil {
			return err
		}
	}
	e.given[field] = m
	return nil
}

// fields converts what the file gives, each by its type.
func (e *entry) fields() error {
	for _, f := range e.reader.fields {
		m, given := e.given[f.Name]
		if !given {
			continue
		}
		if len(f.Parts) > 0 && m.value.kind == object {
			if err := e.parts(f, m); err != nil {
				return err
			}
			continue
		}
		v, ok := converters[f.Type](m.value, e.opts.CPUs)
		if !ok || !inRange(f, v) {
			return e.wrong(m, "must be %s, not %s", f.wants(), m.value.describe())
		}
		if f.Instead != "" {
			if err := e.warn(m.pos, "%s%s has no effect: %s", e.where, quote(m.key), f.Instead); err != nil {
				return err
			}
		}
		if f.put != nil {
			f.put(&e.out.Spec, v)
		}
		switch {
		case f.Spec != "":
			e.out.Set[f.Spec] = true
		case f.Type != Anything:
			e.out.Extra[f.Name] = v
		}
	}
	return nil
}

// inRange checks the field's bounds, where it has any.
func inRange(f Field, v any) bool {
	if word, ok := v.(string); ok && len(f.OneOf) > 0 {
		return slices.Contains(f.OneOf, word)
	}
	if f.Low == 0 && f.High == 0 {
		return true
	}
	switch v := v.(type) {
	case int:
		return v >= f.Low && v <= f.High
	case time.Duration:
		return v >= time.Duration(f.Low)*time.Millisecond
	}
	return true
}

// wrong is what is the matter with a field.
func (e *entry) wrong(m member, format string, args ...any) error {
	return bad(m.value.pos.or(m.pos).or(e.node.pos), e.where+m.key+" "+format, args...)
}

func (e *entry) program() error {
	s := &e.out.Spec
	if m, given := e.given["script"]; given && strings.TrimSpace(s.Script) == "" {
		return e.wrong(m, "is empty")
	}
	if s.Script == "" {
		return bad(e.node.pos, "%sit has no script", cmpLabel(e.where)).withHint("script names the file, program or command line to run")
	}
	for field, value := range map[string]string{"exec_interpreter": s.Interpreter, "namespace": s.Namespace, "instance_var": s.InstanceVar, "increment_var": s.IncrementVar} {
		if m, given := e.given[field]; given && strings.TrimSpace(value) == "" {
			return e.wrong(m, "is empty")
		}
	}
	return nil
}

func cmpLabel(where string) string {
	if where == "" {
		return "an app: "
	}
	return where
}

// mode is pm2's rule: instances without a mode are a cluster where Node or Bun runs the script.
func (e *entry) mode() error {
	s := &e.out.Spec
	values := map[string]any{}
	for _, name := range []string{"instances", "exec_mode", "execute_command"} {
		if m, given := e.given[name]; given {
			values[name], _ = converters[e.reader.fields[e.known[name]].Type](m.value, e.opts.CPUs)
		}
	}
	if n, given := values["instances"]; given {
		s.Instances = n.(int)
		if values["exec_mode"] == nil && runsOnNode(*s) {
			s.ExecMode, e.out.Set["exec_mode"] = app.Cluster, true
		}
	}
	if mode, given := values["exec_mode"]; given {
		s.ExecMode = app.ExecMode(mode.(string))
	}
	if values["execute_command"] == true {
		s.ExecMode = app.Fork
	}
	return nil
}

// runsOnNode goes by the names alone: nothing is looked up.
func runsOnNode(s app.Spec) bool {
	if s.Interpreter != "" {
		name := strings.TrimSuffix(filepath.Base(s.Interpreter), ".exe")
		name, _, _ = strings.Cut(name, "@") // node@20
		return name == "node" || name == "bun"
	}
	return !strings.ContainsAny(s.Script, " \t\n") && slices.Contains([]string{".js", ".cjs", ".mjs", ".ts", ".cts", ".mts", ".tsx"}, filepath.Ext(s.Script))
}

// paths makes the files absolute: cwd from the caller's directory, as in pm2, the others from cwd.
func (e *entry) paths() error {
	s := &e.out.Spec
	s.Cwd = e.opts.Cwd
	for _, p := range []struct {
		field string
		into  *string
	}{{"cwd", &s.Cwd}, {"out_file", &s.OutFile}, {"error_file", &s.ErrorFile}, {"pid_file", &s.PidFile}} {
		m, given := e.given[p.field]
		if !given {
			continue
		}
		if strings.TrimSpace(m.value.text) == "" {
			return e.wrong(m, "is empty")
		}
		*p.into = absolute(s.Cwd, m.value.text)
	}
	if m, given := e.given["log_file"]; given {
		s.LogFile = logFile(s.Cwd, m.value)
	}
	return nil
}

// logFile keeps "true", which means a file in gpm's home; false means none.
func logFile(dir string, n *node) string {
	switch v, _ := asBool(n, 0); {
	case v == true:
		return "true"
	case n.kind == boolean || n.text == "false" || n.text == "":
		return ""
	}
	return absolute(dir, n.text)
}

// absolute leaves NULL, pm2's word for no file.
func absolute(dir, path string) string {
	if path == "NULL" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

func (e *entry) namePos() pos {
	if m, given := e.given["name"]; given {
		return m.value.pos.or(m.pos)
	}
	return e.node.pos
}

// name completes the name: a default, the prefix, the environment.
func (e *entry) name() error {
	s := &e.out.Spec
	if m, given := e.given["name"]; given && strings.TrimSpace(s.Name) == "" {
		return e.wrong(m, "is empty")
	}
	if s.Name == "" {
		s.Name = defaultName(s.Script)
	}
	if m, given := e.given["name_prefix"]; given {
		s.Name = m.value.text + ":" + s.Name
	}
	if e.out.Extra["append_env_to_name"] == true && e.opts.Env != "" {
		s.Name += "-" + e.opts.Env
	}
	e.out.Set["name"] = true
	return nil
}

// defaultName is the base name without its last extension, pm2's rule also for command lines.
func defaultName(script string) string {
	base := filepath.Base(script)
	if name := strings.TrimSuffix(base, filepath.Ext(base)); name != "" {
		return name
	}
	return base
}
