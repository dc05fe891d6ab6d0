//go:build unix

package launch

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"gpm/app"
)

func TestEnvironment(t *testing.T) {
	root := tree(t, map[string]string{"app.js": "", "bin/node*": "\x7fELF\x00"})
	spec := testSpec(root, "app.js")
	spec.Namespace, spec.Instances, spec.ExecMode = "shop", 4, app.Cluster
	spec.IncrementVar, spec.FilterEnv = "PORT", []string{"SECRET", ""}
	for name, value := range map[string]string{
		"PORT": "3000", "MY_SECRET_KEY": "x", "SECRET": "y", "NODE_CHANNEL_FD": "3", "LISTEN_FDS": "1",
		"pm_id": "99", "GPM_INSTANCE": "stale", "LANG": "C", "EMPTY": "",
	} {
		spec.Env[name] = value
	}
	plan, err := Resolve(spec, testInstance)
	if err != nil {
		t.Fatal(err)
	}
	logs := "/home/me/.gpm/logs/"
	want := map[string]string{
		"PATH": filepath.Join(root, "bin"), "LANG": "C", "EMPTY": "", "PORT": "3002", "PWD": root,
		"pm_id": "7", "NODE_APP_INSTANCE": "2", "name": "web", "namespace": "shop", "exec_mode": "cluster_mode", "instances": "4",
		"PM2_HOME": "/home/me/.gpm", "PM2_USAGE": "CLI", "GPM_HOME": "/home/me/.gpm", "pm_exec_path": filepath.Join(root, "app.js"), "pm_cwd": root,
		"pm_out_log_path": logs + "web-out-7.log", "pm_err_log_path": logs + "web-error-7.log", "GPM_INSTANCE": "abc:7:3",
	}
	if got := envOf(plan); !reflect.DeepEqual(got, want) {
		t.Errorf("environment:\n got %v\nwant %v", got, want)
	}
	again, err := Resolve(spec, testInstance)
	if err != nil || !reflect.DeepEqual(plan, again) {
		t.Errorf("not the same twice: %v", err)
	}
	if spec.Env["pm_id"] != "99" {
		t.Error("the spec's own environment was changed")
	}
}

func TestEnvironmentErrors(t *testing.T) {
	root := tree(t, map[string]string{"app.js": "", "bin/node*": "\x7fELF\x00"})
	for _, c := range []struct{ name, value, increment string }{
		{"PORT", "http", "PORT"}, {"", "x", ""}, {"A=B", "x", ""}, {"A", "x\x00y", ""}, {"A\x00", "x", ""},
	} {
		spec := testSpec(root, "app.js")
		spec.Env[c.name], spec.IncrementVar = c.value, c.increment
		if _, err := Resolve(spec, testInstance); !errors.Is(err, app.ErrInvalid) || !Permanent(err) {
			t.Errorf("%q=%q: %v", c.name, c.value, err)
		}
	}
	spec := testSpec(root, "app.js")
	spec.InstanceVar, spec.IncrementVar = "WORKER", "N"
	plan, err := Resolve(spec, testInstance)
	if env := envOf(plan); err != nil || env["WORKER"] != "2" || env["N"] != "2" || env["NODE_APP_INSTANCE"] != "" {
		t.Errorf("environment %v, %v", env, err)
	}
}

func TestHugeArguments(t *testing.T) {
	root := tree(t, map[string]string{"app.js": "", "bin/node*": "\x7fELF\x00", "bin/sh*": "\x7fELF\x00"})
	many := testSpec(root, "app.js", strings.Split(strings.Repeat("x,", 1<<20), ",")...)
	one := testSpec(root, "app.js", strings.Repeat("x", 10<<20))
	line := testSpec(root, "echo "+strings.Repeat("x", 10<<20))
	zero := testSpec(root, "app.js", "a\x00b")
	for i, spec := range []app.Spec{many, one, line, zero} {
		_, err := Resolve(spec, testInstance)
		if !errors.Is(err, app.ErrInvalid) || len(err.Error()) > 1000 {
			t.Errorf("%d: %.500v", i, err)
		}
	}
}

func TestPackageVersion(t *testing.T) {
	root := tree(t, map[string]string{
		"package.json": `{"version": "1.2.3"}`, "dist/package.json": `{"type": "module"}`, "dist/app.js": "",
		"bad/package.json": `{"version": 3}`, "bad/app.js": "", "bin/node*": "\x7fELF\x00",
	})
	r := &Resolver{}
	version := func(script string) string {
		t.Helper()
		plan, err := r.Resolve(testSpec(root, script), testInstance)
		if err != nil {
			t.Fatal(err)
		}
		return plan.Version
	}
	for _, script := range []string{"dist/app.js", "bad/app.js", "node"} {
		if got := version(script); got != "1.2.3" {
			t.Errorf("%s: version %q", script, got)
		}
	}
	file := filepath.Join(root, "package.json")
	if err := os.WriteFile(file, []byte(`{"version": "2.0.0"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(file, time.Time{}, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if got := version("dist/app.js"); got != "2.0.0" {
		t.Errorf("after a deploy: version %q", got)
	}
}

func TestValidate(t *testing.T) {
	root := tree(t, map[string]string{"app.js": "", "bin/node*": "\x7fELF\x00"})
	if err := Validate(testSpec(root, "app.js")); err != nil {
		t.Fatalf("a good spec: %v", err)
	}
	for want, change := range map[string]func(*app.Spec){
		"it has no name":           func(s *app.Spec) { s.Name = "" },
		"means every process":      func(s *app.Spec) { s.Name = "all" },
		"at most 128":              func(s *app.Spec) { s.Name = strings.Repeat("x", 129) },
		"cannot be printed":        func(s *app.Spec) { s.Name = "a\nb" },
		"characters that cannot":   func(s *app.Spec) { s.Name = "a\xff" },
		"begins or ends":           func(s *app.Spec) { s.Name = " a" },
		"begins with a dash":       func(s *app.Spec) { s.Name = "-i" },
		"regular expression":       func(s *app.Spec) { s.Name = "/a/" },
		"namespace \"-x\"":         func(s *app.Spec) { s.Namespace = "-x" },
		"0 instances":              func(s *app.Spec) { s.Instances = 0 },
		"20000 instances":          func(s *app.Spec) { s.Instances = 20_000 },
		"exec_mode":                func(s *app.Spec) { s.ExecMode = "thread" },
		"nice value":               func(s *app.Spec) { s.Nice = new(20) },
		"oom_score_adj":            func(s *app.Spec) { s.OOMScoreAdj = new(-1001) },
		"no CPU -1":                func(s *app.Spec) { s.CPUs = []int{-1} },
		"\"SIGFOO\" is no signal":  func(s *app.Spec) { s.Policy.KillSignal = "SIGFOO" },
		"max_restarts":             func(s *app.Spec) { s.Policy.MaxRestarts = -1 },
		"kill_timeout is negative": func(s *app.Spec) { s.Policy.KillTimeout = -1 },
		"no such program on PATH":  func(s *app.Spec) { s.Script = "nope.js" },
		"working directory":        func(s *app.Spec) { s.Cwd = filepath.Join(root, "nope") },
		"is not a directory":       func(s *app.Spec) { s.Cwd = filepath.Join(root, "app.js") },
		"is not an absolute path":  func(s *app.Spec) { s.Cwd = "." },
		"no script is given":       func(s *app.Spec) { s.Script = "  " },
		"interpreter \"deno\"":     func(s *app.Spec) { s.Interpreter = "deno" },
	} {
		spec := testSpec(root, "app.js")
		change(&spec)
		err := Validate(spec)
		if err == nil || !strings.HasPrefix(err.Error(), "cannot start ") || !strings.Contains(err.Error(), want) || !Permanent(err) {
			t.Errorf("%q: %v", want, err)
		}
		if _, ok := errors.AsType[*app.Error](err); !ok {
			t.Errorf("%q is no *app.Error", want)
		}
	}
}
