package testprog

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// packing returns the arguments with which the go command makes gpm as `make build` does: with its JavaScript
// engine packed into it. The file that gpm embeds stands in dir and never in the source tree. Other programs have none.
func packing(root, dir, pkg string) ([]string, error) {
	if pkg != "./cmd/gpm" {
		return nil, nil
	}
	program := filepath.Join(dir, "gpm-engine")
	cmd := exec.Command("go", "build", "-buildvcs=false", "-ldflags=-s -w", "-o", program, "./cmd/gpm-engine")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("cannot build gpm's engine: %w\n%s", err, out)
	}
	defer os.Remove(program)
	packed, overlay := filepath.Join(dir, "engine.gz"), filepath.Join(dir, "overlay.json")
	if err := pack(program, packed); err != nil {
		return nil, fmt.Errorf("cannot pack gpm's engine: %w", err)
	}
	text, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(root, "cmd/gpm/engine.gz"): packed}})
	if err != nil {
		return nil, err
	}
	return []string{"-tags=packed", "-overlay=" + overlay}, os.WriteFile(overlay, text, 0o644)
}

func pack(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	z, err := gzip.NewWriterLevel(out, gzip.BestSpeed)
	if err != nil {
		return errors.Join(err, out.Close())
	}
	_, err = io.Copy(z, in)
	return errors.Join(err, z.Close(), out.Close())
}
