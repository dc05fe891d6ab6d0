package ecosystem

import (
	"bytes"
	"context"
	_ "embed" // the scripts
	"encoding/json"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

//go:embed js/encode.js
var encodeScript string

//go:embed js/load.js
var loadScript string

const (
	maxResult = 8 << 20  // bytes of JSON that a config may export
	maxOutput = 64 << 10 // bytes of what it prints that are kept
	// exitGrace is how long a process that has answered, or that was killed, may take to be gone.
	exitGrace = time.Second
)

// runtimes are the JavaScript engines that are looked for, in this order, with what precedes the script. The limit on
// memory keeps a config that fills it from harming the machine.
var runtimes = []struct {
	name string
	args []string
}{
	{"node", []string{"--max-old-space-size=512", "-e"}},
	{"bun", []string{"-e"}},
	{"deno", []string{"eval", "--v8-flags=--max-old-space-size=512"}},
}

// jsRuntime is an engine found on PATH.
type jsRuntime struct {
	name, path string
	args       []string
}

// findRuntime looks on the PATH of the caller's environment.
func findRuntime(searchPath string) (jsRuntime, bool) {
	for _, r := range runtimes {
		for _, dir := range filepath.SplitList(searchPath) {
			if !filepath.IsAbs(dir) {
				continue // a relative entry would run what lies in the current directory
			}
			if path, err := exec.LookPath(filepath.Join(dir, r.name)); err == nil {
				return jsRuntime{r.name, path, r.args}, true
			}
		}
	}
	return jsRuntime{}, false
}

// run evaluates a file in one process of the engine. stdin is what load.js may read; the
// answer is empty when the process ended without one.
func (j jsRuntime) run(ctx context.Context, file, cwd string, environ []string, stdin []byte) (answer, output []byte, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := exec.CommandContext(ctx, j.path)
	res, err := openResult(cmd)
	if err != nil {
		return nil, nil, err
	}
	defer res.close()
	cmd.Args = append(cmd.Args, j.args...)
	cmd.Args = append(cmd.Args, encodeScript+loadScript, "--", file, res.arg)
	printed := &bounded{most: maxOutput}
	cmd.Dir, cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = cwd, environ, bytes.NewReader(stdin), printed, printed
	cmd.WaitDelay = exitGrace
	ownTree(cmd)
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	ended, read := make(chan struct{}), make(chan []byte, 1)
	go func() {
		read <- res.read(ended)
		time.AfterFunc(exitGrace, cancel) // it has answered: what still runs is of no use
	}()
	err = cmd.Wait()
	close(ended)
	answer = <-read
	return answer, printed.buf, err
}

// bounded keeps the first bytes that are written and forgets the rest. Both streams are one writer, so os/exec
// writes from one goroutine.
type bounded struct {
	buf  []byte
	most int
}

func (b *bounded) Write(p []byte) (int, error) {
	b.buf = append(b.buf, p[:min(len(p), b.most-len(b.buf))]...)
	return len(p), nil
}

// line returns what precedes the first newline, nil without one: the answer is then not whole.
func line(data []byte) []byte {
	before, _, found := bytes.Cut(data, []byte("\n"))
	if !found {
		return nil
	}
	return before
}

// childEnviron is what the config sees: the caller's environment, without what would tie the engine to
// a parent that is not there.
func childEnviron(environ map[string]string) []string {
	out := make([]string, 0, len(environ))
	for k, v := range environ {
		if k != "" && !strings.HasPrefix(k, "NODE_CHANNEL") && k != "NODE_UNIQUE_ID" {
			out = append(out, k+"="+v)
		}
	}
	return out
}

// bundleInput is what load.js finds on its standard input.
func bundleInput(ctx context.Context, engine Engine, file string) ([]byte, error) {
	if engine == nil {
		return nil, nil
	}
	code, err := engine.Bundle(ctx, file)
	if err == nil {
		return json.Marshal(map[string]string{"code": code})
	}
	at := jsError{Message: err.Error(), File: file}
	if wrong, ok := errors.AsType[*ScriptError](err); ok {
		at = jsError{Message: wrong.Message, File: wrong.File, Line: wrong.Line, Column: wrong.Col}
	}
	return json.Marshal(map[string]jsError{"error": at})
}

// jsError is a place as load.js has it.
type jsError struct {
	Message string `json:"message"`
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
}
