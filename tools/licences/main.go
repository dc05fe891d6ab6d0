// Licences checks that everything gpm is built from has a permissive licence.
//
// It asks the go command for the modules behind ./... of the folder given, on
// every platform gpm is built for, reads each module's licence file and prints a
// table. A module without one, or with a text it does not know, fails the check.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// platforms are those gpm is built for; each may bring modules of its own.
var platforms = [...]string{"linux", "darwin", "windows", "freebsd"}

// exceptions are modules that may be part of a binary although their licence is
// not permissive, and why that is no burden.
var exceptions = map[string]exception{
	// gopsutil's import on macOS; built without cgo it is a file of empty functions.
	// MPL-2.0 asks for the source of that file, unchanged and public, and nothing else of gpm.
	"github.com/shoenig/go-m1cpu": {mpl2, "macOS, stubs without cgo, unchanged"},
}

type exception struct {
	licence licence
	why     string
}

func main() {
	dir := "."
	if len(os.Args) > 1 {
		dir = os.Args[1]
	}
	if err := run(os.Stdout, dir); err != nil {
		fmt.Fprintln(os.Stderr, "licences:", err)
		os.Exit(1)
	}
}

func run(w io.Writer, dir string) error {
	linked, err := modules(dir)
	if err != nil {
		return err
	}
	all, err := modules(dir, "-test")
	if err != nil {
		return err
	}
	var errs []error
	for _, path := range slices.Sorted(maps.Keys(all)) {
		_, ships := linked[path]
		errs = append(errs, check(w, all[path], ships))
	}
	return errors.Join(errs...)
}

// module is the part of `go list -json`'s Module that counts here.
type module struct {
	Path    string
	Version string
	Dir     string // where its files are
	Main    bool
	Replace *module
}

// modules returns the modules behind ./... in dir by path, the main one left out.
func modules(dir string, flags ...string) (map[string]module, error) {
	found := map[string]module{}
	for _, goos := range platforms {
		args := append([]string{"list", "-deps", "-json=Module"}, flags...)
		cmd := exec.Command("go", append(args, "./...")...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOOS="+goos, "CGO_ENABLED=0")
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("cannot list the dependencies for %s: %w", goos, err)
		}
		if err := collect(found, string(out)); err != nil {
			return nil, fmt.Errorf("cannot read the dependencies for %s: %w", goos, err)
		}
	}
	return found, nil
}

func collect(found map[string]module, stream string) error {
	for dec := json.NewDecoder(strings.NewReader(stream)); ; {
		var p struct{ Module *module }
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if p.Module == nil || p.Module.Main {
			continue
		}
		m := *p.Module
		if m.Replace != nil {
			m.Dir = m.Replace.Dir
		}
		found[m.Path] = m
	}
}

// check prints one module's row; ships says that the binary holds its code.
func check(w io.Writer, m module, ships bool) error {
	licence, err := read(m.Dir)
	if err != nil {
		return fmt.Errorf("cannot tell the licence of %s: %w", m.Path, err)
	}
	use := "in tests"
	exempt := exception{}
	if ships {
		use = "in the binary"
		if exempt = exceptions[m.Path]; exempt.licence == licence {
			use += ": " + exempt.why
		}
	}
	fmt.Fprintf(w, "%-40s %-38s %-13s %s\n", m.Path, m.Version, licence, use)
	if !licence.allows(ships) && licence != exempt.licence {
		return fmt.Errorf("cannot use %s: its licence is %s", m.Path, licence)
	}
	return nil
}

// read classifies the licence files at the top of a module: all must be known.
func read(dir string) (licence, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return unknown, err
	}
	worst := unknown
	for _, e := range entries {
		if e.IsDir() || !isLicenceFile(e.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return unknown, err
		}
		l := classify(string(text))
		if l == unknown {
			return unknown, fmt.Errorf("%s has a text that is not known", e.Name())
		}
		worst = max(worst, l)
	}
	if worst == unknown {
		return unknown, errors.New("no licence file")
	}
	return worst, nil
}

func isLicenceFile(name string) bool {
	stem := strings.ToUpper(strings.TrimSuffix(strings.TrimSuffix(name, ".md"), ".txt"))
	return stem == "LICENSE" || stem == "LICENCE" || stem == "COPYING" ||
		strings.HasPrefix(stem, "LICENSE-") || strings.HasPrefix(stem, "LICENSE.")
}
