// Package realpm2 gives tests the real pm2 from npm, as a client of gpm. It is only ever run, never read.
package realpm2

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Dir returns a directory with pm2 in node_modules, installed once for all runs; it skips the test where there is no npm.
func Dir(t testing.TB) string {
	t.Helper()
	npm, err := exec.LookPath("npm")
	if err != nil {
		t.Skip("npm is not installed: the real pm2 cannot be had")
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Skip("there is no cache directory: ", err)
	}
	dir := filepath.Join(cache, "gpm-test", "pm2-7")
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	if err := install(t, npm, dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// install makes the directory whole or not at all: other tests may do the same at this moment.
func install(t testing.TB, npm, dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(dir), "install-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	cmd := exec.CommandContext(t.Context(), npm, "install", "--prefix", tmp, "--no-audit", "--no-fund", "--ignore-scripts", "pm2@7")
	if out, err := cmd.CombinedOutput(); err != nil {
		return errors.Join(err, errors.New(string(out)))
	}
	if err := os.Rename(tmp, dir); err != nil && !errors.Is(err, fs.ErrExist) {
		if _, statErr := os.Stat(dir); statErr != nil { // another run was not first either
			return err
		}
	}
	return nil
}
