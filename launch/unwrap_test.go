package launch

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gpm/app"
)

func project(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"package.json": `{"scripts": {"start": "node --max-old-space-size=200 -r ./pre.js web.js --port 80", "dev": "nodemon web.js",
			"shell": "node web.js && echo ok", "pretwice": "true", "twice": "node web.js", "site": "PORT=81 tool serve", "loop": "npm run loop",
			"ts": "tsx web.ts", "dot": "node .", "x": "npx -y tool serve", "chain": "cross-env NODE_ENV=production npm run start"}}`,
		"sub/package.json": `{"main": "lib/main"}`, "sub/lib/main.js": "", "index.js": "", "node_modules/tsx/cli.mjs": "#!/usr/bin/env node\n",
		"web.js": "", "web.ts": "", "pre.js": "", "node_modules/tool/cli.js": "#!/usr/bin/env node\n", "node_modules/other/cli.sh": "#!/bin/sh\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	bin := filepath.Join(dir, "node_modules", ".bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, to := range map[string]string{"tool": "../tool/cli.js", "other": "../other/cli.sh", "tsx": "../tsx/cli.mjs"} {
		if err := os.Symlink(to, filepath.Join(bin, name)); err != nil {
			t.Skip("no symbolic links here")
		}
	}
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	return dir
}

func TestUnwrap(t *testing.T) {
	dir := project(t)
	for line, want := range map[string]string{
		"npm start":                        "node --max-old-space-size=200 -r ./pre.js " + dir + "/web.js --port 80",
		"npm run start -- -v":              "node --max-old-space-size=200 -r ./pre.js " + dir + "/web.js --port 80 -v",
		"yarn start":                       "node --max-old-space-size=200 -r ./pre.js " + dir + "/web.js --port 80",
		"pnpm run chain":                   "NODE_ENV=production node --max-old-space-size=200 -r ./pre.js " + dir + "/web.js --port 80",
		"npm run site":                     "PORT=81 node " + dir + "/node_modules/tool/cli.js serve",
		"tool serve":                       "node " + dir + "/node_modules/tool/cli.js serve",
		"npm run ts":                       "node --import tsx " + dir + "/web.ts",
		"npm run dot":                      "node " + dir + "/index.js",
		"npm run x":                        "node " + dir + "/node_modules/tool/cli.js serve",
		"npx node sub":                     "node " + dir + "/sub/lib/main.js",
		"npm exec -- tsx web.ts 1":         "node --import tsx " + dir + "/web.ts 1",
		"./node_modules/.bin/tsx -r x web": "node --import tsx -r x " + dir + "/web.js",
		"web.js":                           "",
		"python3 -m something":             "",
	} {
		spec, err := Unwrap(app.Spec{Script: strings.Fields(line)[0], Args: strings.Fields(line)[1:], Cwd: dir})
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		var got []string
		for name, value := range spec.Env {
			got = append(got, name+"="+value)
		}
		if spec.Interpreter != "" {
			got = slices.Concat(got, []string{"node"}, spec.InterpreterArgs, []string{spec.Script}, spec.Args)
		}
		if text := filepath.ToSlash(strings.Join(got, " ")); text != filepath.ToSlash(want) {
			t.Errorf("%s:\n got %s\nwant %s", line, text, want)
		}
	}
}

// TestUnwrapInterpreter: tsx as the interpreter is what it is as the command.
func TestUnwrapInterpreter(t *testing.T) {
	dir := project(t)
	for _, interpreter := range []string{"tsx", dir + "/node_modules/.bin/tsx"} {
		spec, err := Unwrap(app.Spec{Script: "web.ts", Args: []string{"a b"}, Interpreter: interpreter, InterpreterArgs: []string{"-r", "x"}, Cwd: dir})
		if err != nil || spec.Interpreter != "node" || !slices.Equal(spec.InterpreterArgs, []string{"--import", "tsx", "-r", "x"}) ||
			filepath.Base(spec.Script) != "web.ts" || !slices.Equal(spec.Args, []string{"a b"}) {
			t.Errorf("%s: %+v, %v", interpreter, spec, err)
		}
	}
	same := app.Spec{Script: "web.ts", Interpreter: "ts-node", InterpreterArgs: []string{"-T"}, Cwd: dir}
	if spec, err := Unwrap(same); err != nil || spec.Interpreter != "ts-node" || len(spec.InterpreterArgs) != 1 {
		t.Errorf("another interpreter: %+v, %v", spec, err)
	}
	_, err := Unwrap(app.Spec{Script: "web.ts", Interpreter: "tsx", Cwd: t.TempDir()})
	if err == nil || !strings.Contains(err.Error(), "node_modules") {
		t.Errorf("without tsx: %v", err)
	}
}

func TestUnwrapSaysWhyNot(t *testing.T) {
	dir := project(t)
	for line, why := range map[string]string{
		"npm run dev":                        "process of its own",
		"npm run shell":                      "needs a shell",
		"npm run twice":                      "before or after",
		"npm run nope":                       "no script",
		"npm run loop":                       "each other",
		"npm -w x start":                     "options",
		"npm":                                "options",
		"tsx -e 1":                           "no script",
		"tsx watch web.ts":                   "process of its own",
		"node web.js > out":                  "needs a shell",
		"node -e 1":                          "runs no script",
		"npx -p x tool":                      "options",
		"npx nope":                           "no program of node_modules",
		"./node_modules/.bin/nodemon web.js": "process of its own",
		"npx node web/none.js":               `web/none.js" does not exist`,
		"other x":                            "no script for node",
	} {
		_, err := Unwrap(app.Spec{Script: line, Cwd: dir})
		if err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v, want %q", line, err, why)
		}
	}
}

func FuzzUnwrap(f *testing.F) {
	f.Add("npm run start -- x", `{"scripts":{"start":"node web.js"}}`)
	f.Fuzz(func(t *testing.T, line, pkg string) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "package.json"), []byte(pkg), 0o600); err != nil {
			t.Fatal(err)
		}
		spec, err := Unwrap(app.Spec{Script: line, Cwd: dir})
		if err == nil && spec.Script != line && !filepath.IsAbs(spec.Script) {
			t.Errorf("%q of %q becomes %q", line, pkg, spec.Script)
		}
	})
}
