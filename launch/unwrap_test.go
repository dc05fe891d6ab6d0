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
			"ts": "tsx web.ts", "chain": "cross-env NODE_ENV=production npm run start"}}`,
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
	for name, to := range map[string]string{"tool": "../tool/cli.js", "other": "../other/cli.sh"} {
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
		"npm start":            "node --max-old-space-size=200 -r ./pre.js " + dir + "/web.js --port 80",
		"npm run start -- -v":  "node --max-old-space-size=200 -r ./pre.js " + dir + "/web.js --port 80 -v",
		"yarn start":           "node --max-old-space-size=200 -r ./pre.js " + dir + "/web.js --port 80",
		"pnpm run chain":       "NODE_ENV=production node --max-old-space-size=200 -r ./pre.js " + dir + "/web.js --port 80",
		"npm run site":         "PORT=81 node " + dir + "/node_modules/tool/cli.js serve",
		"tool serve":           "node " + dir + "/node_modules/tool/cli.js serve",
		"npm run ts":           "node --import tsx " + dir + "/web.ts",
		"web.js":               "",
		"python3 -m something": "",
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

func TestUnwrapSaysWhyNot(t *testing.T) {
	dir := project(t)
	for line, why := range map[string]string{
		"npm run dev":    "process of its own",
		"npm run shell":  "needs a shell",
		"npm run twice":  "before or after",
		"npm run nope":   "no script",
		"npm run loop":   "each other",
		"npm -w x start": "options",
		"npm":            "options",
		"tsx -e 1":       "no script",
		"other x":        "no script for node",
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
