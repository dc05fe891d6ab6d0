//go:build unix

package ecosystem_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gpm/ecosystem"
)

// TestNodeStartsOnce: whatever a file is written in, reading it costs one start of Node.
func TestNodeStartsOnce(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	starts := filepath.Join(dir, "starts")
	wrapper := "#!/bin/sh\necho start >>" + starts + "\nexec " + node + ` "$@"` + "\n"
	if err := os.WriteFile(filepath.Join(dir, "node"), []byte(wrapper), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"a.config.js":  `module.exports = [{ script: "a.js" }]`,
		"b.config.js":  `export default [{ script: "a.js" }]`,
		"c.config.mjs": `export const apps = [{ script: "a.js" }]`,
		"d.config.ts":  `const s: string = "a.js"; export default [{ script: s }]`,
	} {
		_ = os.Remove(starts)
		f, err := read(t, name, content, func(o *ecosystem.Options) {
			o.Environ, o.Engine = map[string]string{"PATH": dir + ":/usr/bin:/bin"}, options().Engine
		})
		if err != nil || len(f.Apps) != 1 {
			t.Errorf("%s: %+v %v", name, f.Apps, err)
		}
		if text, _ := os.ReadFile(starts); strings.Count(string(text), "start\n") != 1 {
			t.Errorf("%s: %d starts of node", name, strings.Count(string(text), "start\n"))
		}
	}
}
