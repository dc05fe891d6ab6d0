package watch

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const gitignore = ".gitignore"

// defaults are ignored unless a rule says otherwise: what pm2 leaves out (dot
// files and node_modules), caches, and what editors and running programs leave beside
// the sources.
var defaults = parsePatterns(strings.Join([]string{
	".*", "node_modules/", "__pycache__/", "*.py[co]", "*.tsbuildinfo",
	"*~", "*.sw[opx]", "4913", `\#*\#`, "*___jb_tmp___", "*___jb_old___",
	"*.log", "*.pid", "*-journal", "*-wal", "*-shm", "*.heapsnapshot", "*.heapprofile", "*.cpuprofile",
}, "\n"), "default")

// rules is a stack of pattern lists. The lists nearer to the top of the stack
// decide first; in a list the last match decides, as gitignore(5) says.
type rules struct {
	top    []pattern // the user's and the app's own files: they win
	layers []layer   // .gitignore files, outermost first
	git    bool      // read .gitignore files
}

// layer is the patterns of one directory.
type layer struct {
	up       string // from this directory down to the root of the tree, "a/b/", for one above the root
	below    string // from the root down to this directory, "a/b/", for one below it
	patterns []pattern
}

// verdict is what the rules say of one path; by is nil when no pattern matches.
func (r *rules) verdict(rel string, isDir bool) (ignored bool, by *pattern) {
	if p := last(r.top, rel, isDir); p != nil {
		return !p.negate, p
	}
	for _, l := range slices.Backward(r.layers) {
		inside, ok := strings.CutPrefix(rel, l.below)
		if !ok || inside == "" {
			continue
		}
		if p := last(l.patterns, l.up+inside, isDir); p != nil {
			return !p.negate, p
		}
	}
	if p := last(defaults, rel, isDir); p != nil {
		return !p.negate, p
	}
	return false, nil
}

func (r *rules) ignores(rel string, isDir bool) bool {
	ignored, _ := r.verdict(rel, isDir)
	return ignored
}

func last(list []pattern, rel string, isDir bool) *pattern {
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].match(rel, isDir) {
			return &list[i]
		}
	}
	return nil
}

// enter returns the rules inside dir, which is at rel below the root.
func (r *rules) enter(dir, rel string) *rules {
	if !r.git {
		return r
	}
	list := readPatterns(filepath.Join(dir, gitignore))
	if len(list) == 0 {
		return r
	}
	below := ""
	if rel != "" {
		below = rel + "/"
	}
	in := *r
	in.layers = append(slices.Clip(r.layers), layer{below: below, patterns: list})
	return &in
}

// maxIgnoreFile is the most that is read of one .gitignore, in bytes.
const maxIgnoreFile = 1 << 20

// readPatterns reads a .gitignore; one that is missing or not a sane file has no rules.
func readPatterns(path string) []pattern {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxIgnoreFile {
		return nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	return parsePatterns(string(text), path)
}

// newRules returns the rules at the root of a tree.
func newRules(root string, rule Rule) *rules {
	r := &rules{top: userPatterns(root, rule), git: !rule.NoGitignore}
	if r.git {
		r.layers = above(root)
	}
	return r
}

// above returns the .gitignore files from the top of the repository down to just
// above root. A root that they ignore was named by the user: then they are silent.
func above(root string) []layer {
	var layers []layer
	up := ""
	for dir := root; ; {
		if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
			layers = append(layers, layer{up: up, patterns: readPatterns(filepath.Join(dir, ".git", "info", "exclude"))})
			break
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return nil // not in a repository
		}
		up = filepath.Base(dir) + "/" + up
		dir = parent
		layers = append(layers, layer{up: up, patterns: readPatterns(filepath.Join(dir, gitignore))})
	}
	slices.Reverse(layers)
	if ignoresRoot(layers, strings.TrimSuffix(up, "/")) {
		return nil
	}
	return layers
}

// ignoresRoot says whether the layers ignore rel, the root as seen from the top
// one, or a directory on the way to it.
func ignoresRoot(layers []layer, rel string) bool {
	if rel == "" {
		return false
	}
	for end := 0; end < len(rel); end++ {
		next := strings.IndexByte(rel[end:], '/')
		if next < 0 {
			next = len(rel) - end
		}
		end += next
		if ignoredBy(layers, rel[:end], rel) {
			return true
		}
	}
	return false
}

func ignoredBy(layers []layer, part, whole string) bool {
	for _, l := range slices.Backward(layers) {
		above := strings.TrimSuffix(whole, strings.TrimSuffix(l.up, "/")) // from the top to the layer's directory
		inside, ok := strings.CutPrefix(part, above)
		if !ok || inside == "" {
			continue
		}
		if p := last(l.patterns, inside, true); p != nil {
			return !p.negate
		}
	}
	return false
}

// userPatterns turns ignore_watch strings and the app's own files into patterns.
func userPatterns(root string, rule Rule) []pattern {
	var out []pattern
	for _, text := range rule.Ignore {
		for _, one := range expandBraces(text) {
			if p, ok := parsePattern(anchor(root, one), "ignore_watch"); ok {
				p.text = text
				out = append(out, p)
			}
		}
	}
	for _, own := range rule.Own {
		rel, err := filepath.Rel(root, own)
		if err != nil || !filepath.IsLocal(rel) {
			continue
		}
		path := "/" + escape(filepath.ToSlash(rel))
		stem := strings.TrimSuffix(path, filepath.Ext(path))
		for _, text := range []string{path + "*", stem + "__*"} { // the file, and what it was rotated to
			if p, ok := parsePattern(text, "own file"); ok {
				out = append(out, p)
			}
		}
	}
	return out
}

// anchor writes a pattern as .gitignore would: "./logs" and an absolute path
// below the root become "/logs".
func anchor(root, text string) string {
	text, negate := strings.CutPrefix(strings.TrimSpace(text), "!")
	if rest, ok := strings.CutPrefix(text, "./"); ok {
		text = "/" + rest
	} else if rest, ok := strings.CutPrefix(text, filepath.ToSlash(root)+"/"); ok {
		text = "/" + rest
	}
	if negate {
		return "!" + text
	}
	if strings.HasPrefix(text, "#") {
		return `\` + text // in a list of strings it is no comment
	}
	return text
}

func escape(s string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(s)
}

// maxWords is how many words one string with braces may stand for.
const maxWords = 64

// expandBraces expands a{b,c} as a shell does; text that has unbalanced braces or
// stands for too many words stays as it is.
func expandBraces(text string) []string {
	var done []string
	for todo := []string{text}; len(todo) > 0; {
		word := todo[0]
		todo = todo[1:]
		open, end, commas := braces(word)
		if end < 0 {
			done = append(done, word)
			continue
		}
		from := open + 1
		for _, to := range append(commas, end) {
			todo = append(todo, word[:open]+word[from:to]+word[end+1:])
			from = to + 1
		}
		if len(done)+len(todo) > maxWords {
			return []string{text}
		}
	}
	return done
}

// braces finds the first outermost pair that holds commas, and these; end is -1 without one.
func braces(s string) (open, end int, commas []int) {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '{':
			if depth == 0 {
				open = i
			}
			depth++
		case ',':
			if depth == 1 {
				commas = append(commas, i)
			}
		case '}':
			depth = max(depth-1, 0)
			if depth == 0 && len(commas) > 0 {
				return open, i, commas
			}
		}
	}
	return 0, -1, nil
}

func at(source string, line int) string {
	if source == "default" {
		return source
	}
	return source + ":" + strconv.Itoa(line)
}
