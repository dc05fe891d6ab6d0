package ecosystem

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	"gpm/app"
)

const (
	maxFile     = 4 << 20 // bytes of a file
	maxApps     = 10_000  // of a file
	maxWarnings = 100     // beyond that the file is no file of apps
	// defaultTimeout of a script.
	defaultTimeout = 10 * time.Second
)

// Options say how a file is read. The zero value reads a file with no environment and one CPU.
type Options struct {
	Env     string            // --env: env_NAME is merged over env
	Only    []string          // --only: names of the apps wanted; none = all
	Strict  bool              // a warning is an error
	Cwd     string            // the caller's directory, absolute; "" = the process's own
	Environ map[string]string // the caller's environment: the lowest layer of each app's, and what scripts see
	CPUs    int               // of the machine, for instances; at least 1
	Stdin   io.Reader         // for "-"
	Engine  Engine            // evaluates scripts where no engine is on PATH; nil = none
	Timeout time.Duration     // of a script; 0 = 10 s
}

// File is what a file declares.
type File struct {
	Apps     []AppEntry
	Deploy   map[string]any // environments of the deploy command, as written
	Static   []Static
	Warnings []Warning
	Output   []byte // what a script printed, its first 64 KiB; of interest to people only
}

// AppEntry is one app of a file. Spec is complete: name, cwd, instances and policy have gpm's defaults
// where the file is silent; Set names the fields that the file gives.
type AppEntry struct {
	Spec     app.Spec
	Set      app.Fields
	Declared map[string]string // Spec.Env without what the caller's environment contributes
	Extra    map[string]any    // fields that Spec has no place for, by name in the table; Go types as [Type] says
	Place    string            // file:line:col of its name, or of its beginning
}

// Warning is what a file says that has no effect or may not be meant.
type Warning struct {
	Message   string
	File      string
	Line, Col int // from 1; 0 = unknown
}

// String is file:line:col: message.
func (w Warning) String() string { return place(w.File, pos{w.Line, w.Col}) + ": " + w.Message }

// reader reads one file.
type reader struct {
	opts   Options
	name   string // as the user gave it
	path   string // absolute
	fields []Field
	known  map[string]int // every spelling of a key -> index in fields
	keys   []string       // every spelling, in the order of the table
	out    File

	deployEnv member // env of the deploy section that --env names
}

// Load reads the file of that path ("-" is standard input) and returns what it declares, or one error that says
// where and why it cannot be understood.
func Load(ctx context.Context, path string, opts Options) (File, error) {
	r, err := newReader(path, opts)
	if err != nil {
		return File{}, err
	}
	tree, err := r.tree(ctx)
	if err == nil {
		err = r.read(tree)
	}
	if err != nil {
		return File{}, r.explain(err)
	}
	return r.out, nil
}

func newReader(path string, opts Options) (*reader, error) {
	if opts.Cwd == "" {
		dir, err := os.Getwd()
		if err != nil {
			return nil, app.Errorf(app.CodeInvalid, "cannot read %s: no working directory: %w", path, err)
		}
		opts.Cwd = dir
	}
	if opts.Timeout == 0 {
		opts.Timeout = defaultTimeout
	}
	opts.CPUs = max(1, opts.CPUs)
	r := &reader{opts: opts, name: path, path: path, fields: Fields(), known: map[string]int{}}
	if path == "-" {
		r.name = "standard input"
	} else if !filepath.IsAbs(path) {
		r.path = filepath.Join(opts.Cwd, path)
	}
	for i, f := range r.fields {
		for _, spelling := range f.spellings() {
			r.known[spelling] = i
			r.keys = append(r.keys, spelling)
		}
	}
	return r, nil
}

// spellings are all keys that name a field.
func (f Field) spellings() []string {
	out := append([]string{f.Name}, f.Aliases...)
	for _, name := range out {
		if camel := camelCase(name); camel != name {
			out = append(out, camel)
		}
	}
	return out
}

func camelCase(snake string) string {
	words := strings.Split(snake, "_")
	for i, w := range words[1:] {
		if w != "" {
			words[i+1] = strings.ToUpper(w[:1]) + w[1:]
		}
	}
	return strings.Join(words, "")
}

// explain makes any failure the error that the user sees.
func (r *reader) explain(err error) error {
	if wrong, ok := errors.AsType[*badFile](err); ok {
		return wrong.sentence(r.name)
	}
	if seen, ok := errors.AsType[*app.Error](err); ok {
		return seen
	}
	why, code := err, app.CodeInvalid
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		why = pathErr.Err
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return app.Errorf(app.CodeNotFound, "cannot read %s: it does not exist", r.name)
	case errors.Is(err, fs.ErrPermission):
		code = app.CodeForbidden
	}
	return app.Errorf(code, "cannot read %s: %w", r.name, why)
}

// warn notes a doubt; with Strict it is the end.
func (r *reader) warn(p pos, format string, args ...any) error {
	if r.opts.Strict {
		return bad(p, format, args...)
	}
	if len(r.out.Warnings) >= maxWarnings {
		return nil
	}
	r.out.Warnings = append(r.out.Warnings, Warning{fmt.Sprintf(format, args...), r.name, p.line, p.col})
	return nil
}

// readFile reads what must be a file of bounded size; a pipe or a device could keep us for ever.
func (r *reader) readFile() ([]byte, error) {
	info, err := os.Stat(r.path)
	if err != nil {
		return nil, err
	}
	switch {
	case info.IsDir():
		return nil, errors.New("it is a directory")
	case !info.Mode().IsRegular():
		return nil, errors.New("it is not a regular file")
	case info.Size() > maxFile:
		return nil, tooLarge()
	}
	f, err := os.Open(r.path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readText(f)
}

func tooLarge() error {
	return bad(pos{}, "it has more than %d MiB", maxFile>>20).withHint("a file of apps holds settings; data has another place")
}

func readText(from io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(from, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFile {
		return nil, tooLarge()
	}
	return data, checkText(data)
}

// checkText finds the first byte that is not UTF-8.
func checkText(data []byte) error {
	line, start := 1, 0
	for at := 0; at < len(data); {
		c, size := utf8.DecodeRune(data[at:])
		if c == utf8.RuneError && size == 1 || c == 0 {
			return bad(pos{line, utf8.RuneCount(data[start:at]) + 1}, "it is not text in UTF-8")
		}
		at += size
		if c == '\n' {
			line, start = line+1, at
		}
	}
	return nil
}
