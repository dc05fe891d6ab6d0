// Package testprog finds and builds the programs that gpm's tests supervise: the
// sub-commands of prog, and the scripts beside this file.
package testprog

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Build compiles a main package of this module, such as "./testprog/prog" or
// "./cmd/gpm", into dir and returns the binary's absolute path. Tests share one
// build cache, so only the first build of a package takes longer than its link.
func Build(dir, pkg string) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("cannot build %s: %w", pkg, err)
	}
	args, err := packing(root, dir, pkg)
	if err != nil {
		return "", err
	}
	// The separator makes -o a folder: the go command then adds what suffix programs have here.
	cmd := exec.Command("go", append(append([]string{"build", "-buildvcs=false", "-o", dir + string(filepath.Separator)}, args...), pkg)...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("cannot build %s: %w\n%s", pkg, err, out)
	}
	return exec.LookPath(filepath.Join(dir, filepath.Base(pkg)))
}

// Script returns the absolute path of a script of this folder, such as "http.js".
func Script(name string) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	path := filepath.Join(root, "testprog", name)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("cannot use script %q: %w", name, err)
	}
	return path, nil
}

// Root returns the folder of gpm's go.mod: the nearest above the working
// directory, which is the package's own folder in every Go test.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("cannot find the module: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("cannot find the module: no go.mod above the working directory")
		}
		dir = parent
	}
}
