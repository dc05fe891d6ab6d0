package gpm_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "gpm/"

// arrows says which of our packages each package may import; what is not drawn
// is forbidden. docs/ARCHITECTURE.md shows the same arrows to people.
var arrows = map[string][]string{
	"app":       {},
	"boot":      {},
	"ipc/frame": {},
	"master":    {"ipc/frame"},
	"envfile":   {},
	"launch":    {"app", "envfile", "master"},
	"proc":      {"app", "master"},
	"ipc":       {"app"},
	"agent":     {},
	"cluster":   {"agent", "app", "cluster/primary", "cluster/sockets", "ipc/channel", "probe", "proc"},

	"ipc/channel":     {},
	"cluster/primary": {"ipc/channel"},
	"cluster/sockets": {},
	"cluster/e2e":     {},

	"logs":      {"app"},
	"store":     {"app"},
	"metrics":   {"app"},
	"watch":     {"app"},
	"schedule":  {},
	"errand":    {},
	"health":    {"app"},
	"order":     {"app"},
	"probe":     {"app", "errand"},
	"ecosystem": {"app", "envfile"},
	"pm2":       {"app"},
	"static":    {"app"},
	"deploy":    {"app"},
	"daemon":    {"agent", "app", "cluster", "errand", "health", "ipc", "ipc/frame", "launch", "logs", "master", "metrics", "order", "pm2", "probe", "proc", "schedule", "store", "watch"},
	"cmd/gpm":   {"app", "boot", "cluster/sockets", "deploy", "ecosystem", "ecosystem/engine", "ipc", "pm2", "static", "daemon", "master", "store"},

	"ecosystem/engine": {"ecosystem"},
	"cmd/gpm-engine":   {"ecosystem", "ecosystem/engine"},

	"bench":         {},
	"e2e":           {},
	"testprog":      {},
	"testprog/leak": {"proc"},
	"testprog/prog": {},

	"testprog/install": {},
	"testprog/realpm2": {"testprog/install"},
}

// entryPrefix begins the names of the files of cmd/gpm that may import the daemon
// or the master: those that become one of them.
const entryPrefix = "entry"

// homes are the only packages that import a third-party module.
var homes = map[string]string{
	"github.com/spf13/cobra":        "cmd/gpm",
	"charm.land/bubbletea/v2":       "cmd/gpm",
	"go.etcd.io/bbolt":              "store",
	"github.com/shirou/gopsutil/v3": "metrics",
	"github.com/fsnotify/fsnotify":  "watch",
	"github.com/robfig/cron/v3":     "schedule",
	"github.com/Microsoft/go-winio": "ipc",
	"github.com/klauspost/compress": "logs",
	"github.com/goccy/go-yaml":      "ecosystem",
	"github.com/joho/godotenv":      "envfile",
	"github.com/pelletier/go-toml":  "ecosystem",
	"github.com/dop251/goja":        "ecosystem/engine",
	"github.com/evanw/esbuild":      "ecosystem/engine",
}

// goPackage is the part of `go list -json` that counts here.
type goPackage struct {
	ImportPath string
	Standard   bool
	Imports    []string
	Deps       []string
}

// list returns our packages by path without "gpm/", as built for a platform.
func list(t *testing.T, goos string) map[string]goPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,Standard,Imports,Deps", "./...")
	cmd.Env = append(os.Environ(), "GOOS="+goos, "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("cannot list the packages for %s: %v", goos, err)
	}
	ours := map[string]goPackage{}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return ours
		} else if err != nil {
			t.Fatal(err)
		}
		if path, ok := strings.CutPrefix(p.ImportPath, module); ok {
			ours[path] = p
		}
	}
}

func TestArrows(t *testing.T) {
	for _, goos := range platforms {
		t.Run(goos, func(t *testing.T) {
			for path, p := range list(t, goos) {
				allowed, known := arrows[path]
				if !known {
					t.Errorf("package %s is in no row of the table of arrows", path)
				}
				for _, imported := range p.Imports {
					checkArrow(t, path, imported, allowed)
				}
			}
		})
	}
}

func checkArrow(t *testing.T, path, imported string, allowed []string) {
	t.Helper()
	if to, ours := strings.CutPrefix(imported, module); ours && !slices.Contains(allowed, to) {
		t.Errorf("%s imports %s, which the architecture forbids", path, to)
	}
	for name, home := range homes {
		if path != home && (imported == name || strings.HasPrefix(imported, name+"/")) {
			t.Errorf("%s imports %s, whose only home is %s", path, name, home)
		}
	}
}

// TestMasterIsSmall keeps the immortal process free of what it does not need:
// everything it links has to be right for ever.
func TestMasterIsSmall(t *testing.T) {
	for _, goos := range platforms {
		p, ok := list(t, goos)["master"]
		if !ok {
			t.Fatal("there is no package master")
		}
		for _, dep := range p.Deps {
			switch {
			case dep == "net/http":
				t.Errorf("%s: master depends on net/http", goos)
			case strings.HasPrefix(dep, module):
				if dep != module+"ipc/frame" {
					t.Errorf("%s: master depends on %s", goos, dep)
				}
			case strings.Contains(dep, ".") && !fromX(dep):
				t.Errorf("%s: master depends on %s, neither the standard library nor x/sys", goos, dep)
			}
		}
	}
}

// fromX reports golang.org/x/sys and what the standard library vendors of x.
func fromX(dep string) bool {
	return strings.HasPrefix(dep, "golang.org/x/sys/") || strings.HasPrefix(dep, "vendor/golang.org/x/")
}

// TestOnlyEntriesBecomeTheDaemon keeps the other commands clients of the API.
func TestOnlyEntriesBecomeTheDaemon(t *testing.T) {
	for _, f := range sources(t) {
		if f.dir != "cmd/gpm" || f.isTest() || strings.HasPrefix(f.name, entryPrefix) {
			continue
		}
		for _, imported := range f.imports() {
			if imported == module+"daemon" || imported == module+"master" {
				t.Errorf("cmd/gpm/%s imports %s; only files named %s… may", f.name, imported, entryPrefix)
			}
		}
	}
}
