package launch

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gpm/app"
)

// tree makes files below a new directory: a name ending in "/" is a directory, one
// ending in "*" is executable.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		mode := fs.FileMode(0o644)
		path, executable := strings.CutSuffix(name, "*")
		if executable {
			mode = 0o755
		}
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "/") {
			err = os.MkdirAll(path, 0o755)
		} else {
			err = os.WriteFile(path, []byte(content), mode)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func testSpec(root, script string, args ...string) app.Spec {
	return app.Spec{
		Name: "web", Script: script, Args: args, Cwd: root, Instances: 1, Policy: app.DefaultPolicy(),
		Env: map[string]string{"PATH": filepath.Join(root, "bin")},
	}
}

var testInstance = Instance{ID: 7, Slot: 2, Seq: 3, Home: "/home/me/.gpm", HomeHash: "abc"}

func envOf(p Plan) map[string]string {
	env := map[string]string{}
	for _, kv := range p.Spawn.Env {
		name, value, _ := strings.Cut(kv, "=")
		env[name] = value
	}
	return env
}
