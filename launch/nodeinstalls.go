package launch

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// nodeManagers keep each version of Node in a directory called by it, v20.1.0 or 20.1.0, below a place of
// their own, which a variable can name.
var nodeManagers = []struct {
	variable string   // names the root
	home     []string // else the root is one of these, below the user's home where they are relative
	versions string   // below the root
	bin      string   // below a version
}{
	{"NVM_DIR", []string{".nvm", ".config/nvm"}, "versions/node", "bin"},
	{"FNM_DIR", []string{".local/share/fnm", ".fnm", "Library/Application Support/fnm"}, "node-versions", "installation/bin"},
	{"VOLTA_HOME", []string{".volta"}, "tools/image/node", "bin"},
	{"MISE_DATA_DIR", []string{".local/share/mise"}, "installs/node", "bin"},
	{"ASDF_DATA_DIR", []string{".asdf"}, "installs/nodejs", "bin"},
	{"N_PREFIX", []string{"/usr/local"}, "n/versions/node", "bin"},
}

// nodeInstall is one place in which a manager keeps versions.
type nodeInstall struct {
	root, versions, bin string
}

// nodeInstalls finds the places that are there.
func nodeInstalls(env map[string]string) []nodeInstall {
	var out []nodeInstall
	for _, m := range nodeManagers {
		roots := m.home
		if root := env[m.variable]; filepath.IsAbs(root) {
			roots = []string{root}
		}
		for _, root := range roots {
			if !filepath.IsAbs(root) {
				if !filepath.IsAbs(env["HOME"]) {
					continue
				}
				root = filepath.Join(env["HOME"], root)
			}
			versions := filepath.Join(root, m.versions)
			if info, err := os.Stat(versions); err == nil && info.IsDir() {
				out = append(out, nodeInstall{root, versions, m.bin})
			}
		}
	}
	return out
}

// pickNode returns the directory of the newest installed node that a wish means, "" without one.
func pickNode(wish string, env map[string]string) string {
	installs := nodeInstalls(env)
	fits := fitting(wish, installs)
	best, dir := []int(nil), ""
	for _, in := range installs {
		entries, err := os.ReadDir(in.versions)
		if err != nil {
			continue
		}
		for _, entry := range entries {
			v, ok := numbers(entry.Name())
			bin := filepath.Join(in.versions, entry.Name(), filepath.FromSlash(in.bin))
			if !ok || len(v) < 3 || !fits(v) || slices.Compare(v, best) <= 0 || !hasNode(bin) {
				continue
			}
			best, dir = v, bin
		}
	}
	return dir
}

func hasNode(dir string) bool {
	for _, path := range withExtensions(filepath.Join(dir, "node")) {
		if info, err := os.Stat(path); err == nil && isExecutable(path, info) {
			return true
		}
	}
	return false
}

// codeNames are the major versions with long-term support.
var codeNames = map[string]int{
	"argon": 4, "boron": 6, "carbon": 8, "dubnium": 10, "erbium": 12, "fermium": 14, "gallium": 16, "hydrogen": 18, "iron": 20, "jod": 22, "krypton": 24,
}

// fitting understands a wish: 20, v20.1, 20.x, ^20.1, ~20.1.2, lts/*, lts/iron, node, latest, or a name that nvm knows.
func fitting(wish string, installs []nodeInstall) func(v []int) bool {
	wish = strings.ToLower(strings.TrimSpace(wish))
	for range 8 { // an alias may name an alias
		target := nvmAlias(wish, installs)
		if target == "" {
			break
		}
		wish = target
	}
	switch {
	case wish == "node" || wish == "latest" || wish == "current" || wish == "stable":
		return func([]int) bool { return true }
	case wish == "lts/*" || wish == "lts" || wish == "lts-latest":
		return func(v []int) bool { return v[0]%2 == 0 }
	}
	name := strings.TrimPrefix(strings.TrimPrefix(wish, "lts/"), "lts-")
	if major, ok := codeNames[name]; ok {
		return func(v []int) bool { return v[0] == major }
	}
	digits, caret := strings.CutPrefix(wish, "^")
	digits, tilde := strings.CutPrefix(digits, "~")
	want, ok := numbers(digits)
	fixed := want
	switch {
	case !ok:
		return func([]int) bool { return false }
	case caret:
		fixed = want[:1]
	case tilde:
		fixed = want[:min(2, len(want))]
	}
	return func(v []int) bool {
		return slices.Compare(v, want) >= 0 && slices.Equal(v[:min(len(fixed), len(v))], fixed)
	}
}

// nvmAlias reads a name that the user has given to a version.
func nvmAlias(name string, installs []nodeInstall) string {
	if name == "" || !filepath.IsLocal(name) || strings.Contains(name, "*") {
		return ""
	}
	for _, in := range installs {
		text, err := readSmall(filepath.Join(in.root, "alias", filepath.FromSlash(name)))
		if target := firstWord(text); err == nil && target != name {
			return strings.ToLower(target)
		}
	}
	return ""
}

// numbers reads v20.1.0, 20.1 and 20.x; ok is false for what is no version.
func numbers(version string) (out []int, ok bool) {
	parts := strings.Split(strings.TrimPrefix(version, "v"), ".")
	for _, part := range parts[:min(3, len(parts))] {
		if part == "x" || part == "*" {
			break
		}
		n, err := strconv.Atoi(part)
		if err != nil || n < 0 {
			return nil, false
		}
		out = append(out, n)
	}
	return out, len(out) > 0
}
