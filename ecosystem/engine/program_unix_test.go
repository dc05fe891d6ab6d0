//go:build unix

package engine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gpm/ecosystem"
	"gpm/ecosystem/engine"
)

// asProgram makes the test binary the program that evaluates one file, as gpm-engine is.
const asProgram = "GPM_TEST_ENGINE"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) == "" {
		os.Exit(m.Run())
	}
	if err := ecosystem.ServeEngine(context.Background(), engine.Engine{}, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// program is the engine in a process of its own.
func program(t *testing.T) ecosystem.Program {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "engine")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+asProgram+"=1 exec '"+self+"'\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return ecosystem.Program{Path: func() (string, error) { return path, nil }}
}

// TestProgram: a file comes to the same in another process, mistakes with their places included.
func TestProgram(t *testing.T) {
	root := tree(t, map[string]string{
		"good.config.ts": `const script: string = "a.js"; export default [{ name: process.env.FROM, script }]`,
		"bad.config.js":  "module.exports = {\n  apps: [nope] }",
		"loop.config.js": "for (;;) {}",
	})
	options := ecosystem.Options{Cwd: root, Environ: map[string]string{"PATH": "", "FROM": "env"}, Engine: program(t)}
	f, err := ecosystem.Load(t.Context(), "good.config.ts", options)
	if err != nil || len(f.Apps) != 1 || f.Apps[0].Spec.Name != "env" {
		t.Errorf("%+v %v", f.Apps, err)
	}
	_, err = ecosystem.Load(t.Context(), "bad.config.js", options)
	if err == nil || !strings.Contains(err.Error(), "bad.config.js:2:9: ReferenceError: nope is not defined") {
		t.Error(err)
	}
	options.Timeout = time.Second
	_, err = ecosystem.Load(t.Context(), "loop.config.js", options)
	if err == nil || !strings.Contains(err.Error(), "it has not finished after 1s") {
		t.Error(err)
	}
	code, err := program(t).Bundle(t.Context(), filepath.Join(root, "good.config.ts"))
	if err != nil || !strings.Contains(code, "a.js") {
		t.Errorf("%.200s %v", code, err)
	}
	options.Engine = ecosystem.Program{Path: func() (string, error) { return "", errors.New("no room") }}
	_, err = ecosystem.Load(t.Context(), "good.config.ts", options)
	if err == nil || !strings.Contains(err.Error(), "cannot use gpm's JavaScript engine: no room") {
		t.Error(err)
	}
}
