// Package engine evaluates JavaScript and TypeScript inside gpm, for machines without Node, Bun or Deno.
//
// It is apart from package ecosystem because its libraries cost every program that links them some
// start-up time. What it offers a config is what configs use: module.exports and export default, require of
// relative files, JSON and packages that need nothing else, path, os, url, reading by fs,
// process.env, __dirname and __filename. It is no Node: there are no timers and no processes.
package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/metrics"
	"strings"
	"time"

	"github.com/dop251/goja"
	"github.com/evanw/esbuild/pkg/api"

	"gpm/ecosystem"
)

// Engine implements ecosystem.Engine; each call has a state of its own.
type Engine struct{}

const (
	maxStack  = 1_000
	maxSource = 4 << 20   // bytes of one file
	maxHeap   = 512 << 20 // bytes that a config may add to the heap before it is ended
	heapLook  = 20 * time.Millisecond
)

var errHeap = errors.New("it needs too much memory")

// Bundle makes a file and its relative imports one CommonJS text with an inline source map.
func (Engine) Bundle(_ context.Context, file string) (string, error) {
	result := api.Build(api.BuildOptions{
		EntryPoints: []string{file}, Bundle: true, Packages: api.PackagesExternal, Platform: api.PlatformNode, Format: api.FormatCommonJS,
		Target: api.ES2020, Sourcemap: api.SourceMapInline, AbsWorkingDir: filepath.Dir(file), Outfile: filepath.Join(filepath.Dir(file), "config.js"),
		Banner: map[string]string{"js": metaURL}, Define: metaDefine, TsconfigRaw: "{}", LogLevel: api.LogLevelSilent,
	})
	if len(result.Errors) > 0 {
		return "", messageError(result.Errors[0], filepath.Dir(file))
	}
	return string(result.OutputFiles[0].Contents), nil
}

// import.meta.url has no meaning in CommonJS; this gives it the one it had.
const metaURL = `const __gpm_meta_url = require("url").pathToFileURL(__filename).href;`

var metaDefine = map[string]string{"import.meta.url": "__gpm_meta_url", "import.meta.dirname": "__dirname", "import.meta.filename": "__filename"}

// messageError is esbuild's first complaint.
func messageError(m api.Message, dir string) error {
	e := &ecosystem.ScriptError{Message: "SyntaxError: " + m.Text}
	if strings.HasPrefix(m.Text, "Could not resolve") {
		e.Message = "Cannot find module" + strings.TrimPrefix(m.Text, "Could not resolve")
	}
	if at := m.Location; at != nil {
		e.File, e.Line, e.Col = at.File, at.Line, at.Column+1
		if e.File != "" && !filepath.IsAbs(e.File) {
			e.File = filepath.Join(dir, e.File)
		}
	}
	return e
}

// Eval runs a file and returns the JSON of what it exports.
func (Engine) Eval(ctx context.Context, s ecosystem.Script) ([]byte, error) {
	m := &machine{vm: goja.New(), script: s, cache: map[string]*goja.Object{}}
	m.vm.SetMaxCallStackSize(maxStack)
	stop := m.guard(ctx)
	defer stop()
	result, err := m.run()
	if err != nil {
		return nil, m.explain(err)
	}
	return []byte(result), nil
}

// guard ends the script with the context and when it fills the memory; the returned function ends the guard.
func (m *machine) guard(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	ticker := time.NewTicker(heapLook)
	before := heap()
	go func() {
		defer close(ended)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				m.vm.Interrupt(ctx.Err())
				return
			case <-ticker.C:
				if heap() > before+maxHeap {
					m.vm.Interrupt(errHeap)
					return
				}
			}
		}
	}()
	return func() { cancel(); <-ended }
}

// heap is the memory that live and not yet collected objects take.
func heap() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// run loads the file, settles what it exports and encodes it.
func (m *machine) run() (string, error) {
	if err := m.prepare(); err != nil {
		return "", err
	}
	exported, err := m.load(m.script.File)
	if err != nil {
		return "", err
	}
	settle, ok := goja.AssertFunction(m.vm.Get("settle"))
	if !ok {
		return "", errors.New("cannot run the built-in engine: no settle")
	}
	promise, err := settle(goja.Undefined(), exported) // jobs run until none is left before it returns
	if err != nil {
		return "", err
	}
	value, err := settled(promise)
	if err != nil {
		return "", err
	}
	encode, ok := goja.AssertFunction(m.vm.Get("encode"))
	if !ok {
		return "", errors.New("cannot run the built-in engine: no encode")
	}
	text, err := encode(goja.Undefined(), value)
	if err != nil {
		return "", err
	}
	return text.String(), nil
}

func settled(v goja.Value) (goja.Value, error) {
	p, ok := v.Export().(*goja.Promise)
	if !ok {
		return v, nil
	}
	switch p.State() {
	case goja.PromiseStateFulfilled:
		return p.Result(), nil
	case goja.PromiseStateRejected:
		return nil, &rejection{p.Result()}
	}
	return nil, &ecosystem.ScriptError{Message: "it exports a promise that never settles"}
}

// rejection is what an exported promise was rejected with.
type rejection struct{ value goja.Value }

func (r *rejection) Error() string { return r.value.String() }

// explain makes a *ecosystem.ScriptError of what the machine ended with.
func (m *machine) explain(err error) error {
	var value goja.Value
	var stack []goja.StackFrame
	if e, ok := errors.AsType[*ecosystem.ScriptError](err); ok {
		return e
	}
	if e, ok := errors.AsType[*goja.InterruptedError](err); ok {
		return m.interrupted(e)
	}
	if e, ok := errors.AsType[*goja.StackOverflowError](err); ok {
		return m.at(&ecosystem.ScriptError{Message: "RangeError: Maximum call stack size exceeded"}, e.Stack())
	}
	if e, ok := errors.AsType[*rejection](err); ok {
		value = e.value
	}
	if e, ok := errors.AsType[*goja.Exception](err); ok {
		value, stack = e.Value(), e.Stack()
	}
	if value == nil {
		return &ecosystem.ScriptError{Message: err.Error()}
	}
	if e, ok := m.carried(value); ok {
		return e
	}
	out := &ecosystem.ScriptError{Message: value.String()}
	if o, ok := value.(*goja.Object); ok && o.Get("stack") != nil {
		if len(stack) == 0 {
			out.File, out.Line, out.Col = ecosystem.StackPlace(o.Get("stack").String())
		}
	} else {
		out.Message = "it throws " + value.String()
	}
	return m.at(out, stack)
}

// carried finds an error of ours that went through the script as an exception.
func (m *machine) carried(v goja.Value) (*ecosystem.ScriptError, bool) {
	o, ok := v.(*goja.Object)
	if !ok || o.Get("value") == nil {
		return nil, false
	}
	e, ok := o.Get("value").Export().(*ecosystem.ScriptError)
	return e, ok
}

// at takes the place of the first frame in a file of the user.
func (m *machine) at(e *ecosystem.ScriptError, stack []goja.StackFrame) *ecosystem.ScriptError {
	for _, f := range stack {
		p := f.Position()
		if e.Line == 0 && filepath.IsAbs(p.Filename) {
			e.File, e.Line, e.Col = p.Filename, p.Line, p.Column
		}
	}
	return e
}

func (m *machine) interrupted(e *goja.InterruptedError) error {
	if exit, ok := e.Value().(exitCall); ok {
		return m.at(&ecosystem.ScriptError{Message: exit.String()}, e.Stack())
	}
	why, ok := e.Value().(error)
	if !ok {
		why = errors.New(fmt.Sprint(e.Value()))
	}
	if errors.Is(why, errHeap) {
		return m.at(&ecosystem.ScriptError{Message: errHeap.Error()}, e.Stack())
	}
	return why
}

func readSource(path string) (string, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return "", err
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("%s is not a regular file", path)
	case info.Size() > maxSource:
		return "", fmt.Errorf("%s has more than %d MiB", path, maxSource>>20)
	}
	data, err := os.ReadFile(path)
	return string(data), err
}
