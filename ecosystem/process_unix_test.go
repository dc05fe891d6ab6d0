//go:build unix

package ecosystem_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"gpm/ecosystem"
)

func TestFifoDoesNotBlock(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "f.json"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := ecosystem.Load(t.Context(), "f.json", ecosystem.Options{Cwd: dir})
	if err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Error(err)
	}
}

// TestOneStart: a config costs one process of the engine, whatever it is written in. A program called node notes each
// start and hands over to the real one.
func TestOneStart(t *testing.T) {
	for name, content := range map[string]string{
		"a.config.js":  "console.log('noise'); module.exports = [{script: 'a.js'}]",
		"b.config.js":  "export default [{script: 'a.js'}]",
		"c.config.mjs": "export default [{script: 'a.js'}]",
		"d.config.ts":  "const a: object[] = [{script: 'a.js'}]; export default a",
		"e.config.js":  "throw 1",
	} {
		dir := file(t, name, content)
		path := os.Getenv("PATH")
		spy := "#!/bin/sh\necho x >> '" + dir + "/starts'\nPATH='" + path + "' exec node \"$@\"\n"
		if err := os.WriteFile(filepath.Join(dir, "node"), []byte(spy), 0o755); err != nil {
			t.Fatal(err)
		}
		opts := options()
		opts.Cwd, opts.Environ["PATH"] = dir, dir+string(filepath.ListSeparator)+path
		f, err := ecosystem.Load(t.Context(), name, opts)
		if (err == nil) == (name == "e.config.js") {
			t.Errorf("%s: %v", name, err)
		}
		starts, _ := os.ReadFile(filepath.Join(dir, "starts"))
		if string(starts) != "x\n" {
			t.Errorf("%s: started %d times", name, len(starts)/2)
		}
		if name == "a.config.js" && string(f.Output) != "noise\n" {
			t.Errorf("output %q", f.Output)
		}
	}
}

// TestTreeIsKilled: what a config that never ends has started ends with it.
func TestTreeIsKilled(t *testing.T) {
	dir := file(t, "a.config.js", `const c = require("child_process").spawn("sleep", ["600"], {stdio: "inherit"});
require("fs").writeFileSync(__dirname + "/pid", String(c.pid)); for (;;) {}`)
	opts := options()
	opts.Cwd, opts.Timeout = dir, 2*time.Second
	start := time.Now()
	if _, err := ecosystem.Load(t.Context(), "a.config.js", opts); err == nil || time.Since(start) > time.Minute {
		t.Errorf("%v after %v", err, time.Since(start))
	}
	waitGone(t, filepath.Join(dir, "pid"))
}

// waitGone waits until the process of a pid file is dead; a zombie is.
func waitGone(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(string(text))
	if err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(5 * time.Second)
	for {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if syscall.Kill(pid, 0) != nil || err == nil && strings.Contains(string(stat), ") Z ") {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			_ = syscall.Kill(pid, syscall.SIGKILL)
			t.Fatalf("process %d is still there", pid)
		}
	}
}

// TestStragglersDoNotHold: a background process that keeps the config's output open does not delay the answer for long.
func TestStragglersDoNotHold(t *testing.T) {
	dir := file(t, "a.config.js", `const c = require("child_process").spawn("sleep", ["600"], {stdio: "inherit"});
require("fs").writeFileSync(__dirname + "/pid", String(c.pid)); module.exports = [{script: "a.js"}]`)
	opts := options()
	opts.Cwd = dir
	start := time.Now()
	f, err := ecosystem.Load(t.Context(), "a.config.js", opts)
	if err != nil || len(f.Apps) != 1 || time.Since(start) > time.Minute {
		t.Errorf("%v after %v", err, time.Since(start))
	}
	text, _ := os.ReadFile(filepath.Join(dir, "pid"))
	if pid, err := strconv.Atoi(string(text)); err == nil {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}
