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
// cluster. It follows "npm start", "npm run x", their likes of pnpm and yarn, "npx x", "tsx file", also where tsx is the interpreter, and
// programs of node_modules. A spec that names a script already comes back as it is. The error says why the script cannot be found.
func Unwrap(spec app.Spec) (app.Spec, error) {
	words := append(strings.Fields(spec.Script), spec.Args...)
	switch name := commandName(spec.Interpreter); {
	case len(words) == 0:
		return spec, nil
	case name == "tsx":
		words = slices.Concat([]string{name}, spec.InterpreterArgs, []string{spec.Script}, spec.Args)
		spec.InterpreterArgs = nil
	case name != "" && name != noInterpreter:
		return spec, nil
	}
	u := unwrapper{dir: spec.Cwd, env: map[string]string{}}
	if err := u.follow(words, 0); err != nil {
		return spec, err
	}
	switch {
	case u.script == "":
		return spec, nil
	case isForShell(spec.Script):
		return spec, fmt.Errorf("it needs a shell: %s", short(spec.Script))
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

// managers run the scripts of a package.json.
var managers = []string{"npm", "pnpm", "yarn"}

// starters run the app in another process, by ways that are not followed.
var starters = []string{"nodemon", "concurrently", "ts-node-dev", "npm-run-all", "pm2", "sh", "bash"}

// commandName is what a program of node_modules/.bin is called on PATH; all else stays as it is.
func commandName(word string) string {
	if dir, name := filepath.Split(word); filepath.Base(dir) == ".bin" {
		return name
	}
	return word
}

// isStarter says that the app is a process which the program at path starts, though it is written for node itself.
func isStarter(path string) bool {
	name := commandName(path)
	return name == "tsx" || slices.Contains(starters, name)
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
	switch name, rest := commandName(words[0]), words[1:]; {
	case name == "npx", slices.Contains(managers, name) && len(rest) > 0 && rest[0] == "exec":
		return u.packageProgram(name, rest, depth)
	case slices.Contains(managers, name):
		return u.packageScript(name, rest, depth)
	case name == "tsx":
		return u.tsx(rest)
	case name == "node" && len(rest) > 0:
		return u.node(rest)
	case slices.Contains(starters, name):
		if depth > 0 || name != words[0] {
			return fmt.Errorf("%s starts the app as a process of its own", name)
		}
	default:
		name = words[0]
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

// packageProgram follows "npx x" and "npm exec -- x".
func (u *unwrapper) packageProgram(manager string, words []string, depth int) error {
	for len(words) > 0 && slices.Contains([]string{"exec", "--", "-y", "--yes", "--no", "--no-install"}, words[0]) {
		words = words[1:]
	}
	if len(words) == 0 || strings.HasPrefix(words[0], "-") {
		return fmt.Errorf("%s with options is not looked through", manager)
	}
	return u.follow(words, depth+1)
}

// tsx loads the app into node's own process by its loader, which node finds as a package.
func (u *unwrapper) tsx(words []string) error {
	if len(words) > 0 && words[0] == "watch" {
		return fmt.Errorf("tsx watch starts the app as a process of its own")
	}
	if _, ok := u.nearest("tsx"); !ok {
		return fmt.Errorf("tsx is not installed in the app's node_modules, where node looks for its loader")
	}
	u.flags = append(u.flags, "--import", "tsx")
	return u.node(words)
}

// nearest is a file of the next node_modules that has it.
func (u *unwrapper) nearest(name string) (path string, ok bool) {
	for dir := u.dir; ; dir = filepath.Dir(dir) {
		path, err := filepath.EvalSymlinks(filepath.Join(dir, "node_modules", name))
		if err == nil || dir == filepath.Dir(dir) {
			return path, err == nil
		}
	}
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
	pkg, err := readPackage(filepath.Join(u.dir, "package.json"))
	if err != nil {
		return err
	}
	scripts := pkg.Scripts
	line, ok := scripts[name]
	switch {
	case !ok:
		return fmt.Errorf("package.json has no script %q", name)
	case scripts["pre"+name] != "" || scripts["post"+name] != "":
		return fmt.Errorf("its package script %q has others before or after it", name)
	case isForShell(line):
		return fmt.Errorf("its package script %q needs a shell: %s", name, short(line))
	}
	return u.follow(append(strings.Fields(line), more...), depth+1)
}

func isForShell(line string) bool { return strings.ContainsAny(line, "&|;<>()$`\"'\\*?~#\n") }

// packageFile is what counts here of a package.json.
type packageFile struct {
	Main    string            `json:"main"`
	Scripts map[string]string `json:"scripts"`
}

func readPackage(path string) (pkg packageFile, err error) {
	f, err := os.Open(path)
	if err != nil {
		return pkg, fileError("the file", path, err)
	}
	defer f.Close()
	if err := json.NewDecoder(io.LimitReader(f, maxPackage)).Decode(&pkg); err != nil {
		return pkg, fmt.Errorf("%s cannot be read: %w", path, err)
	}
	return pkg, nil
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
	path, err := u.entry(words[0])
	if err != nil {
		return err
	}
	u.script, u.args = path, words[1:]
	return nil
}

// entry is the file that node runs when it is given a name, which it completes: a folder means the main file of its package.
func (u *unwrapper) entry(name string) (string, error) {
	look := lookup{cwd: u.dir}
	path, err := look.file(name)
	if err == nil {
		return path, nil
	}
	candidates := []string{name + ".js"}
	if info, no := os.Stat(look.abs(name)); no == nil && info.IsDir() {
		candidates = []string{filepath.Join(name, "index.js")}
		if pkg, no := readPackage(filepath.Join(look.abs(name), "package.json")); no == nil && pkg.Main != "" {
			main := filepath.Join(name, pkg.Main)
			candidates = append([]string{main, main + ".js", filepath.Join(main, "index.js")}, candidates...)
		}
	}
	for _, candidate := range candidates {
		if path, no := look.file(candidate); no == nil {
			return path, nil
		}
	}
	return "", err
}

// binary follows a program of node_modules that is a script for node.
func (u *unwrapper) binary(name string, args []string, depth int) error {
	if path, ok := u.nearest(filepath.Join(".bin", name)); ok {
		return u.nodeProgram(path, args)
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
