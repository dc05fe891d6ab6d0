package ecosystem

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"gpm/app"
)

// Engine evaluates JavaScript inside gpm, for machines without Node. Package ecosystem/engine has one; it is a
// value in [Options] because what it links costs start-up time in every program that imports it. [Program]
// is one in another process.
type Engine interface {
	// Bundle makes a TypeScript or ES module file and what it imports by relative paths one CommonJS text.
	Bundle(ctx context.Context, file string) (code string, err error)
	// Eval returns the JSON text that Encode makes of what a file exports. It ends with ctx.
	Eval(ctx context.Context, s Script) (result []byte, err error)
}

// Script is a file to evaluate. Errors in it are *ScriptError.
type Script struct {
	File    string // absolute
	Cwd     string
	Environ map[string]string
	CPUs    int
	Encode  string // defines encode(value) and async settle(exports)
}

// ScriptError is a mistake in a script, at a place as far as it is known.
type ScriptError struct {
	Message string // "TypeError: x is not a function"
	File    string // absolute, "" = the script itself
	Line    int    // from 1, 0 = unknown
	Col     int    // from 1, 0 = unknown
}

func (e *ScriptError) Error() string { return e.Message }

// evaluate runs a config file in Node, Bun or Deno, or in the built-in engine where none is on PATH.
func (r *reader) evaluate(ctx context.Context) (*node, error) {
	source, err := r.readFile()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, r.opts.Timeout, errTooLong)
	defer cancel()
	var tree *node
	runtime, found := findRuntime(r.opts.Environ["PATH"])
	switch {
	case found:
		tree, err = r.inRuntime(ctx, runtime, string(source))
	case r.opts.Engine != nil:
		tree, err = r.inEngine(ctx)
	default:
		return nil, app.Errorf(app.CodeNotFound, "cannot read %s: none of node, bun and deno is on PATH", r.name).
			WithHint("install Node.js, or write the file as JSON, YAML or TOML")
	}
	if ctx.Err() != nil && (err != nil || tree == nil) {
		return nil, r.outOfTime(ctx)
	}
	if err != nil {
		return nil, err
	}
	locate(tree, string(source))
	return tree, nil
}

var errTooLong = errors.New("time is over")

func (r *reader) outOfTime(ctx context.Context) error {
	if context.Cause(ctx) != errTooLong { //nolint:errorlint // the very value
		return fmt.Errorf("cannot read %s: %w", r.name, context.Cause(ctx))
	}
	return bad(pos{}, "it has not finished after %s", r.opts.Timeout).withHint("a config only exports settings; servers, timers and endless loops have no place in it")
}

func (r *reader) inEngine(ctx context.Context) (*node, error) {
	result, err := r.opts.Engine.Eval(ctx, Script{File: r.path, Cwd: r.opts.Cwd, Environ: r.opts.Environ, CPUs: r.opts.CPUs, Encode: encodeScript})
	if wrong, ok := errors.AsType[*ScriptError](err); ok {
		return nil, r.scriptError(wrong)
	}
	if err != nil {
		return nil, err
	}
	return decodeResult(result)
}

func (r *reader) inRuntime(ctx context.Context, runtime jsRuntime, source string) (*node, error) {
	stdin := []byte(nil)
	if runtime.name == "node" && (isTypeScript(r.path) || filepath.Ext(r.path) != ".mjs" && looksLikeModule(source)) {
		var err error
		if stdin, err = bundleInput(ctx, r.opts.Engine, r.path); err != nil {
			return nil, err
		}
	}
	answer, output, err := runtime.run(ctx, r.path, r.opts.Cwd, childEnviron(r.opts.Environ), stdin)
	r.out.Output = output
	if answer == nil {
		return nil, r.noAnswer(runtime, output, err)
	}
	var reply struct {
		Value json.RawMessage
		Error *struct {
			jsError
			Stack string
		}
	}
	if err := json.Unmarshal(answer, &reply); err != nil {
		return nil, bad(pos{}, "what it exports cannot be understood: %v", err)
	}
	if e := reply.Error; e != nil {
		wrong := &ScriptError{firstLine(e.Message), filePath(e.File), e.Line, e.Column}
		if wrong.Line == 0 {
			wrong.File, wrong.Line, wrong.Col = StackPlace(e.Stack)
		}
		return nil, r.scriptError(wrong)
	}
	return decodeResult(reply.Value)
}

func isTypeScript(path string) bool { return strings.HasSuffix(filepath.Ext(path), "ts") }

// looksLikeModule says that a file needs an engine that reads ES modules; it may err on the safe side.
func looksLikeModule(source string) bool {
	for line := range strings.Lines(source) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "export ") || strings.HasPrefix(line, "export{") || strings.HasPrefix(line, "import ") || strings.HasPrefix(line, "import{") {
			return true
		}
	}
	return false
}

// noAnswer explains a process that ended without having said anything.
func (r *reader) noAnswer(runtime jsRuntime, output []byte, err error) error {
	output = colour.ReplaceAll(output, nil)
	file, line, col := StackPlace(string(output))
	for text := range strings.Lines(string(output)) {
		text = strings.TrimSpace(text)
		switch {
		case strings.Contains(text, "heap out of memory"):
			return bad(pos{}, "it needs too much memory")
		case strings.Contains(text, "rror: "):
			return r.scriptError(&ScriptError{text, file, line, col})
		}
	}
	why := "without an answer"
	if err != nil {
		why = "with " + err.Error()
	}
	return bad(pos{}, "%s ended %s", runtime.name, why)
}

// scriptError says where in which file a script went wrong.
func (r *reader) scriptError(e *ScriptError) error {
	message, _, _ := strings.Cut(e.Message, " imported from ") // the file itself
	wrong := bad(pos{e.Line, e.Col}, "%s", strings.ReplaceAll(message, r.opts.Cwd+string(filepath.Separator), ""))
	if e.File != "" && !sameFile(e.File, r.path) {
		wrong.file = e.File
		if rel, err := filepath.Rel(r.opts.Cwd, e.File); err == nil && filepath.IsLocal(rel) {
			wrong.file = rel
		}
	}
	switch {
	case strings.Contains(e.Message, "Cannot find module") || strings.Contains(e.Message, "Cannot find package"):
		return wrong.withHint("install it beside the file, or correct the path")
	case strings.Contains(e.Message, "Cannot use import statement") || strings.Contains(e.Message, "Unexpected token 'export'"):
		return wrong.withHint("call the file .config.mjs")
	}
	return wrong
}

func sameFile(a, b string) bool {
	if a == b {
		return true
	}
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}

func firstLine(s string) string {
	before, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return strings.TrimSpace(before)
}

var (
	frame = regexp.MustCompile(`(?:^|[\s(])((?:file://)?(?:/|[A-Za-z]:[\\/])[^()]*):(\d+):(\d+)(?:\(\d+\))?\)?$`)
	// notTheirs are packages, and load.js as the engines call it.
	notTheirs = regexp.MustCompile(`node_modules|\$deno\$eval|\[eval\]`)
	colour    = regexp.MustCompile(`\x1b\[[0-9;]*m`)
	header    = regexp.MustCompile(`^((?:file://)?(?:/|[A-Za-z]:[\\/]).*):(\d+)$`)
)

// StackPlace finds the place in a stack trace: what precedes a syntax error ("file:line", the line, a caret
// below it), or the first frame that is the user's.
func StackPlace(stack string) (file string, line, col int) {
	lines := strings.Split(stack, "\n")
	for i, text := range lines {
		text = strings.TrimRight(text, "\r ")
		if m := header.FindStringSubmatch(text); m != nil {
			line, _ = strconv.Atoi(m[2])
			return filePath(m[1]), line, caret(lines[i+1:])
		}
		if m := frame.FindStringSubmatch(text); m != nil && !notTheirs.MatchString(m[1]) {
			line, _ = strconv.Atoi(m[2])
			col, _ = strconv.Atoi(m[3])
			return filePath(m[1]), line, col
		}
	}
	return "", 0, 0
}

// caret is the column that a line of ^ below the source points at, 0 without one.
func caret(below []string) int {
	if len(below) < 2 || strings.Trim(below[1], " \t^\r") != "" {
		return 0
	}
	return strings.IndexByte(below[1], '^') + 1
}

func filePath(s string) string {
	rest, ok := strings.CutPrefix(s, "file://")
	if !ok {
		return s
	}
	if plain, err := url.PathUnescape(rest); err == nil {
		rest = plain
	}
	if len(rest) > 2 && rest[2] == ':' { // /C:/x
		rest = rest[1:]
	}
	return filepath.FromSlash(rest)
}

// decodeResult reads the JSON of encode.js.
func decodeResult(result []byte) (*node, error) {
	tree, _, err := parseJSON5(string(result))
	if err != nil {
		return nil, fmt.Errorf("what it exports cannot be understood: %w", err)
	}
	unmark(tree)
	return tree, nil
}

// unmark makes aliens of the marks that encode.js sets, and forgets places in a text that nobody wrote.
func unmark(n *node) {
	n.pos = pos{}
	if n.kind == object && len(n.members) == 1 && n.members[0].key == "\x00" {
		*n = node{kind: alien, text: n.members[0].value.text}
		return
	}
	for _, item := range n.items {
		unmark(item)
	}
	for i := range n.members {
		n.members[i].pos = pos{}
		unmark(n.members[i].value)
	}
}
