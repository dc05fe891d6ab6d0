package launch

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gpm/app"
)

// Unwrap finds the script that a package manager would run in another process: only that one can be a worker of a
// cluster. It follows "npm start", "npm run x", their likes of pnpm and yarn, "tsx file" and programs of
// node_modules. A spec that names a script already comes back as it is. The error says why the script cannot be found.
func Unwrap(spec app.Spec) (app.Spec, error) {
	words := append(strings.Fields(spec.Script), spec.Args...)
	if spec.Interpreter != "" && spec.Interpreter != noInterpreter || len(words) == 0 {
		return spec, nil
	}
	u := unwrapper{dir: spec.Cwd, env: map[string]string{}}
	if err := u.follow(words, 0); err != nil {
		return spec, err
	}
	if u.script == "" {
		return spec, nil
	}
	out := spec.Clone()
	out.Script, out.Interpreter, out.Args = u.script, "node", u.args
	out.InterpreterArgs = append(u.flags, out.InterpreterArgs...)
	if out.Env == nil {
		out.Env = map[string]string{}
	}
	for name, value := range u.env {
		out.Env[name] = value
	}
	return out, nil
}

type unwrapper struct {
	dir    string
	env    map[string]string
	flags  []string // of node
	script string   // absolute; "" = it is no wrapper that is known
	args   []string
}

// maxDepth bounds scripts that run each other.
const maxDepth = 5

// follow looks at one command.
func (u *unwrapper) follow(words []string, depth int) error {
	words = u.assignments(words)
	switch {
	case depth > maxDepth:
		return fmt.Errorf("its package scripts run each other")
	case len(words) == 0:
		return fmt.Errorf("its package script is empty")
	}
	switch name, rest := words[0], words[1:]; name {
	case "npm", "pnpm", "yarn":
		return u.packageScript(name, rest, depth)
	case "tsx":
		u.flags = append(u.flags, "--import", "tsx")
		return u.node(rest)
	case "node":
		if depth > 0 {
			return u.node(rest)
		}
	case "nodemon", "concurrently", "ts-node-dev", "npm-run-all", "pm2", "sh", "bash":
		if depth > 0 {
			return fmt.Errorf("%s starts the app as a process of its own", name)
		}
	default:
		if depth > 0 || isPlain(name) && !exists(filepath.Join(u.dir, name)) {
			return u.binary(name, rest, depth)
		}
	}
	return nil
}

// assignments takes the variables before a command.
func (u *unwrapper) assignments(words []string) []string {
	for len(words) > 0 {
		name, value, ok := strings.Cut(words[0], "=")
		switch {
		case words[0] == "cross-env":
		case ok && name != "" && !strings.ContainsAny(name, "-./"):
			u.env[name] = value
		default:
			return words
		}
		words = words[1:]
	}
	return words
}

// packageScript follows "npm run x -- more".
func (u *unwrapper) packageScript(manager string, words []string, depth int) error {
	if len(words) > 0 && (words[0] == "run" || words[0] == "run-script") {
		words = words[1:]
	}
	if len(words) == 0 || strings.HasPrefix(words[0], "-") {
		return fmt.Errorf("%s with options is not looked through", manager)
	}
	name, more := words[0], words[1:]
	if len(more) > 0 && more[0] == "--" {
		more = more[1:]
	}
	scripts, err := readScripts(filepath.Join(u.dir, "package.json"))
	if err != nil {
		return err
	}
	line, ok := scripts[name]
	switch {
	case !ok:
		return fmt.Errorf("package.json has no script %q", name)
	case scripts["pre"+name] != "" || scripts["post"+name] != "":
		return fmt.Errorf("its package script %q has others before or after it", name)
	case strings.ContainsAny(line, "&|;<>()$`\"'\\*?~#\n"):
		return fmt.Errorf("its package script %q needs a shell: %s", name, short(line))
	}
	return u.follow(append(strings.Fields(line), more...), depth+1)
}

func readScripts(path string) (map[string]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fileError("its", path, err)
	}
	defer f.Close()
	var pkg struct {
		Scripts map[string]string `json:"scripts"`
	}
	if err := json.NewDecoder(io.LimitReader(f, maxPackage)).Decode(&pkg); err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", path, err)
	}
	return pkg.Scripts, nil
}

// valued are the flags of node whose value is the next word.
var valued = []string{"-r", "--require", "--import", "--loader", "--experimental-loader", "-C", "--conditions", "--env-file"}

// node takes the arguments of node: flags, the script, the script's own.
func (u *unwrapper) node(words []string) error {
	for len(words) > 0 && strings.HasPrefix(words[0], "-") {
		n := 1
		if slices.Contains(valued, words[0]) {
			n = 2
		}
		if slices.Contains([]string{"-e", "-p", "--eval", "--print", "--watch", "--test"}, words[0]) || len(words) <= n {
			return fmt.Errorf("node %s runs no script that can be clustered", words[0])
		}
		u.flags = append(u.flags, words[:n]...)
		words = words[n:]
	}
	if len(words) == 0 {
		return fmt.Errorf("node is given no script")
	}
	path, err := lookup{cwd: u.dir}.file(words[0])
	if err != nil {
		path, err = lookup{cwd: u.dir}.file(words[0] + ".js") // as node itself completes it
	}
	if err != nil {
		return err
	}
	u.script, u.args = path, words[1:]
	return nil
}

// binary follows a program of node_modules that is a script for node.
func (u *unwrapper) binary(name string, args []string, depth int) error {
	for dir := u.dir; ; dir = filepath.Dir(dir) {
		path, err := filepath.EvalSymlinks(filepath.Join(dir, "node_modules", ".bin", name))
		if err == nil {
			return u.nodeProgram(path, args)
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	if depth == 0 {
		return nil // a program like any other
	}
	return fmt.Errorf("%q is no program of node_modules", name)
}

func (u *unwrapper) nodeProgram(path string, args []string) error {
	head, err := readHead(path)
	if err != nil {
		return err
	}
	if s, ok := ParseShebang(head); !ok || !strings.Contains(s.Interpreter+" "+s.Arg, "node") {
		return fmt.Errorf("%s is no script for node", path)
	}
	u.script, u.args = path, args
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
