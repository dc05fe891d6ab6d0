package launch

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"

	"gpm/app"
)

// nodeAt begins an interpreter that is a version of Node.
const nodeAt = "node@"

// nodeDir returns the directory of the Node that an app asks for, to be put before its PATH; "" = whatever its PATH has. It
// is found at each start: a release may come with another version.
//
// The wish is interpreter: node@20, or what the nearest of .nvmrc, .node-version, .tool-versions, mise.toml and the volta key
// of package.json says, from the script's directory upwards. It is granted by what nvm, fnm, volta, mise, asdf or n have
// installed. A version that only a file asks for and nobody has installed leaves the one on PATH: a machine without a
// version manager has one Node, whatever a file says.
func (r *Resolver) nodeDir(look lookup, spec app.Spec) (string, error) {
	if wish, ok := strings.CutPrefix(spec.Interpreter, nodeAt); ok {
		dir := pickNode(wish, spec.Env)
		if dir == "" {
			return "", app.Errorf(app.CodeNotFound, "its interpreter %q is not installed", spec.Interpreter).
				WithHint("nvm install %s, or the same with fnm, volta, mise, asdf or n", wish)
		}
		return dir, nil
	}
	if len(nodeInstalls(spec.Env)) == 0 {
		return "", nil
	}
	from := spec.Cwd
	if file, err := look.file(spec.Script); err == nil {
		from = filepath.Dir(file)
	}
	wish := r.nodeWish(from)
	if wish == "" {
		return "", nil
	}
	return pickNode(wish, spec.Env), nil
}

// nodeFiles are the files that name a version of Node, with who reads them. In one directory the first counts.
var nodeFiles = []struct {
	name string
	read func(text []byte) string
}{
	{".nvmrc", firstWord},
	{".node-version", firstWord},
	{".tool-versions", toolVersion},
	{"mise.toml", miseVersion},
	{".mise.toml", miseVersion},
	{"package.json", voltaVersion},
}

// nodeWish looks in dir and above.
func (r *Resolver) nodeWish(dir string) string {
	for {
		for _, f := range nodeFiles {
			path := filepath.Join(dir, f.name)
			wish, err := r.wishes.get(path, func() (string, error) {
				text, err := readSmall(path)
				return f.read(text), err
			})
			if err == nil && wish != "" {
				return wish
			}
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return ""
		}
		dir = parent
	}
}

func readSmall(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(f, maxPackage))
}

// firstWord is the first word that no comment holds.
func firstWord(text []byte) string {
	for line := range bytes.Lines(text) {
		line, _, _ = bytes.Cut(line, []byte("#"))
		if words := bytes.Fields(line); len(words) > 0 {
			return string(words[0])
		}
	}
	return ""
}

// toolVersion reads lines like "nodejs 20.1.0".
func toolVersion(text []byte) string {
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		if words := strings.Fields(line); len(words) > 1 && isNode(words[0]) {
			return words[1]
		}
	}
	return ""
}

func isNode(tool string) bool { return tool == "node" || tool == "nodejs" }

// miseVersion reads node = "20" of the table [tools], which is as much TOML as is needed.
func miseVersion(text []byte) string {
	table := ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			table = strings.Trim(line, "[] ")
		}
		key, value, ok := strings.Cut(line, "=")
		if ok && table == "tools" && isNode(strings.Trim(key, ` "'`)) {
			words := strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(` "'[],`, r) })
			if len(words) > 0 {
				return words[0]
			}
		}
	}
	return ""
}

func voltaVersion(text []byte) string {
	var pkg struct {
		Volta struct {
			Node string `json:"node"`
		} `json:"volta"`
	}
	if json.Unmarshal(text, &pkg) != nil {
		return "" // a broken package.json is the app's own matter
	}
	return pkg.Volta.Node
}
