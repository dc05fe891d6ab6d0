package pm2

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"gpm/app"
)

// Conf is module_conf.json: settings as nested objects, whose leaves are text. A
// key is a path with ":" or "." between its parts, "mod:key".
type Conf struct {
	path string
	tree map[string]any
}

// OpenConf reads the file; one that is not there is empty.
func OpenConf(path string) (*Conf, error) {
	c := &Conf{path: path, tree: map[string]any{}}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the settings: %w", err)
	}
	if err := decodeNumbers(text, &c.tree); err != nil {
		return nil, app.Errorf(app.CodeInvalid, "cannot read the settings %s: %w", path, err)
	}
	if c.tree == nil { // the file says null
		c.tree = map[string]any{}
	}
	return c, nil
}

// Get returns what stands at key: text, or an object.
func (c *Conf) Get(key string) (any, bool) {
	var at any = c.tree
	for _, part := range parts(key) {
		m, ok := at.(map[string]any)
		if !ok {
			return nil, false
		}
		if at, ok = m[part]; !ok {
			return nil, false
		}
	}
	return at, len(parts(key)) > 0
}

// Set gives key a value and saves the file. Objects on the way are made; text in
// the way is replaced.
func (c *Conf) Set(key, value string) error {
	path := parts(key)
	if len(path) == 0 {
		return app.Errorf(app.CodeInvalid, "cannot set %q: no key", key)
	}
	m := c.tree
	for _, part := range path[:len(path)-1] {
		next, ok := m[part].(map[string]any)
		if !ok {
			next = map[string]any{}
			m[part] = next
		}
		m = next
	}
	m[path[len(path)-1]] = value
	return c.save()
}

// Unset removes key and what is under it, and saves the file. A key that is not
// there is app.ErrNotFound.
func (c *Conf) Unset(key string) error {
	path := parts(key)
	if _, ok := c.Get(key); !ok {
		return app.Errorf(app.CodeNotFound, "cannot find setting %q", key)
	}
	m := c.tree
	for _, part := range path[:len(path)-1] {
		m = m[part].(map[string]any) // Get went the same way
	}
	delete(m, path[len(path)-1])
	return c.save()
}

// Lines returns all settings as the arguments of `set`: "mod:key value", sorted,
// those of one module together.
func (c *Conf) Lines() []string { return lines(nil, "", c.tree) }

func lines(out []string, prefix string, m map[string]any) []string {
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if inner, ok := m[key].(map[string]any); ok {
			out = lines(out, prefix+key+":", inner)
			continue
		}
		out = append(out, fmt.Sprintf("%s%s %v", prefix, key, m[key]))
	}
	return out
}

// Env is what a module or app gets of the settings under its name: each as a
// variable, and all as JSON under the name itself. nil when there are none.
func (c *Conf) Env(name string) map[string]string {
	m, ok := c.tree[name].(map[string]any)
	if !ok {
		return nil
	}
	env := stringEnv(m, "")
	if text, err := Encode(m); err == nil {
		env[name] = string(text)
	}
	return env
}

func (c *Conf) save() error {
	text, err := indent(c.tree, "    ")
	if err == nil {
		err = replace(c.path, text)
	}
	if err != nil {
		return fmt.Errorf("cannot save the settings: %w", err)
	}
	return nil
}

func parts(key string) []string {
	return strings.FieldsFunc(key, func(r rune) bool { return r == ':' || r == '.' })
}
