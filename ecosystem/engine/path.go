package engine

import (
	"path/filepath"
	"strings"

	"github.com/dop251/goja"
)

// pathModule is Node's path on Go's rules for this system's paths, with Node's answers where they differ.
func (m *machine) pathModule() *goja.Object {
	o := m.object(map[string]any{
		"join": func(parts ...string) string { return keepSlash(filepath.Join(parts...), last(parts)) },
		"resolve": func(parts ...string) string {
			path := m.script.Cwd
			for _, p := range parts {
				if filepath.IsAbs(p) {
					path = ""
				}
				path = filepath.Join(path, p)
			}
			return path
		},
		"normalize":  func(p string) string { return keepSlash(filepath.Clean(p), p) },
		"dirname":    dirName,
		"basename":   baseName,
		"extname":    extension,
		"isAbsolute": filepath.IsAbs,
		"relative": func(from, to string) string {
			rel, err := filepath.Rel(m.abs(from), m.abs(to))
			if err != nil || rel == "." {
				return ""
			}
			return rel
		},
		"parse": func(p string) goja.Value {
			base, ext := baseName(p), extension(p)
			return m.object(map[string]any{"dir": filepath.Dir(p), "base": base, "ext": ext, "name": strings.TrimSuffix(base, ext), "root": filepath.VolumeName(p)})
		},
		"sep": string(filepath.Separator), "delimiter": string(filepath.ListSeparator),
	})
	_ = o.Set("posix", o)
	return o
}

// separators end a path without changing what it names.
const separators = `/\`

func last(parts []string) string {
	if len(parts) == 0 {
		return ""
	}
	return parts[len(parts)-1]
}

// keepSlash restores a separator at the end, which Node keeps, and its "." for nothing.
func keepSlash(clean, given string) string {
	switch {
	case clean == "":
		return "."
	case strings.HasSuffix(given, "/") && !strings.HasSuffix(clean, string(filepath.Separator)):
		return clean + string(filepath.Separator)
	}
	return clean
}

func baseName(p string, suffix ...string) string {
	if strings.Trim(p, separators) == "" {
		return ""
	}
	base := filepath.Base(p)
	if len(suffix) > 0 && base != suffix[0] {
		base = strings.TrimSuffix(base, suffix[0])
	}
	return base
}

// extension is empty for a dotfile, as in Node.
func extension(p string) string {
	base := baseName(p)
	if strings.LastIndexByte(base, '.') <= 0 {
		return ""
	}
	return filepath.Ext(base)
}

func dirName(p string) string {
	trimmed := strings.TrimRight(p, separators)
	if trimmed == "" && p != "" {
		return string(filepath.Separator)
	}
	return filepath.Dir(trimmed)
}
