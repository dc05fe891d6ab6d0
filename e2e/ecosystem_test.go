//go:build linux

package e2e

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gpm/app"
	"gpm/testprog"
)

// TestBadFilesStartNothing: each malformed file gets one sentence with its place, exit 1, and no process. The files in
// JavaScript, each of which costs a start of Node, are read by the tests of package ecosystem; some are enough here.
func TestBadFilesStartNothing(t *testing.T) {
	h := newHome(t)
	root, err := testprog.Root()
	if err != nil {
		t.Fatal(err)
	}
	h.cwd = filepath.Join(root, "ecosystem", "testdata", "bad")
	h.must("ping")
	files := 0
	placed := regexp.MustCompile(`^\[gpm\]\[ERROR\] cannot read [^:\n]+:\d+:\d+: [^\n]+\n(\[gpm\]\[INFO\] [^\n]+\n)?$`)
	err = fs.WalkDir(os.DirFS(h.cwd), ".", func(name string, d fs.DirEntry, err error) error {
		isJS := strings.Contains(name, ".config.") && !strings.HasPrefix(name, "js-t") && !strings.HasPrefix(name, "js-d")
		if err != nil || d.IsDir() || isJS || strings.HasPrefix(name, "lib/") || name == "broken.env" {
			return err
		}
		files++
		if r := h.run("start", name); r.code != 1 || r.out != "" || !placed.MatchString(r.err) {
			t.Errorf("%s: exit %d\n%s%s", name, r.code, r.out, r.err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 60 {
		t.Errorf("only %d files", files)
	}
	if list := h.list(); len(list) > 0 {
		t.Errorf("started: %+v", list)
	}
}

// TestFileOfUnknownInterpreter: what only the daemon can see has its place in the file too.
func TestFileOfUnknownInterpreter(t *testing.T) {
	h := newHome(t)
	h.write("apps.json", `{"apps": [`+"\n"+`  {"name": "good", "script": "sleep 1000"},`+"\n"+`  {"name": "bad", "script": "sleep", "interpreter": "nosuch"}`+"\n]}", 0o644)
	h.fails(`apps.json:3:12: cannot start "sleep": its interpreter "nosuch" is not on PATH`, "start", "apps.json")
	if list := h.list(); len(list) > 0 {
		t.Errorf("started: %+v", list)
	}
}

// TestNoNode: JavaScript and TypeScript are read where no engine is on PATH, by the one in the binary.
func TestNoNode(t *testing.T) {
	h := newHome(t)
	bin := filepath.Join(h.cwd, "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/bin/sleep", filepath.Join(bin, "sleep")); err != nil {
		t.Fatal(err)
	}
	h.env = append(h.env, "PATH="+bin, "COUNT=2")
	h.write("base.ts", `export const base: { script: string } = { script: "sleep" };`, 0o644)
	h.write("ecosystem.config.ts", `import { base } from "./base";
import path from "node:path";
interface App { name: string; script: string; args?: string; instances?: number; env?: Record<string, string> }
export default { apps: [{ ...base, name: "typed", args: "1000", instances: Number(process.env.COUNT), env: { FILE: path.basename(__filename) } }] satisfies App[] };
`, 0o644)
	h.must("start")
	for _, st := range h.instances("typed") {
		if st.State != app.Online {
			t.Errorf("%+v", st)
		}
	}
	if n := len(h.instances("typed")); n != 2 {
		t.Errorf("%d instances", n)
	}
	if out := h.must("env", "0"); !strings.Contains(out, "FILE: ecosystem.config.ts") {
		t.Error(out)
	}
	h.write("boom.config.js", "module.exports = {\n  apps: [nope],\n};\n", 0o644)
	h.fails("cannot read boom.config.js:2:9: ReferenceError: nope is not defined", "start", "boom.config.js")
}
