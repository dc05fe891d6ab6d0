package deploy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"gpm/app"
)

// Target is one entry of a deploy section.
type Target struct {
	Name         string // of the entry: "production"
	User         string
	Hosts        []string // "localhost" and its addresses are this machine
	Key          string   // file of the private key
	Port         string
	Ref          string // "origin/main", a tag or a commit
	Repo         string
	Path         string // on the server; "~/" is the user's home
	ForwardAgent bool
	NeedsTTY     bool
	SSHOptions   []string // "StrictHostKeyChecking=no"
	Shallow      bool     // fetch: "fast": the last five commits only

	PreSetup       string // shell commands, each run where its name says
	PostSetup      string
	PreDeployLocal string
	PreDeploy      string
	PostDeploy     string

	Env map[string]string // of all commands on the server
}

// ParseTarget reads an entry as it is in an ecosystem file.
func ParseTarget(name string, raw map[string]any) (Target, error) {
	t := Target{Name: name, Env: map[string]string{}}
	r := reader{raw: raw}
	t.User, t.Key, t.Port = r.text("user"), r.text("key"), r.text("port")
	t.Ref, t.Repo, t.Path = r.text("ref"), r.text("repo"), strings.TrimRight(r.text("path"), "/")
	t.Hosts, t.SSHOptions = r.list("host"), r.list("ssh_options")
	t.ForwardAgent, t.NeedsTTY = r.truth("forward-agent"), r.truth("needs_tty")
	t.Shallow = r.text("fetch") == "fast"
	for key, to := range map[string]*string{
		"pre-setup": &t.PreSetup, "post-setup": &t.PostSetup, "pre-deploy-local": &t.PreDeployLocal,
		"pre-deploy": &t.PreDeploy, "post-deploy": &t.PostDeploy,
	} {
		*to = strings.Join(r.list(key), " && ")
	}
	env, _ := raw["env"].(map[string]any)
	for _, k := range slices.Sorted(maps.Keys(env)) {
		t.Env[k] = fmt.Sprint(env[k])
	}
	if r.err != nil {
		return Target{}, app.Errorf(app.CodeInvalid, "cannot use deploy.%s: %w", name, r.err)
	}
	return t, t.check()
}

// check refuses what is missing, and what ssh or git would take for an option.
func (t Target) check() error {
	for _, f := range []struct{ key, value string }{{"host", strings.Join(t.Hosts, "")}, {"repo", t.Repo}, {"path", t.Path}, {"ref", t.Ref}} {
		if f.value == "" {
			return app.Errorf(app.CodeInvalid, "cannot deploy to %q: %s is missing", t.Name, f.key)
		}
	}
	for _, v := range append([]string{t.User, t.Ref, t.Repo, t.Path, t.Port}, t.Hosts...) {
		if strings.HasPrefix(v, "-") || strings.ContainsAny(v, "\x00\n") {
			return app.Errorf(app.CodeInvalid, "cannot deploy to %q: %q is no sensible value", t.Name, v)
		}
	}
	for k := range t.Env {
		if !isName(k) {
			return app.Errorf(app.CodeInvalid, "cannot deploy to %q: %q is no name of a variable", t.Name, k)
		}
	}
	return nil
}

// isName is a shell's idea of a variable.
func isName(s string) bool {
	for i, c := range s {
		letter := c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// reader keeps the first error.
type reader struct {
	raw map[string]any
	err error
}

func (r *reader) text(key string) string {
	switch v := r.raw[key].(type) {
	case nil:
		return ""
	case map[string]any, []any:
		r.fail(key, "text")
		return ""
	default:
		return fmt.Sprint(v)
	}
}

func (r *reader) list(key string) []string {
	items, ok := r.raw[key].([]any)
	if !ok {
		if text := r.text(key); text != "" {
			return []string{text}
		}
		return nil
	}
	var out []string
	for _, item := range items {
		text, ok := item.(string)
		if !ok {
			r.fail(key, "a list of texts")
		}
		out = append(out, text)
	}
	return out
}

func (r *reader) truth(key string) bool {
	v := r.raw[key]
	b, ok := v.(bool)
	if v != nil && !ok {
		r.fail(key, "true or false")
	}
	return b
}

func (r *reader) fail(key, want string) {
	if r.err == nil {
		r.err = fmt.Errorf("%s is not %s", key, want)
	}
}
