package watch

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Verdict says whether one path matters to an app, and why.
type Verdict struct {
	Watched bool   `json:"watched"`
	Path    string `json:"path,omitempty"` // the path, or the directory above it, that Rule ignores
	Rule    string `json:"rule,omitempty"` // the pattern that decided
	Source  string `json:"source"`         // of the rule as in Ignored; else "single file", "root", or "outside"
}

// Judge says what the rules of an app make of a path, which need not exist.
func (w *Watcher) Judge(id, path string) (Verdict, error) {
	w.mu.Lock()
	e := w.entries[id]
	if e == nil {
		w.mu.Unlock()
		return Verdict{}, fmt.Errorf("cannot judge %s for %s: %w", path, id, fs.ErrNotExist)
	}
	rule := e.rule
	w.mu.Unlock()
	if slices.Contains(rule.Files, path) {
		return Verdict{Watched: true, Source: "single file"}, nil
	}
	v := Verdict{Source: "outside"}
	for _, root := range rule.Roots {
		if rel, err := filepath.Rel(root, path); err == nil && filepath.IsLocal(rel) {
			if v = judge(root, filepath.ToSlash(rel), rule); v.Watched {
				break
			}
		}
	}
	return v, nil
}

// judge goes down from the root, because what is below an ignored directory is not looked at.
func judge(root, rel string, rule Rule) Verdict {
	r := newRules(root, rule).enter(root, "")
	v := Verdict{Watched: true, Source: "root"}
	if rel == "." {
		return v
	}
	for end := 0; end < len(rel); {
		next := strings.IndexByte(rel[end+1:], '/')
		if next < 0 {
			next = len(rel) - end - 1
		}
		end += 1 + next
		part := rel[:end]
		path := filepath.Join(root, filepath.FromSlash(part))
		info, err := os.Stat(path)
		isDir := end < len(rel) || err == nil && info.IsDir()
		ignored, by := r.verdict(part, isDir)
		if by != nil {
			v.Path, v.Rule, v.Source = path, by.text, by.source
		}
		if ignored {
			v.Watched = false
			return v
		}
		r = r.enter(path, part)
	}
	return v
}
