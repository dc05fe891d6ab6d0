//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// manager is one of the two process managers, seen from outside.
type manager struct {
	name    string
	bin     string
	env     []string
	scripts string // the folder of its apps
	modules string // the node_modules that its Node apps use
	marker  string // begins the argument of every sleep it runs
	pids    func() []int
	start   func(files []string) ([]string, error) // the command that starts apps
	ended   bool
}

// run executes one command and returns how long the whole process took.
func (m *manager) run(ctx context.Context, args ...string) (time.Duration, string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, m.bin, args...)
	cmd.Env = append(os.Environ(), m.env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	began := time.Now()
	err := cmd.Run()
	took := time.Since(began)
	if err != nil {
		return 0, "", fmt.Errorf("cannot run %s %s: %w\n%.2000s", m.name, args[0], err, out.String())
	}
	return took, out.String(), nil
}

// writeApps makes n apps: executables that become a sleep with an argument of its own.
func (m *manager) writeApps(n int) ([]string, error) {
	if err := os.MkdirAll(m.scripts, 0o755); err != nil {
		return nil, err
	}
	files := make([]string, n)
	for i := range files {
		files[i] = filepath.Join(m.scripts, appName(i))
		text := fmt.Sprintf("#!/bin/sh\nexec sleep %s\n", m.argument(i))
		if err := os.WriteFile(files[i], []byte(text), 0o755); err != nil {
			return nil, err
		}
	}
	return files, nil
}

func appName(i int) string { return fmt.Sprintf("app-%04d", i) }

// argument is that of app i's sleep: ten days and a fraction that tells it apart.
func (m *manager) argument(i int) string { return fmt.Sprintf("%s%04d", m.marker, i) }

// newMarker is unlike that of any other run on the machine.
func newMarker(side int) string { return fmt.Sprintf("864000.%d%d", side, os.Getpid()) }

// runs fails unless the manager has n apps. A start command may return while some are still
// the shell that becomes a sleep, hence a moment's patience.
func (m *manager) runs(n int) error {
	have := 0
	for range 100 {
		if have = len(sleepers(m.marker)); have == n {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("%s runs %d apps of %d", m.name, have, n)
}

// end stops the manager with its own command and checks that nothing is left. Once done, it
// does nothing.
func (m *manager) end() error {
	if m.ended {
		return nil
	}
	m.ended = true
	if len(m.pids()) == 0 {
		return m.checkLeft(sleepers(m.marker))
	}
	progress("ending %s", m.name)
	_, _, err := m.run(context.Background(), "kill")
	deadline := time.Now().Add(20 * time.Second)
	for time.Now().Before(deadline) && len(m.pids())+len(sleepers(m.marker)) > 0 {
		time.Sleep(50 * time.Millisecond)
	}
	return errors.Join(err, m.checkLeft(append(m.pids(), sleepers(m.marker)...)))
}

func (m *manager) checkLeft(pids []int) error {
	for _, pid := range pids {
		_ = syscall.Kill(pid, syscall.SIGKILL) // gone meanwhile is as good
	}
	if len(pids) > 0 {
		return fmt.Errorf("%s left %d processes behind", m.name, len(pids))
	}
	return nil
}

// installPm2 returns pm2's command, from the cache or the npm registry, beside which is Express.
func installPm2(ctx context.Context) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "gpm-bench")
	bin := filepath.Join(dir, "node_modules", ".bin", "pm2")
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "express")); err == nil {
		return bin, nil
	}
	progress("installing pm2 into %s", dir)
	cmd := exec.CommandContext(ctx, "npm", "install", "--prefix", dir, "--no-audit", "--no-fund", "--loglevel=error", "pm2@7", "express@5")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("cannot install pm2 (npm is needed): %w\n%s", err, out)
	}
	return bin, nil
}

// writeEcosystem is pm2's way to start many apps by one command.
func writeEcosystem(path string, files []string) error {
	type app struct {
		Name        string `json:"name"`
		Script      string `json:"script"`
		Interpreter string `json:"interpreter"`
	}
	var config struct {
		Apps []app `json:"apps"`
	}
	for _, f := range files {
		config.Apps = append(config.Apps, app{filepath.Base(f), f, "none"})
	}
	data, err := json.Marshal(config)
	if err != nil {
		return err
	}
	if filepath.Ext(path) == ".js" {
		data = append([]byte("module.exports = "), data...)
	}
	return os.WriteFile(path, data, 0o644)
}
