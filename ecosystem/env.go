package ecosystem

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"gpm/envfile"
)

// environment computes the whole environment of an app. Each layer wins over those before it: the caller's
// environment less what filter_env drops, env of the deploy section for --env, env_file, env, port, and env_NAME
// for --env NAME.
func (e *entry) environment() error {
	declared, over := map[string]string{}, map[string]string{}
	layers := []func(map[string]string) error{
		e.envFiles,
		func(into map[string]string) error { return e.variables(e.given["env"], into) },
		e.portVariable,
		e.namedEnv,
	}
	if err := e.variables(e.deployEnv, declared); err != nil {
		return err
	}
	for _, layer := range layers {
		if err := layer(over); err != nil {
			return err
		}
	}
	maps.Copy(declared, over)
	all := e.inherited()
	maps.Copy(all, declared)
	e.out.Declared, e.out.Spec.Env = declared, all
	if len(e.out.Spec.EnvFile) > 0 {
		e.out.Spec.EnvOver = slices.Sorted(maps.Keys(over))
	}
	e.out.Set["env"] = true
	if m, given := e.given["filter_env"]; given && isSingleFilter(m.value) {
		e.out.Extra["filter_env"] = m.value.text
	}
	return nil
}

// inherited is the caller's environment less what filter_env drops.
func (e *entry) inherited() map[string]string {
	m, given := e.given["filter_env"]
	if !given {
		return maps.Clone(orEmpty(e.opts.Environ))
	}
	if isSingleFilter(m.value) {
		all := maps.Clone(orEmpty(e.opts.Environ))
		delete(all, m.value.text)
		return all
	}
	all := map[string]string{}
	filter := e.out.Extra["filter_env"]
	if filter == true {
		return all
	}
	words, _ := filter.([]string)
	for k, v := range e.opts.Environ {
		if !slices.ContainsFunc(words, func(w string) bool { return w != "" && strings.Contains(k, w) }) {
			all[k] = v
		}
	}
	return all
}

// isSingleFilter says that filter_env is one variable by its whole name.
func isSingleFilter(n *node) bool {
	return n.kind == text && n.text != "true" && n.text != "false"
}

func orEmpty(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

// namedEnv merges env_NAME of --env NAME, which a file should have if it has any.
func (e *entry) namedEnv(into map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(e.envs)) {
		if err := e.variables(e.envs[name], map[string]string{}); err != nil { // wrong ones are wrong also when they are not used
			return err
		}
	}
	if e.opts.Env == "" {
		return nil
	}
	m, ok := e.envs[e.opts.Env]
	if !ok {
		return e.warn(e.node.pos, "%sthere is no env_%s", cmpLabel(e.where), e.opts.Env)
	}
	return e.variables(m, into)
}

// variables adds an object, or the KEY=VALUE words of a string.
func (e *entry) variables(m member, into map[string]string) error {
	if m.value == nil || m.value.kind == null {
		return nil
	}
	switch m.value.kind {
	case text:
		return e.words(m, into)
	case object:
	default:
		return e.wrong(m, "must be %s, not %s", wanted[Environment], m.value.describe())
	}
	for _, v := range m.value.members {
		value := v.value.variable()
		switch {
		case v.value.kind == alien:
			return e.wrong(member{m.key + "." + v.key, v.pos, v.value}, "must be data, not %s", v.value.describe())
		case !envfile.IsVariable(v.key) || strings.ContainsRune(value, 0):
			return e.wrong(member{m.key, v.pos, v.value}, "holds %s, which is no variable", quote(v.key))
		case v.value.kind == null:
			if err := e.warn(v.pos, "%s%s.%s is null: the app sees the word null", e.where, m.key, v.key); err != nil {
				return err
			}
		}
		into[v.key] = value
	}
	return nil
}

func (e *entry) words(m member, into map[string]string) error {
	words, err := SplitWords(m.value.text)
	if err != nil {
		return e.wrong(m, "cannot be split into words: %v", err)
	}
	for _, word := range words {
		name, value, ok := strings.Cut(word, "=")
		if !ok || !envfile.IsVariable(name) || strings.ContainsRune(value, 0) {
			return e.wrong(m, "holds %s, which is not KEY=VALUE", quote(word))
		}
		into[name] = value
	}
	return nil
}

func (e *entry) portVariable(into map[string]string) error {
	if m, given := e.given["port"]; given {
		into["PORT"] = strings.TrimSpace(m.value.text)
	}
	return nil
}

// envFiles checks the files of KEY=VALUE lines and names them to the daemon, which reads them at each start. What
// has been declared until then is below them, what follows is above.
func (e *entry) envFiles(map[string]string) error {
	m, given := e.given["env_file"]
	if !given {
		return nil
	}
	files, _ := asWords(m.value, 0)
	for _, file := range files.([]string) {
		path := absolute(e.out.Spec.Cwd, file)
		_, err := envfile.Read(path)
		if wrong, ok := errors.AsType[*envfile.Mistake](err); ok {
			return bad(pos{line: wrong.Line}, "%s", wrong.Why).withHint("%s", wrong.Hint).sentence(file)
		}
		if err != nil {
			sub := &reader{name: file}
			return e.wrong(m, "names a file that cannot be used: %v", sub.explain(err))
		}
		e.out.Spec.EnvFile = append(e.out.Spec.EnvFile, path)
	}
	return nil
}
