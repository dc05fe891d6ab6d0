package engine

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dop251/goja"
	"github.com/evanw/esbuild/pkg/api"

	"gpm/ecosystem"
)

// machine is one evaluation.
type machine struct {
	vm     *goja.Runtime
	script ecosystem.Script
	cache  map[string]*goja.Object // module objects by file, entered before they run: a cycle sees what there is so far, as in Node
}

// loaders are esbuild's languages by extension.
var loaders = map[string]api.Loader{
	".js": api.LoaderJS, ".cjs": api.LoaderJS, ".mjs": api.LoaderJS, ".ts": api.LoaderTS, ".cts": api.LoaderTS, ".mts": api.LoaderTS,
}

const (
	wrapperHead = "(function (exports, require, module, __filename, __dirname) {" + metaURL
	wrapperTail = "\n})"
)

// load runs a file unless it has been, and returns its exports.
func (m *machine) load(file string) (goja.Value, error) {
	if module, ok := m.cache[file]; ok {
		return module.Get("exports"), nil
	}
	source, err := readSource(file)
	if err != nil {
		return nil, &ecosystem.ScriptError{Message: err.Error()}
	}
	module := m.vm.NewObject()
	exports := m.vm.NewObject()
	for name, value := range map[string]any{"exports": exports, "id": file, "filename": file, "loaded": false} {
		if err := module.Set(name, value); err != nil {
			return nil, err
		}
	}
	m.cache[file] = module
	if filepath.Ext(file) == ".json" {
		err = m.loadJSON(module, file, source)
	} else {
		err = m.runFile(module, exports, file, source)
	}
	if err != nil {
		delete(m.cache, file)
		return nil, err
	}
	return module.Get("exports"), module.Set("loaded", true)
}

func (m *machine) loadJSON(module *goja.Object, file, source string) error {
	var value any
	if err := json.Unmarshal([]byte(strings.TrimPrefix(source, "\ufeff")), &value); err != nil {
		return &ecosystem.ScriptError{Message: fmt.Sprintf("SyntaxError: %s is no JSON: %v", filepath.Base(file), err)}
	}
	return module.Set("exports", m.plain(value))
}

// plain makes JavaScript's own objects and arrays of JSON, so that configs can use all their methods.
func (m *machine) plain(v any) goja.Value {
	switch v := v.(type) {
	case []any:
		items := make([]any, len(v))
		for i, item := range v {
			items[i] = m.plain(item)
		}
		return m.vm.NewArray(items...)
	case map[string]any:
		o := m.vm.NewObject()
		for key, item := range v {
			_ = o.Set(key, m.plain(item)) // a fresh object refuses nothing
		}
		return o
	}
	return m.vm.ToValue(v)
}

// runFile makes the file CommonJS of a form that the machine knows and calls it as Node does.
func (m *machine) runFile(module, exports *goja.Object, file, source string) error {
	loader, ok := loaders[filepath.Ext(file)]
	if !ok {
		loader = api.LoaderJS
	}
	result := api.Transform(source, api.TransformOptions{
		Loader: loader, Format: api.FormatCommonJS, Platform: api.PlatformNode, Target: api.ES2017, Sourcemap: api.SourceMapInline, Sourcefile: file,
		Banner: wrapperHead, Footer: wrapperTail, Define: metaDefine, TsconfigRaw: "{}", LogLevel: api.LogLevelSilent,
		Supported: map[string]bool{"dynamic-import": false},
	})
	if len(result.Errors) > 0 {
		return messageError(result.Errors[0], filepath.Dir(file))
	}
	program, err := goja.Compile(file, string(result.Code), false)
	if err != nil {
		return &ecosystem.ScriptError{Message: err.Error(), File: file}
	}
	function, err := m.vm.RunProgram(program)
	if err != nil {
		return err
	}
	call, ok := goja.AssertFunction(function)
	if !ok {
		return &ecosystem.ScriptError{Message: "it cannot be run", File: file}
	}
	_, err = call(exports, exports, m.require(file), module, m.vm.ToValue(file), m.vm.ToValue(filepath.Dir(file)))
	return err
}

// require is the function of that name for one file.
func (m *machine) require(from string) goja.Value {
	f := m.vm.ToValue(func(call goja.FunctionCall) goja.Value {
		name := call.Argument(0).String()
		if builtin, ok := m.builtin(strings.TrimPrefix(name, "node:")); ok {
			return builtin
		}
		file, ok := m.resolve(name, filepath.Dir(from))
		if !ok {
			panic(m.missing(name))
		}
		exports, err := m.load(file)
		if err != nil {
			panic(m.thrown(err))
		}
		return exports
	}).(*goja.Object)
	_ = f.Set("resolve", func(name string) string {
		file, ok := m.resolve(name, filepath.Dir(from))
		if !ok {
			panic(m.missing(name))
		}
		return file
	})
	return f
}

// missing is Node's error, so that a config may catch it and look at its code.
func (m *machine) missing(name string) goja.Value {
	message := fmt.Sprintf("Cannot find module '%s'", name)
	if !strings.HasPrefix(name, ".") && !filepath.IsAbs(name) {
		message += " (there is no Node.js on PATH, and the built-in engine has only path, os, url and reading by fs)"
	}
	return m.newError(message, "MODULE_NOT_FOUND")
}

func (m *machine) newError(message, code string) *goja.Object {
	e, err := m.vm.New(m.vm.Get("Error"), m.vm.ToValue(message))
	if err != nil {
		return m.vm.NewGoError(err)
	}
	_ = e.Set("code", code)
	return e
}

// thrown lets an error pass through a script: an exception as what it was, ours as an object that explain knows.
func (m *machine) thrown(err error) any {
	switch e := err.(type) { //nolint:errorlint // the machine returns its own types unwrapped
	case *goja.Exception:
		return e.Value()
	case *goja.InterruptedError, *goja.StackOverflowError:
		return e
	}
	return m.vm.NewGoError(err)
}

// resolve follows Node's rules for relative names, folders and node_modules.
func (m *machine) resolve(name, dir string) (string, bool) {
	if strings.HasPrefix(name, "./") || strings.HasPrefix(name, "../") || name == "." || name == ".." || filepath.IsAbs(name) {
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
		}
		return asFile(name)
	}
	for {
		if file, ok := asFile(filepath.Join(dir, "node_modules", name)); ok {
			return file, true
		}
		if parent := filepath.Dir(dir); parent != dir {
			dir = parent
			continue
		}
		return "", false
	}
}

var extensions = []string{"", ".js", ".json", ".cjs", ".mjs", ".ts", ".cts", ".mts"}

// asFile tries a path with the known extensions, as a package and as a folder with an index.
func asFile(path string) (string, bool) {
	candidates := []string{path}
	if entry := packageMain(path); entry != "" {
		candidates = append(candidates, filepath.Join(path, entry))
	}
	candidates = append(candidates, filepath.Join(path, "index"))
	for _, c := range candidates {
		i := slices.IndexFunc(extensions, func(ext string) bool {
			info, err := os.Stat(c + ext)
			return err == nil && info.Mode().IsRegular()
		})
		if i >= 0 {
			return c + extensions[i], true
		}
	}
	return "", false
}

func packageMain(dir string) string {
	source, err := readSource(filepath.Join(dir, "package.json"))
	var pkg struct{ Main string }
	if err != nil || json.Unmarshal([]byte(source), &pkg) != nil {
		return ""
	}
	return pkg.Main
}
