//go:build unix

package launch

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// versions are what the managers of the test have installed.
var versions = map[string]string{
	"home/.nvm/versions/node/v18.20.4/bin/node*":                         "#!/bin/sh\n",
	"home/.nvm/versions/node/v20.9.0/bin/node*":                          "#!/bin/sh\n",
	"home/.nvm/versions/node/v20.11.1/bin/node*":                         "#!/bin/sh\n",
	"home/.nvm/versions/node/v20.11.1/bin/npm*":                          "#!/bin/sh\n",
	"home/.nvm/versions/node/v23.0.0/bin/npm":                            "not whole",
	"home/.nvm/alias/house":                                              "lts/iron\n",
	"home/.local/share/fnm/node-versions/v21.7.3/installation/bin/node*": "#!/bin/sh\n",
	"home/.volta/tools/image/node/16.20.2/bin/node*":                     "#!/bin/sh\n",
	"home/.local/share/mise/installs/node/22.3.0/bin/node*":              "#!/bin/sh\n",
	"path/node*":       "#!/bin/sh\n",
	"path/npm*":        "#!/bin/sh\n",
	"app/dist/main.js": "",
}

func TestNodeVersions(t *testing.T) {
	for _, c := range []struct{ file, text, interpreter, want string }{
		{"", "", "", "path"},
		{"app/.nvmrc", "20\n", "", "home/.nvm/versions/node/v20.11.1/bin"},
		{"app/.nvmrc", "# ours\nv20.9\n", "", "home/.nvm/versions/node/v20.9.0/bin"},
		{"app/.nvmrc", "lts/hydrogen", "", "home/.nvm/versions/node/v18.20.4/bin"},
		{"app/.nvmrc", "lts/*", "", "home/.local/share/mise/installs/node/22.3.0/bin"},
		{"app/.nvmrc", "node", "", "home/.local/share/mise/installs/node/22.3.0/bin"},
		{"app/.nvmrc", "house", "", "home/.nvm/versions/node/v20.11.1/bin"},
		{".nvmrc", "18", "", "home/.nvm/versions/node/v18.20.4/bin"}, // above the app
		{"app/dist/.node-version", "21.7.3", "", "home/.local/share/fnm/node-versions/v21.7.3/installation/bin"},
		{"app/.tool-versions", "python 3.12\nnodejs 22.3.0 # x\n", "", "home/.local/share/mise/installs/node/22.3.0/bin"},
		{"app/mise.toml", "[env]\nnode = 1\n[tools]\nnode = \"22\"\n", "", "home/.local/share/mise/installs/node/22.3.0/bin"},
		{"app/package.json", `{"volta": {"node": "16.20.2"}}`, "", "home/.volta/tools/image/node/16.20.2/bin"},
		{"app/package.json", `{"volta":`, "", "path"},
		{"app/.nvmrc", "19", "", "path"}, // not installed
		{"app/.nvmrc", "system", "", "path"},
		{"app/.nvmrc", "../../etc", "", "path"},
		{"app/.nvmrc", "20", "node@18", "home/.nvm/versions/node/v18.20.4/bin"},
		{"", "", "node@^20.9", "home/.nvm/versions/node/v20.11.1/bin"},
		{"", "", "node@~20.9.0", "home/.nvm/versions/node/v20.9.0/bin"},
		{"app/.nvmrc", "20", "node", "home/.nvm/versions/node/v20.11.1/bin"},
		{"", "", "node@19", `! its interpreter "node@19" is not installed`},
	} {
		root := tree(t, versions)
		if c.file != "" {
			write(t, filepath.Join(root, c.file), c.text)
		}
		spec := testSpec(filepath.Join(root, "app"), "dist/main.js")
		spec.Interpreter = c.interpreter
		spec.Env = map[string]string{"HOME": filepath.Join(root, "home"), "PATH": filepath.Join(root, "path")}
		plan, err := Resolve(spec, testInstance)
		if sentence, fails := strings.CutPrefix(c.want, "! "); fails {
			if err == nil || !strings.Contains(err.Error(), sentence) || !Permanent(err) {
				t.Errorf("%+v: %v", c, err)
			}
			continue
		}
		if want := filepath.Join(root, c.want, "node"); err != nil || plan.Spawn.Path != want {
			t.Errorf("%+v: %s %v", c, plan.Spawn.Path, err)
		}
		if first := filepath.SplitList(envOf(plan)["PATH"])[0]; first != filepath.Join(root, c.want) {
			t.Errorf("%+v: PATH begins with %s", c, first)
		}
	}
}

// TestNodeVersionsAtEachStart: one resolver sees a file that has changed, and npm is that of the version.
func TestNodeVersionsAtEachStart(t *testing.T) {
	root := tree(t, versions)
	spec := testSpec(filepath.Join(root, "app"), "npm", "start")
	spec.Env = map[string]string{"HOME": filepath.Join(root, "home"), "PATH": filepath.Join(root, "path")}
	var r Resolver
	for wish, want := range map[string]string{"20.11.1": "home/.nvm/versions/node/v20.11.1/bin/npm", "18": "path/npm"} {
		write(t, filepath.Join(root, "app/.nvmrc"), wish)
		plan, err := r.Resolve(spec, testInstance)
		if err != nil || plan.Spawn.Path != filepath.Join(root, want) {
			t.Errorf("%s: %s %v", wish, plan.Spawn.Path, err)
		}
	}
}

// TestCurrentLink: a link to the present release is followed at each start, whether it is in the script or in the
// working directory.
func TestCurrentLink(t *testing.T) {
	root := tree(t, map[string]string{
		"releases/1/run*": "#!/bin/sh\n", "releases/1/package.json": `{"version": "1.0.0"}`,
		"releases/2/run*": "#!/bin/sh\n", "releases/2/package.json": `{"version": "2.0.0"}`,
	})
	link := filepath.Join(root, "current")
	spec := testSpec(link, filepath.Join(link, "run"))
	var r Resolver
	for _, release := range []string{"1", "2"} {
		_ = os.Remove(link)
		if err := os.Symlink(filepath.Join("releases", release), link); err != nil {
			t.Fatal(err)
		}
		plan, err := r.Resolve(spec, testInstance)
		if err != nil || plan.Version != release+".0.0" || plan.Spawn.Dir != link || plan.Spawn.Path != filepath.Join(link, "run") {
			t.Errorf("%s: %+v %v", release, plan, err)
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
