//go:build packed

package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	_ "embed" // the engine
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"

	"gpm/ecosystem"
)

// packedEngine is the program gpm-engine, which make build puts here. Linked into gpm itself it would cost each
// command milliseconds and the daemon megabytes, whether anybody uses it or not.
//
//go:embed engine.gz
var packedEngine []byte

// engine evaluates JavaScript files where no Node, Bun or Deno can.
func (c *cli) engine() ecosystem.Engine { return ecosystem.Program{Path: c.unpackEngine} }

// unpackEngine returns the path of the engine, which is unpacked into the home the first time. Its name holds
// the sum of its packed bytes, so that another version of gpm has another file.
func (c *cli) unpackEngine() (string, error) {
	home, err := c.home()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(packedEngine)
	path := filepath.Join(home, "engine-"+hex.EncodeToString(sum[:8])+".exe") // Windows runs no other name
	if err := prepareHome(home); err != nil {
		return "", err
	}
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	older, _ := filepath.Glob(filepath.Join(home, "engine-*")) // the pattern is sound
	if err := writeEngine(path); err != nil {
		return "", err
	}
	for _, name := range older {
		_ = os.Remove(name) // of another version; it can be unpacked again
	}
	return path, nil
}

// writeEngine makes the file whole or not at all: another command may do the same at this moment.
func writeEngine(path string) error {
	in, err := gzip.NewReader(bytes.NewReader(packedEngine))
	if err != nil {
		return err
	}
	out, err := os.CreateTemp(filepath.Dir(path), ".engine-")
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	err = errors.Join(err, out.Chmod(0o700), out.Close())
	if err == nil {
		err = os.Rename(out.Name(), path)
	}
	if err != nil {
		_ = os.Remove(out.Name())
	}
	return err
}
