//go:build unix

package launch

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"gpm/app"
)

const elf = "\x7fELF\x02\x01\x01\x00"

func TestCommand(t *testing.T) {
	root := tree(t, map[string]string{
		"bin/node*": elf, "bin/python3*": elf, "bin/bash*": elf, "bin/sh*": elf, "bin/ruby*": elf, "bin/php*": elf,
		"bin/perl*": elf, "bin/coffee*": elf, "bin/lsc*": elf, "bin/tool*": elf, "bin/notes": "text", "bin/serve.py*": "#!/bin/sh\n",
		"app.js": "x", "app.CJS": "x", "app.py": "x", "app.sh": "x", "app.rb": "x", "app.php": "x", "app.pl": "x", "app.coffee": "x", "app.ls": "x",
		"run*": "#!/bin/sh\nexit\n", "plain": "#!/usr/bin/env -S sh -e\n", "prog*": elf, "data": elf, "text*": "echo hi\n", "empty*": "",
		"py*": "#!/usr/bin/env python3\n", "crlf*": "#!/bin/sh\r\n", "lost*": "#!/no/such/interpreter\n", "bare*": "#!\n",
		"dir/x": "", "tool/": "", "with space.js": "x", "sub/app.js": "x",
	})
	in := func(names ...string) (out []string) {
		for _, n := range names {
			out = append(out, strings.Replace(n, "@", root+"/", 1))
		}
		return out
	}
	for _, c := range []struct {
		script, interpreter string
		want                string // argv, "@" being the root; or a part of the error
		code                app.Code
	}{
		{"app.js", "", "@bin/node|@app.js", ""},
		{"./sub/../app.js", "", "@bin/node|@app.js", ""},
		{root + "/app.js", "", "@bin/node|@app.js", ""},
		{"app.CJS", "", "@bin/node|@app.CJS", ""},
		{"app.py", "", "@bin/python3|@app.py", ""},
		{"app.sh", "", "@bin/bash|@app.sh", ""},
		{"app.rb", "", "@bin/ruby|@app.rb", ""},
		{"app.php", "", "@bin/php|@app.php", ""},
		{"app.pl", "", "@bin/perl|@app.pl", ""},
		{"app.coffee", "", "@bin/coffee|@app.coffee", ""},
		{"app.ls", "", "@bin/lsc|@app.ls", ""},
		{"with space.js", "", "@bin/node|@with space.js", ""},
		{"run", "", "@run", ""},
		{"prog", "none", "@prog", ""},
		{"run", "none", "@run", ""},
		{"plain", "", "/usr/bin/env|-S sh -e|@plain", ""},
		{"prog", "", "@prog", ""},
		{"tool", "", "@bin/tool", ""}, // not the directory of that name
		{"serve.py", "", "@bin/serve.py", ""},
		{"app.js", "python3", "@bin/python3|@app.js", ""},
		{"app.js", "bin/tool", "@bin/tool|@app.js", ""},
		{"node -e 'x y'", "", "@bin/bash|-c|node -e 'x y'", ""},
		{"data", "", "not executable", app.CodeForbidden},
		{"plain", "none", "not executable", app.CodeForbidden},
		{"text", "", "neither an extension", app.CodeInvalid},
		{"text", "none", "neither an extension", app.CodeInvalid},
		{"empty", "", "is empty", app.CodeInvalid},
		{"bare", "", "names no interpreter", app.CodeInvalid},
		{"crlf", "", "carriage return", app.CodeInvalid},
		{"lost", "", `"/no/such/interpreter" does not exist`, app.CodeNotFound},
		{"dir", "", "is a directory", app.CodeInvalid},
		{".", "", "is a directory", app.CodeInvalid},
		{"/dev/null", "", "not a regular file", app.CodeInvalid},
		{"notes", "", "no such program on PATH", app.CodeNotFound},
		{"dir/nope", "", "does not exist", app.CodeNotFound},
		{"app.js/x", "", "does not exist", app.CodeNotFound},
		{"no such", "none", "does not exist", app.CodeNotFound},
		{"app.js", "deno", `interpreter "deno" is not on PATH`, app.CodeNotFound},
		{"app.js", "./data", "not executable", app.CodeForbidden},
		{"app.js", "./dir", "is a directory", app.CodeInvalid},
	} {
		spec := testSpec(root, c.script)
		spec.Interpreter = c.interpreter
		plan, err := Resolve(spec, testInstance)
		if c.code != "" {
			if app.AsError(orUnknown(err)).Code != c.code || !strings.Contains(err.Error(), c.want) || !Permanent(err) {
				t.Errorf("%q by %q: error %v, want %s %q", c.script, c.interpreter, err, c.code, c.want)
			}
			continue
		}
		want := strings.Join(in(strings.Split(c.want, "|")...), "|")
		if got := strings.Join(plan.Spawn.Argv, "|"); err != nil || got != want || plan.Spawn.Path != plan.Spawn.Argv[0] || plan.Spawn.Dir != root {
			t.Errorf("%q by %q: %s, %v; want %s", c.script, c.interpreter, got, err, want)
		}
	}
}

func orUnknown(err error) error {
	if err == nil {
		return errors.New("no error")
	}
	return err
}

func TestArguments(t *testing.T) {
	root := tree(t, map[string]string{"app.js": "x", "bin/node*": elf, "bin/sh*": elf, "prog*": elf, "py": "#!/usr/bin/env python3\n", "py2*": "#!/opt/python2.7 -u\n"})
	spec := testSpec(root, "app.js", "--port", "80")
	spec.InterpreterArgs = []string{"--inspect"}
	plan, err := Resolve(spec, testInstance)
	if got := strings.Join(plan.Spawn.Argv, " "); err != nil || got != root+"/bin/node --inspect "+root+"/app.js --port 80" {
		t.Errorf("argv %s, %v", got, err)
	}
	if plan.Interpreter != root+"/bin/node" || plan.Program != root+"/app.js" {
		t.Errorf("interpreter %q program %q", plan.Interpreter, plan.Program)
	}
	plan, err = Resolve(testSpec(root, "prog", "a"), testInstance)
	if err != nil || plan.Interpreter != "none" || plan.Spawn.Argv[1] != "a" {
		t.Errorf("plan %+v, %v", plan, err)
	}
	plan, err = Resolve(testSpec(root, "echo a b", "it's", "$X"), testInstance)
	if err != nil || plan.Spawn.Argv[2] != `echo a b 'it'\''s' '$X'` || plan.Program != "echo a b" {
		t.Errorf("plan %+v, %v", plan, err)
	}
	plan, err = Resolve(testSpec(root, "py"), testInstance)
	if err != nil || envOf(plan)["PYTHONUNBUFFERED"] != "1" {
		t.Errorf("plan %+v, %v", plan, err)
	}
}

// TestPlanRuns executes what was planned.
func TestPlanRuns(t *testing.T) {
	root := tree(t, map[string]string{"hello": "#!/usr/bin/env sh\necho \"$1 $pm_id $PWD\"\n"})
	spec := testSpec(root, "hello", "it")
	spec.Env["PATH"] = "/usr/bin:/bin"
	for _, script := range []string{"hello", "sh ./hello"} {
		spec.Script = script
		plan, err := Resolve(spec, testInstance)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Cmd{Path: plan.Spawn.Path, Args: plan.Spawn.Argv, Env: plan.Spawn.Env, Dir: plan.Spawn.Dir}
		out, err := cmd.Output()
		if want := "it 7 " + root + "\n"; err != nil || string(out) != want {
			t.Errorf("%s: %q, %v; want %q", script, out, err, want)
		}
	}
}

func TestLinkIsFollowedAtEachStart(t *testing.T) {
	root := tree(t, map[string]string{"v1/app": "#!/bin/sh\n", "v2/app*": elf, "bin/x": ""})
	current := filepath.Join(root, "current")
	spec := testSpec(current, "app")
	for _, want := range []struct{ version, argv string }{
		{"v1", "/bin/sh|" + current + "/app"}, {"v2", current + "/app"},
	} {
		_ = os.Remove(current)
		if err := os.Symlink(want.version, current); err != nil {
			t.Fatal(err)
		}
		plan, err := Resolve(spec, testInstance)
		if got := strings.Join(plan.Spawn.Argv, "|"); err != nil || got != want.argv || plan.Spawn.Dir != current {
			t.Errorf("%s: %s in %s, %v", want.version, got, plan.Spawn.Dir, err)
		}
	}
	loop := filepath.Join(root, "loop")
	if err := os.Symlink("loop", loop); err != nil {
		t.Fatal(err)
	}
	if _, err := Resolve(testSpec(loop, "app"), testInstance); !errors.Is(err, app.ErrInvalid) || !errors.Is(err, syscall.ELOOP) {
		t.Errorf("a link to itself: %v", err)
	}
}

func TestTypeScript(t *testing.T) {
	root := tree(t, map[string]string{"app.ts": "x", "app.tsx": "x", "bin/cat*": elf})
	node := filepath.Join(root, "bin", "node")
	r := &Resolver{}
	resolve := func(script string) (string, error) {
		plan, err := r.Resolve(testSpec(root, script), testInstance)
		return strings.ReplaceAll(strings.Join(plan.Spawn.Argv, " "), root+"/", "@"), err
	}
	if _, err := resolve("app.ts"); !errors.Is(err, app.ErrNotFound) || !strings.Contains(err.Error(), "neither bun nor node") {
		t.Errorf("with nothing: %v", err)
	}
	for _, c := range []struct{ version, want string }{
		{"v20.11.1", "cannot run TypeScript"},
		{"v22.6.0", "@bin/node --experimental-strip-types @app.ts"},
		{"v22.18.00", "@bin/node @app.ts"},
	} {
		if err := os.WriteFile(node, []byte("#!/bin/sh\necho "+c.version+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		got, err := resolve("app.ts")
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, c.want) {
			t.Errorf("node %s: %s, want %s", c.version, got, c.want)
		}
	}
	for _, script := range []string{"app.ts", "app.tsx"} {
		spec := testSpec(root, script)
		spec.InterpreterArgs = []string{"--import", "tsx"}
		if plan, err := r.Resolve(spec, testInstance); err != nil || plan.Spawn.Argv[0] != node {
			t.Errorf("%s with a loader: %v, %v", script, plan.Spawn.Argv, err)
		}
	}
	if err := os.WriteFile(node, []byte("#!/bin/sh\necho v22.6.0\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	spec := testSpec(root, "app.ts") // what it loads may have nothing to do with TypeScript
	spec.InterpreterArgs = []string{"-r", "dotenv/config"}
	if plan, err := r.Resolve(spec, testInstance); err != nil || !slices.Contains(plan.Spawn.Argv, "--experimental-strip-types") {
		t.Errorf("node 22.6 with another module: %v, %v", plan.Spawn.Argv, err)
	}
	if err := os.WriteFile(node, []byte("#!/bin/sh\nexit 1 # broken\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := resolve("app.ts"); err == nil || Permanent(err) {
		t.Errorf("a node that fails: %v", err)
	}
	if _, err := resolve("app.tsx"); !errors.Is(err, app.ErrNotFound) {
		t.Errorf("tsx without bun: %v", err)
	}
	if err := os.WriteFile(filepath.Join(root, "bin", "bun"), []byte(elf), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, script := range []string{"app.ts", "app.tsx"} {
		if got, err := resolve(script); err != nil || got != "@bin/bun @"+script {
			t.Errorf("with bun: %s, %v", got, err)
		}
	}
}

func TestStripTypes(t *testing.T) {
	flag := "--experimental-strip-types"
	for version, want := range map[string]string{
		"v18.0.0": "no", "v22.5.9": "no", "v22.6.0": flag, "v22.17.1": flag, "v22.18.0": "", "v23.0.0": flag, "v23.5.0": flag,
		"v23.6.0": "", "v24.0.0-nightly": "", "": "no", "vx.y.z": "no", "v22": "no", "v-1.2": "no",
	} {
		flags, ok := stripTypes(version)
		if got := strings.Join(flags, " "); ok != (want != "no") || ok && got != want {
			t.Errorf("%q: %q %v, want %q", version, got, ok, want)
		}
	}
}

func TestDefaultPath(t *testing.T) {
	if got := searchPath(nil); !strings.Contains(got, "/usr/bin") {
		t.Errorf("PATH %q without one", got)
	}
	if got := searchPath(map[string]string{"PATH": ""}); got != "" {
		t.Errorf("PATH %q, want the empty one", got)
	}
}
