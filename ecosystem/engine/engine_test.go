package engine_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gpm/app"
	"gpm/ecosystem"
	"gpm/ecosystem/engine"
)

// tree writes files and returns their folder, its links resolved.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// load reads a file with nothing on PATH.
func load(t *testing.T, root, name string) (ecosystem.File, error) {
	t.Helper()
	return ecosystem.Load(t.Context(), name, ecosystem.Options{
		Cwd: root, Environ: map[string]string{"PATH": "", "FROM": "env"}, CPUs: 3, Engine: engine.Engine{},
	})
}

func TestEvaluates(t *testing.T) {
	root := tree(t, map[string]string{
		"cjs.config.js":                   `module.exports = { apps: [{ name: "a", script: "a.js" }] }`,
		"exports.config.js":               `exports.apps = [{ name: "a", script: "a.js" }]`,
		"esm.config.js":                   `export default { apps: [{ name: "a", script: "a.js" }] }`,
		"named.config.mjs":                `export const apps = [{ name: "a", script: "a.js" }]`,
		"ts.config.ts":                    `interface App { name: string; script: string }` + "\n" + `const apps: App[] = [{ name: "a", script: "a.js" }];` + "\n" + `export default { apps } satisfies object;`,
		"async.config.js":                 `module.exports = async () => { await null; return { apps: [{ name: "a", script: "a.js" }] } }`,
		"promise.config.js":               `module.exports = Promise.resolve([{ name: "a", script: "a.js" }])`,
		"function.config.js":              `module.exports = () => ({ name: "a", script: "a.js" })`,
		"require.config.js":               `const { name } = require("./lib/x"), pkg = require("./data.json"); module.exports = [{ name, script: pkg.script }]`,
		"import.config.mjs":               `import { name } from "./lib/x.js"; import pkg from "./data.json"; export default [{ name, script: pkg.script }]`,
		"dynamic.config.mjs":              `const x = () => import("./lib/x.js"); export default async () => [{ name: (await x()).name, script: "a.js" }]`,
		"node.config.js":                  `const os = require("node:os"), p = require("path"); module.exports = [{ name: p.basename(__filename, ".config.js")[0] && "a", script: "a.js", instances: os.cpus().length, env: { D: __dirname, F: process.env.FROM, J: p.join(__dirname, "..", "x/"), E: p.extname("a.b.c") + p.extname(".env"), C: process.cwd() } }]`,
		"fs.config.js":                    `const fs = require("fs"); module.exports = JSON.parse(fs.readFileSync(__dirname + "/data.json", "utf8")).script && [{ name: "a", script: fs.existsSync("data.json") ? "a.js" : "b" }]`,
		"package.config.js":               `module.exports = [{ name: require("names").a, script: "a.js" }]`,
		"meta.config.mjs":                 `import { fileURLToPath } from "url"; import path from "node:path"; const dir = path.dirname(fileURLToPath(import.meta.url)); export default [{ name: "a", script: dir ? "a.js" : "" }]`,
		"cycle.config.js":                 `exports.early = "a"; const b = require("./lib/cycle"); exports.apps = [{ name: b.seen, script: "a.js", args: String(b.late) }]`,
		"modern.config.js":                `const o = { x: null }; class A { #p = "a"; get p() { return this.#p } } module.exports = [{ name: o?.x ?? new A().p, script: "a.js" }]`,
		"lib/x.js":                        `exports.name = "a"`,
		"lib/cycle.js":                    `const up = require("../cycle.config.js"); exports.seen = up.early; exports.late = up.apps`,
		"data.json":                       `{"script": "a.js"}`,
		"node_modules/names/package.json": `{"main": "dist/main"}`,
		"node_modules/names/dist/main.js": `module.exports = { a: "a" }`,
	})
	configs, _ := filepath.Glob(filepath.Join(root, "*.config.*"))
	for _, path := range configs {
		t.Run(filepath.Base(path), func(t *testing.T) {
			f, err := load(t, root, filepath.Base(path))
			if err != nil {
				t.Fatal(err, app.AsError(err).Hint)
			}
			if len(f.Apps) != 1 || f.Apps[0].Spec.Name != "a" || f.Apps[0].Spec.Script != "a.js" {
				t.Fatalf("apps %+v", f.Apps)
			}
			spec := f.Apps[0].Spec
			if env := spec.Env; env["D"] != "" && (spec.Instances != 3 || env["D"] != root || env["F"] != "env" || env["E"] != ".c" || env["C"] != root || env["J"] != filepath.Dir(root)+"/x/") {
				t.Errorf("instances %d, env %v", spec.Instances, env)
			}
			if strings.HasPrefix(filepath.Base(path), "cycle") && spec.Args[0] != "undefined" {
				t.Errorf("the cycle saw %v", spec.Args)
			}
		})
	}
}

func TestMistakes(t *testing.T) {
	root := tree(t, map[string]string{
		"throw.config.js":   "// here\nconst x = 1;\n  throw new TypeError('boom');\n",
		"value.config.js":   "throw 'words'",
		"reject.config.js":  "module.exports = Promise.reject(new Error('later'))",
		"never.config.js":   "module.exports = new Promise(() => {})",
		"syntax.config.js":  "module.exports = {\n  apps: [,,}\n",
		"type.config.ts":    "const a: = 1",
		"missing.config.js": "\nrequire('./nowhere')",
		"package.config.js": "require('child_process')",
		"exit.config.js":    "\ntry { process.exit(3) } catch {}\nwhile (true) {}",
		"deep.config.js":    "\nfunction f() { return f() + 1 }\nf()",
		"lib.config.js":     "require('./lib')",
		"data.config.js":    "require('./bad.json')",
		"cyclic.config.js":  "const a = { script: 'x' }; a.env = a; module.exports = [a]",
		"func.config.js":    "module.exports = [{ script: () => 1 }]",
		"lib.js":            "\n\nundefinedThing()",
		"bad.json":          "{",
	})
	for name, want := range map[string]string{
		"throw.config.js":   "cannot read throw.config.js:3:8: TypeError: boom",
		"value.config.js":   "cannot read value.config.js:2:1: it throws words",
		"reject.config.js":  "cannot read reject.config.js:1:32: Error: later",
		"never.config.js":   "cannot read never.config.js:1:1: it exports a promise that never settles",
		"syntax.config.js":  `cannot read syntax.config.js:2:12: SyntaxError: Unexpected "}"`,
		"type.config.ts":    `cannot read type.config.ts:1:10: SyntaxError: Unexpected "="`,
		"missing.config.js": "cannot read missing.config.js:2:8: Error: Cannot find module './nowhere'",
		"package.config.js": "cannot read package.config.js:1:8: Error: Cannot find module 'child_process' (there is no Node.js on PATH, and the built-in engine has only path, os, url and reading by fs)",
		"exit.config.js":    "cannot read exit.config.js:2:19: it ends the process by itself (exit code 3)",
		"deep.config.js":    "cannot read deep.config.js:2:24: RangeError: Maximum call stack size exceeded",
		"lib.config.js":     "cannot read lib.config.js: lib.js:3:15: ReferenceError: undefinedThing is not defined",
		"data.config.js":    "cannot read data.config.js:1:1: SyntaxError: bad.json is no JSON: unexpected end of JSON input",
		"cyclic.config.js":  `cannot read cyclic.config.js:1:1: app "x": env must be an object or a string of KEY=VALUE words, not a reference to an object around it`,
		"func.config.js":    `cannot read func.config.js:1:21: script must be a string, not a function`,
	} {
		_, err := load(t, root, name)
		if err == nil || err.Error() != want {
			t.Errorf("%s:\n got %v\nwant %s", name, err, want)
		}
	}
}

func TestIsBounded(t *testing.T) {
	root := tree(t, map[string]string{
		"loop.config.js":   "for (;;) {}",
		"memory.config.js": "const a = []; for (;;) a.push('x'.repeat(1000) + a.length)",
		"stall.config.js":  "module.exports = { then() {} }",
	})
	for name, want := range map[string]string{
		"loop.config.js": "has not finished after 300ms", "memory.config.js": "has not finished after 300ms|needs too much memory", "stall.config.js": "never settles",
	} {
		start := time.Now()
		_, err := ecosystem.Load(context.Background(), name, ecosystem.Options{Cwd: root, Engine: engine.Engine{}, Timeout: 300 * time.Millisecond})
		ok := false
		for _, w := range strings.Split(want, "|") {
			ok = ok || err != nil && strings.Contains(err.Error(), w)
		}
		if !ok || time.Since(start) > time.Minute {
			t.Errorf("%s: %v after %v", name, err, time.Since(start))
		}
	}
}

func TestWithoutEngine(t *testing.T) {
	root := tree(t, map[string]string{"a.config.js": "module.exports = []"})
	_, err := ecosystem.Load(t.Context(), "a.config.js", ecosystem.Options{Cwd: root})
	if !errors.Is(err, app.ErrNotFound) || !strings.Contains(err.Error(), "none of node, bun and deno") {
		t.Error(err)
	}
}
