package launch

import (
	"errors"
	"strings"
	"testing"

	"gpm/app"
)

func TestCommandOnWindows(t *testing.T) {
	root := tree(t, map[string]string{"bin/node.exe": "MZ", "app.js": "x", "tool.exe": "MZ", "job.cmd": "x", "data": "x"})
	for script, want := range map[string]string{
		"app.js": `@bin\node.exe|@app.js`, "tool": "@tool.exe", "tool.exe": "@tool.exe", "job": "/c|@job.cmd",
		"node": `@bin\node.exe`, "echo a": "/c|echo a",
	} {
		plan, err := Resolve(testSpec(root, script), testInstance)
		if got := strings.ReplaceAll(strings.Join(plan.Spawn.Argv, "|"), root+`\`, "@"); err != nil || !strings.HasSuffix(got, want) {
			t.Errorf("%s: %s, %v; want %s", script, got, err, want)
		}
	}
	if _, err := Resolve(testSpec(root, "data"), testInstance); !errors.Is(err, app.ErrInvalid) {
		t.Errorf("no program: %v", err)
	}
	spec := testSpec(root, "tool")
	spec.User = "someone"
	if _, err := Resolve(spec, testInstance); !errors.Is(err, app.ErrInvalid) {
		t.Errorf("another user: %v", err)
	}
	spec.User, spec.Rlimits = "", map[string]string{"nofile": "1"}
	if _, err := Resolve(spec, testInstance); !errors.Is(err, app.ErrInvalid) {
		t.Errorf("a limit: %v", err)
	}
}
