package launch

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"gpm/app"
)

// noInterpreter says, as in pm2, that a file is executed directly.
const noInterpreter = "none"

// command is a command line that is ready for execve(2).
type command struct {
	argv        []string // argv[0] is absolute
	program     string   // what the user named: an absolute file, or a command line
	interpreter string   // absolute, or none
	dir         string   // where the app lives, for its package.json
	runtime     string   // words among which the interpreter is, to know python by
	wrapper     bool     // it was found on PATH, is a line for the shell, or known to start the app in another process
	nodeDir     string   // of the Node that the app asks for, to be before its PATH; "" = none
}

// javascript names the runtime that executes the app's own script. A program on PATH that is written
// in JavaScript (npm, tsx) is a wrapper: the app is a process that it starts, so it does not count.
func (c command) javascript() string {
	if c.wrapper {
		return ""
	}
	for _, word := range strings.Fields(c.runtime) {
		switch name := strings.TrimSuffix(filepath.Base(word), ".exe"); name {
		case "node", "bun", "deno":
			return name
		case "nodejs":
			return "node"
		}
	}
	return ""
}

// isPython decides about the buffering of output.
func (c command) isPython() bool {
	for _, word := range strings.Fields(c.runtime) {
		if strings.HasPrefix(filepath.Base(word), "python") {
			return true
		}
	}
	return false
}

// command finds the program and who interprets it.
func (r *Resolver) command(spec app.Spec) (command, error) {
	if strings.TrimSpace(spec.Script) == "" {
		return command{}, app.Errorf(app.CodeInvalid, "no script is given")
	}
	if err := checkDir(spec.Cwd); err != nil {
		return command{}, err
	}
	look := lookup{cwd: spec.Cwd, path: searchPath(spec.Env)}
	nodeDir, err := r.nodeDir(look, spec)
	if err != nil {
		return command{}, err
	}
	if nodeDir != "" {
		look.path = nodeDir + string(filepath.ListSeparator) + look.path
	}
	file, err := look.script(spec.Script)
	if errors.Is(err, app.ErrNotFound) && isLine(look, spec) {
		cmd, err := shellCommand(look, spec)
		cmd.nodeDir = nodeDir
		return cmd, err
	}
	if err != nil {
		return command{}, err
	}
	cmd := command{program: file.path, dir: filepath.Dir(file.path), interpreter: noInterpreter, nodeDir: nodeDir}
	if file.onPath || isStarter(file.path) {
		cmd.dir, cmd.wrapper = spec.Cwd, true
	}
	if cmd.argv, cmd.runtime, err = r.interpreted(look, spec, file); err != nil {
		return command{}, err
	}
	if cmd.argv[0] != file.path {
		cmd.interpreter = cmd.argv[0]
	}
	cmd.argv = append(cmd.argv, spec.Args...)
	return cmd, nil
}

// isLine says whether a script that is no file is a line for the shell. Where the user says that nothing interprets
// it, at least its first word has to be there.
func isLine(look lookup, spec app.Spec) bool {
	words := strings.Fields(spec.Script)
	switch {
	case len(words) < 2:
		return false
	case spec.Interpreter == noInterpreter:
		_, err := look.script(words[0])
		return err == nil
	}
	return spec.Interpreter == ""
}

// interpreted returns the command line up to the script's own arguments, and the
// words that tell the runtime.
func (r *Resolver) interpreted(look lookup, spec app.Spec, file found) (argv []string, runtime string, err error) {
	switch spec.Interpreter {
	case noInterpreter:
		return direct(look, file.path, true)
	case "":
		rule := ruleFor(file.path)
		if rule == nil || file.onPath { // a program on PATH is there to be executed
			return direct(look, file.path, false)
		}
		argv, err = r.byRule(look, spec, rule)
	default:
		name := spec.Interpreter
		if strings.HasPrefix(name, nodeAt) {
			name = "node" // nodeDir is where it looks first
		}
		argv, err = look.interpreter(name)
	}
	if err != nil {
		return nil, "", err
	}
	runtime = argv[0]
	argv = append(argv, spec.InterpreterArgs...)
	return append(argv, file.path), runtime, nil
}

// shellCommand has a shell run the script as one line, with the arguments
// quoted after it.
func shellCommand(look lookup, spec app.Spec) (command, error) {
	argv, line, err := shell(look, spec.Script, spec.Args)
	if err != nil {
		return command{}, err
	}
	return command{
		argv: append(argv, line), program: spec.Script, interpreter: argv[0],
		dir: spec.Cwd, runtime: strings.Fields(spec.Script)[0], wrapper: true,
	}, nil
}

// script is the command line of a file that begins with "#!": itself when it may be
// executed, else what the kernel would make of it.
func script(look lookup, path string, head []byte, executable bool) (argv []string, runtime string, err error) {
	s, ok := ParseShebang(head)
	switch {
	case !ok:
		return nil, "", app.Errorf(app.CodeInvalid, "its first line begins with #! and names no interpreter").
			WithHint("write one like #!/bin/sh, or name it with --interpreter")
	case s.CR:
		return nil, "", app.Errorf(app.CodeInvalid, "its first line ends in a carriage return, so that the interpreter %q is not found", s.Interpreter+`\r`).
			WithHint("it has Windows line ends: sed -i 's/\\r$//' %s", path)
	}
	if _, err := os.Stat(look.abs(s.Interpreter)); err != nil {
		return nil, "", fileError("the interpreter in its first line", s.Interpreter, err)
	}
	runtime = s.Interpreter + " " + s.Arg
	if executable {
		return []string{path}, runtime, nil
	}
	argv = []string{look.abs(s.Interpreter)}
	if s.Arg != "" {
		argv = append(argv, s.Arg)
	}
	return append(argv, path), runtime, nil
}
