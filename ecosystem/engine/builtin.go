package engine

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/dop251/goja"
)

// prepare defines the globals of a config.
func (m *machine) prepare() error {
	console := m.vm.NewObject()
	for _, name := range []string{"log", "info", "warn", "error", "debug", "trace", "dir"} {
		if err := console.Set(name, func(goja.FunctionCall) goja.Value { return goja.Undefined() }); err != nil {
			return err
		}
	}
	for name, value := range map[string]any{"console": console, "process": m.process(), "global": m.vm.GlobalObject()} {
		if err := m.vm.Set(name, value); err != nil {
			return err
		}
	}
	_, err := m.vm.RunScript("encode.js", m.script.Encode)
	return err
}

// exitCall is process.exit: it interrupts the machine, so that no catch stops it.
type exitCall struct{ code goja.Value }

func (e exitCall) String() string {
	if goja.IsUndefined(e.code) {
		return "it ends the process by itself"
	}
	return fmt.Sprintf("it ends the process by itself (exit code %s)", e.code)
}

func (m *machine) process() *goja.Object {
	env := m.vm.NewObject()
	for k, v := range m.script.Environ {
		_ = env.Set(k, v)
	}
	exit := func(call goja.FunctionCall) goja.Value {
		m.vm.Interrupt(exitCall{call.Argument(0)})
		return goja.Undefined()
	}
	return m.object(map[string]any{
		"env": env, "platform": platform, "arch": arch(), "pid": os.Getpid(), "version": "", "exit": exit, "abort": exit,
		"argv": m.vm.NewArray("gpm", m.script.File), "versions": m.vm.NewObject(), "features": m.vm.NewObject(),
		"cwd": func() string { return m.script.Cwd },
	})
}

// arch is Node's word for the processor.
func arch() string {
	switch runtime.GOARCH {
	case "amd64":
		return "x64"
	case "386":
		return "ia32"
	}
	return runtime.GOARCH
}

func (m *machine) object(members map[string]any) *goja.Object {
	o := m.vm.NewObject()
	for name, value := range members {
		_ = o.Set(name, value) // a fresh object refuses nothing
	}
	return o
}

// builtin returns one of Node's modules, as far as it is offered.
func (m *machine) builtin(name string) (goja.Value, bool) {
	if module, ok := m.cache["node:"+name]; ok {
		return module, true
	}
	var module *goja.Object
	switch name {
	case "path", "path/posix":
		module = m.pathModule()
	case "os":
		module = m.osModule()
	case "fs":
		module = m.fsModule()
	case "url":
		module = m.urlModule()
	case "process":
		module = m.vm.Get("process").(*goja.Object)
	default:
		return nil, false
	}
	m.cache["node:"+name] = module
	return module, true
}

func (m *machine) osModule() *goja.Object {
	return m.object(map[string]any{
		"cpus": func() goja.Value {
			list := make([]any, max(1, m.script.CPUs))
			for i := range list {
				list[i] = m.object(map[string]any{"model": "", "speed": 0})
			}
			return m.vm.NewArray(list...)
		},
		"availableParallelism": func() int { return max(1, m.script.CPUs) },
		"hostname":             func() string { name, _ := os.Hostname(); return name },
		"homedir":              func() string { dir, _ := os.UserHomeDir(); return dir },
		"tmpdir":               os.TempDir,
		"platform":             func() string { return platform },
		"type":                 func() string { return systemType },
		"arch":                 arch,
		"userInfo": func() goja.Value {
			dir, _ := os.UserHomeDir()
			return m.object(map[string]any{"username": m.script.Environ["USER"], "uid": os.Getuid(), "gid": os.Getgid(), "homedir": dir})
		},
		"EOL": lineEnd,
	})
}

func (m *machine) fsModule() *goja.Object {
	read := func(call goja.FunctionCall) goja.Value {
		text, err := readSource(m.abs(call.Argument(0).String()))
		if err != nil {
			panic(m.newError(err.Error(), errnoName(err)))
		}
		return m.vm.ToValue(text) // always text: no config reads bytes
	}
	return m.object(map[string]any{
		"readFileSync": read,
		"existsSync": func(path string) bool {
			_, err := os.Stat(m.abs(path))
			return err == nil
		},
		"readdirSync": func(path string) goja.Value {
			entries, err := os.ReadDir(m.abs(path))
			if err != nil {
				panic(m.newError(err.Error(), errnoName(err)))
			}
			names := make([]any, len(entries))
			for i, e := range entries {
				names[i] = e.Name()
			}
			return m.vm.NewArray(names...)
		},
	})
}

func (m *machine) abs(path string) string {
	path = fromURL(path)
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(m.script.Cwd, path)
}

func errnoName(err error) string {
	if os.IsNotExist(err) {
		return "ENOENT"
	}
	return "EIO"
}

func (m *machine) urlModule() *goja.Object {
	return m.object(map[string]any{
		"fileURLToPath": func(v goja.Value) string { return fromURL(v.String()) },
		"pathToFileURL": func(path string) goja.Value {
			u := url.URL{Scheme: "file", Path: filepath.ToSlash(m.abs(path))}
			return m.object(map[string]any{"href": u.String(), "pathname": u.EscapedPath(), "toString": u.String})
		},
	})
}

// fromURL is the path of a file: URL; a path is returned as it is.
func fromURL(s string) string {
	rest, ok := strings.CutPrefix(s, "file://")
	if !ok {
		return s
	}
	if plain, err := url.PathUnescape(rest); err == nil {
		rest = plain
	}
	return filepath.FromSlash(rest)
}
