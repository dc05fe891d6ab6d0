package launch

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"gpm/app"
)

// lookup finds files as the process itself would: from its working directory
// and by its own PATH, not by the daemon's.
type lookup struct {
	cwd  string
	path string
}

// found is the file that a script's name leads to.
type found struct {
	path   string
	onPath bool // by way of PATH, not of the working directory
}

func (l lookup) abs(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(l.cwd, name)
}

// script finds the file that a script's name means: relative to the working
// directory, else a program on PATH.
func (l lookup) script(name string) (found, error) {
	near, err := l.file(name)
	if err == nil {
		return found{path: near}, nil
	}
	if isPlain(name) {
		if far, ok := l.program(name); ok {
			return found{path: far, onPath: true}, nil
		}
		if errors.Is(err, app.ErrNotFound) {
			return found{}, app.Errorf(app.CodeNotFound, "there is no such file in %s, and no such program on PATH", l.cwd).
				WithHint("give the path of a file, or --cwd if it is elsewhere")
		}
	}
	return found{}, err
}

// file returns the absolute path of a regular file, or why there is none.
func (l lookup) file(name string) (string, error) {
	path := l.abs(name)
	for _, candidate := range withExtensions(path) {
		info, err := os.Stat(candidate)
		switch {
		case errors.Is(err, fs.ErrPermission):
			return "", fileError("the file", candidate, err)
		case err != nil: // too long for a name, below a file …: it is not there
			continue
		case info.IsDir():
			return "", app.Errorf(app.CodeInvalid, "%q is a directory", candidate).WithHint("give the file to start in it")
		case !info.Mode().IsRegular():
			return "", app.Errorf(app.CodeInvalid, "%q is not a regular file (%s)", candidate, kindName(info.Mode())).
				WithHint("give a program or a script")
		}
		return candidate, nil
	}
	return "", app.Errorf(app.CodeNotFound, "the file %q does not exist", short(path)).
		WithHint("give the path of a file, or --cwd if it is elsewhere")
}

// program looks for an executable file on PATH.
func (l lookup) program(name string) (string, bool) {
	for _, dir := range filepath.SplitList(l.path) {
		for _, candidate := range withExtensions(filepath.Join(l.abs(dir), name)) {
			if info, err := os.Stat(candidate); err == nil && info.Mode().IsRegular() && isExecutable(candidate, info) {
				return candidate, true
			}
		}
	}
	return "", false
}

// first returns the first of some programs that is on PATH.
func (l lookup) first(names ...string) (string, bool) {
	for _, name := range names {
		if path, ok := l.program(name); ok {
			return path, true
		}
	}
	return "", false
}

// interpreter finds an interpreter that the user named.
func (l lookup) interpreter(name string) ([]string, error) {
	if isPlain(name) {
		if path, ok := l.program(name); ok {
			return []string{path}, nil
		}
		return nil, noProgram(name)
	}
	path, err := l.file(name)
	if err != nil {
		return nil, app.Errorf(app.AsError(err).Code, "cannot use its interpreter: %w", err).
			WithHint("name another with --interpreter, by its path or as on PATH")
	}
	if info, err := os.Stat(path); err == nil && !isExecutable(path, info) {
		return nil, notExecutable(path)
	}
	return []string{path}, nil
}

func noProgram(name string) error {
	return app.Errorf(app.CodeNotFound, "its interpreter %q is not on PATH", name).
		WithHint("install it, or name another with --interpreter")
}

func notExecutable(path string) error {
	return app.Errorf(app.CodeForbidden, "the file %q is not executable", path).WithHint("chmod +x %s", path)
}

// isPlain says that a name has no directory in it, so that PATH applies.
func isPlain(name string) bool {
	return filepath.Base(name) == name && !strings.ContainsAny(name, " \t\n")
}

// kindName says what a file is that is neither regular nor a directory.
func kindName(mode fs.FileMode) string {
	switch {
	case mode&fs.ModeDevice != 0:
		return "a device"
	case mode&fs.ModeNamedPipe != 0:
		return "a pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	}
	return mode.Type().String()
}

// checkDir says what is wrong with a working directory.
func checkDir(dir string) error {
	if !filepath.IsAbs(dir) {
		return app.Errorf(app.CodeInvalid, "its working directory %q is not an absolute path", dir)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return fileError("its working directory", dir, err)
	}
	if !info.IsDir() {
		return app.Errorf(app.CodeInvalid, "its working directory %q is not a directory", dir).
			WithHint("give a directory with --cwd")
	}
	return nil
}

// fileError sorts what the system says about a file into codes.
func fileError(what, path string, err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		err = pe.Err // the path is said already
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return app.Errorf(app.CodeNotFound, "%s %q does not exist", what, path).WithHint("make it, or name another")
	case errors.Is(err, fs.ErrPermission):
		return app.Errorf(app.CodeForbidden, "%s %q cannot be reached: %w", what, path, err).
			WithHint("ls -ld shows the rights of the file and of the directories above it")
	case Permanent(err):
		return app.Errorf(app.CodeInvalid, "%s %q cannot be used: %w", what, path, err)
	}
	return app.Errorf(app.CodeInternal, "%s %q cannot be read: %w", what, path, err)
}

// readHead reads the beginning of a file.
func readHead(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, headSize))
}
