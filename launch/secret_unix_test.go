//go:build unix

package launch

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gpm/app"
)

func TestSecrets(t *testing.T) {
	root := tree(t, map[string]string{"run*": "#!/bin/sh\n", "db": "from a file\n", "two": "a\nb\n\n", "zero": "a\x00b"})
	t.Setenv("OF_THE_DAEMON", "from the daemon")
	for value, want := range map[string]string{
		"plain":                              "plain",
		"secret://file" + root + "/db":       "from a file",
		"secret://file/./two":                "a\nb",
		"secret://cmd/cat db; echo $OTHER":   "from a file\nseen",
		"secret://cmd//bin/echo a//b":        "a//b",
		"secret://env/OF_THE_DAEMON":         "from the daemon",
		"secret://file/./zero":               "! cannot look up its variable SECRET: it holds a zero byte",
		"secret://file/./none":               `! cannot look up its variable SECRET: the file "` + filepath.Join(root, "none") + `" does not exist`,
		"secret://env/NOT_OF_THE_DAEMON":     "! cannot look up its variable SECRET: gpm's daemon has no variable NOT_OF_THE_DAEMON",
		"secret://cmd/echo locked >&2;false": `! cannot look up its variable SECRET: the command "echo locked >&2;false" failed: exit status 1: locked`,
		"secret://cmd/yes":                   "! cannot look up its variable SECRET: it has more than 64 KiB",
		"secret://vault/x":                   "! refers to nothing",
		"secret://file/":                     "! refers to nothing",
	} {
		if value == "secret://cmd/yes" {
			value = "secret://cmd/yes | head -c 100000"
		}
		spec := testSpec(root, "./run")
		spec.Env = map[string]string{"PATH": os.Getenv("PATH"), "SECRET": value, "OTHER": "seen"}
		plan, err := Resolve(spec, testInstance)
		if err == nil {
			if shown := envOf(plan)["SECRET"]; shown != value {
				t.Errorf("%s is looked up before the start: %q", value, shown)
			}
			plan, err = plan.WithSecrets(t.Context())
		}
		if sentence, fails := strings.CutPrefix(want, "! "); fails {
			if err == nil || !strings.Contains(err.Error(), sentence) {
				t.Errorf("%s: %v, want %s", value, err, sentence)
			}
			continue
		}
		if got := envOf(plan)["SECRET"]; err != nil || got != want {
			t.Errorf("%s: %q %v, want %q", value, got, err, want)
		}
	}
}

// TestEnvFiles: they are read at each start, above the caller's environment and below what was given beside them.
func TestEnvFiles(t *testing.T) {
	root := tree(t, map[string]string{"run*": "#!/bin/sh\n", "a.env": "A=file\nB=file\nC=1\n", "b.env": "C=2\n"})
	spec := testSpec(root, "./run")
	spec.Env["A"], spec.Env["B"] = "shell", "env"
	spec.EnvFile, spec.EnvOver = []string{filepath.Join(root, "a.env"), filepath.Join(root, "b.env")}, []string{"B"}
	plan, err := Resolve(spec, testInstance)
	env := envOf(plan)
	if err != nil || env["A"] != "file" || env["B"] != "env" || env["C"] != "2" {
		t.Errorf("%v %v", env, err)
	}
	if err := os.WriteFile(filepath.Join(root, "a.env"), []byte("D=new\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	plan, err = Resolve(spec, testInstance)
	env = envOf(plan)
	if err != nil || env["A"] != "shell" || env["D"] != "new" {
		t.Errorf("after a change: %v %v", env, err)
	}
	if err := os.Remove(spec.EnvFile[1]); err != nil {
		t.Fatal(err)
	}
	if _, err := Resolve(spec, testInstance); !Permanent(err) || app.AsError(err).Code != app.CodeNotFound {
		t.Errorf("without the file: %v", err)
	}
}
