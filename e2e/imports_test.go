//go:build linux

package e2e

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestWatchImports: only what a program has loaded restarts it, be it Node or Python.
func TestWatchImports(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.write("loaded.js", "", 0o600)
	h.write("other.js", "", 0o600)
	h.write("app.js", `require("./loaded.js"); setInterval(() => {}, 1000)`, 0o600)
	h.write("loaded.py", "", 0o600)
	h.write("other.py", "", 0o600)
	h.write("app.py", "import loaded, time\ntime.sleep(1000)\n", 0o600)
	h.must("start", "app.js", "--name", "js", "--watch=imports")
	h.must("start", "app.py", "--name", "py", "--watch=imports", "--kill-timeout", "500")
	for name, ext := range map[string]string{"js": ".js", "py": ".py"} {
		h.until("gpm knows what "+name+" has loaded", hang, func() bool { return strings.Contains(h.must("watch", name), filepath.Join(h.cwd, "loaded"+ext)) })
		h.write("other"+ext, "\n", 0o600)
		h.write("loaded"+ext, "\n", 0o600)
		h.until("a change restarts "+name, hang, func() bool { return h.restartsFor(name, "watch: loaded"+ext+" changed") == 1 })
		if n := h.restartsFor(name, "watch: other"); n != 0 {
			t.Errorf("%s: %d restarts for a file that it has not loaded", name, n)
		}
	}
}

// TestImportsFromTheFirst: a change between the start of a program and the first look at what it has loaded counts too.
func TestImportsFromTheFirst(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.write("loaded.js", "", 0o600)
	h.write("app.js", `require("./loaded.js"); const fs = require("fs"); if (!fs.existsSync("once")) { fs.writeFileSync("once", ""); fs.writeFileSync("loaded.js", "// changed") } setInterval(() => {}, 1000)`, 0o600)
	h.must("start", "app.js", "--watch=imports")
	h.until("it is restarted", hang, func() bool { return h.restartsFor("app", "watch: loaded.js changed") == 1 })
}
