package ecosystem

import (
	"context"
	"errors"
	"path/filepath"
	"strings"

	"gpm/app"
)

// format is how a file is written.
type format uint8

const (
	noFormat format = iota
	formatScript
	formatJSON
	formatPackage
	formatYAML
	formatTOML
	formatProcfile
	formatStdin
)

// suffixes decide by the end of the base name, in lower case.
var suffixes = []struct {
	suffix string
	format format
}{
	{".config.js", formatScript}, {".config.cjs", formatScript}, {".config.mjs", formatScript},
	{".config.ts", formatScript}, {".config.cts", formatScript}, {".config.mts", formatScript},
	{".json", formatJSON}, {".json5", formatJSON},
	{".yaml", formatYAML}, {".yml", formatYAML}, {".toml", formatTOML},
}

func formatOf(path string) format {
	base := filepath.Base(path)
	switch {
	case path == "-":
		return formatStdin
	case base == "package.json":
		return formatPackage
	case base == "Procfile" || strings.HasPrefix(base, "Procfile."):
		return formatProcfile
	}
	for _, s := range suffixes {
		if strings.HasSuffix(strings.ToLower(base), s.suffix) {
			return s.format
		}
	}
	return noFormat
}

// IsFile says whether an argument of a command names a file of apps rather than a script or a process: by
// its suffix, as pm2 does it, or by being "-" or a Procfile. It does not look whether the file exists.
func IsFile(arg string) bool { return formatOf(arg) != noFormat }

// tree reads the file in its format.
func (r *reader) tree(ctx context.Context) (*node, error) {
	kind := formatOf(r.path)
	switch kind {
	case formatScript:
		return r.evaluate(ctx)
	case noFormat:
		return nil, app.Errorf(app.CodeInvalid, "cannot read %s: its name says no format", r.name).
			WithHint("names end in .config.js, .config.ts, .json, .json5, .yaml, .toml, or are package.json or Procfile")
	case formatStdin:
		return r.standardInput()
	}
	data, err := r.readFile()
	if err != nil {
		return nil, err
	}
	switch kind {
	case formatYAML:
		return parseYAML(data)
	case formatTOML:
		return parseTOML(data)
	case formatProcfile:
		return parseProcfile(string(data))
	}
	return r.json(data)
}

// standardInput is JSON when it looks like it, else YAML.
func (r *reader) standardInput() (*node, error) {
	if r.opts.Stdin == nil {
		return nil, errors.New("it is not open")
	}
	data, err := readText(r.opts.Stdin)
	if err != nil {
		return nil, err
	}
	start := strings.TrimLeft(string(data), "\ufeff \t\r\n")
	if start == "" || strings.ContainsRune("{[/", rune(start[0])) {
		return r.json(data)
	}
	return parseYAML(data)
}

func (r *reader) json(data []byte) (*node, error) {
	tree, repeated, err := parseJSON5(string(data))
	for _, m := range repeated {
		if warned := r.warn(m.pos, "the key %s is given twice; the last one counts", quote(m.key)); warned != nil && err == nil {
			err = warned
		}
	}
	return tree, err
}
