package launch

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"gpm/app"
)

// rule says who interprets files of an extension.
type rule struct {
	names  []string // the first that is on PATH
	byNode byNode   // whether node can do it too
}

// byNode says when node can run what is another's, if its arguments name no loader of modules. With one it may always.
type byNode uint8

const (
	never  byNode = iota
	loaded        // with a loader only
	strips        // from some version on
)

// ruleFor returns nil for an extension that says nothing.
func ruleFor(path string) *rule {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".js", ".cjs", ".mjs":
		return &rule{names: []string{"node"}}
	case ".ts", ".mts", ".cts":
		return &rule{names: []string{"bun"}, byNode: strips}
	case ".tsx":
		return &rule{names: []string{"bun"}, byNode: loaded}
	case ".py":
		return &rule{names: []string{"python3", "python"}}
	case ".sh":
		return &rule{names: []string{"bash", "sh"}}
	case ".rb":
		return &rule{names: []string{"ruby"}}
	case ".php":
		return &rule{names: []string{"php"}}
	case ".pl":
		return &rule{names: []string{"perl"}}
	case ".coffee":
		return &rule{names: []string{"coffee"}}
	case ".ls":
		return &rule{names: []string{"lsc"}}
	}
	return nil
}

// byRule returns the interpreter with the arguments it needs.
func (r *Resolver) byRule(look lookup, spec app.Spec, rule *rule) ([]string, error) {
	node, hasNode := look.first("node")
	loads := hasNode && rule.byNode != never && slices.ContainsFunc(spec.InterpreterArgs, isLoader)
	if path, ok := look.first(rule.names...); ok && !loads {
		return []string{path}, nil
	}
	if rule.byNode == loaded && loads {
		return []string{node}, nil
	}
	if rule.byNode != strips {
		return nil, noProgram(rule.names[0])
	}
	if !hasNode {
		return nil, app.Errorf(app.CodeNotFound, "neither bun nor node is on PATH to run TypeScript").
			WithHint("install one of them, or name another with --interpreter")
	}
	version, err := r.nodeVersion(node, spec.Env)
	if err != nil {
		return nil, err
	}
	flags, ok := stripTypes(version)
	if !ok && !loads {
		return nil, app.Errorf(app.CodeNotFound, "%s is version %s, which cannot run TypeScript, and bun is not on PATH", node, version).
			WithHint("use node 22.6 or later, install bun, or name another with --interpreter")
	}
	return append([]string{node}, flags...), nil
}

// isLoader says that an argument of node names modules that may load what node cannot by itself: tsx and its like.
func isLoader(arg string) bool {
	name, _, _ := strings.Cut(arg, "=")
	return slices.Contains([]string{"--import", "--loader", "--experimental-loader", "--require", "-r"}, name)
}

// stripTypes returns the flags by which a version of node runs TypeScript: it
// learned to in 22.6, and needs no flag from 22.18 and 23.6 on.
func stripTypes(version string) (flags []string, ok bool) {
	major, minor, valid := parseVersion(version)
	switch {
	case !valid || major < 22 || major == 22 && minor < 6:
		return nil, false
	case major == 22 && minor < 18 || major == 23 && minor < 6:
		return []string{"--experimental-strip-types"}, true
	}
	return nil, true
}

// parseVersion reads the first two numbers of "v22.6.0".
func parseVersion(v string) (major, minor int, ok bool) {
	parts := strings.SplitN(strings.TrimPrefix(strings.TrimSpace(v), "v"), ".", 3)
	if len(parts) < 2 {
		return 0, 0, false
	}
	major, err1 := strconv.Atoi(parts[0])
	minor, err2 := strconv.Atoi(parts[1])
	return major, minor, err1 == nil && err2 == nil && major >= 0 && minor >= 0
}

// nodeTimeout bounds the question for a version; node itself answers in 50 ms.
const nodeTimeout = 10 * time.Second

// nodeVersion asks node, with the app's environment: a version manager's shim
// decides by it.
func (r *Resolver) nodeVersion(node string, env map[string]string) (string, error) {
	return r.nodes.get(node, func() (string, error) {
		ctx, cancel := context.WithTimeout(context.Background(), nodeTimeout)
		defer cancel()
		cmd := exec.CommandContext(ctx, node, "--version")
		cmd.Env = envList(env)
		out, err := cmd.Output()
		if err != nil {
			return "", fmt.Errorf("cannot ask %s for its version: %w", node, err)
		}
		return strings.TrimSpace(string(out)), nil
	})
}
