package ecosystem_test

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"gpm/ecosystem"
)

// TestRealProjects: three files as their frameworks' documentation leads to them, and what comes of them.
func TestRealProjects(t *testing.T) {
	for name, env := range map[string]string{
		"nextjs/ecosystem.config.js": "staging", "nestjs/ecosystem.config.ts": "production", "workers/ecosystem.yaml": "",
	} {
		t.Run(name, func(t *testing.T) {
			opts := options()
			opts.Env = env
			opts.Environ["AWS_KEY"] = "hidden"
			f, err := ecosystem.Load(t.Context(), "testdata/good/"+name, opts)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, "testdata/good/"+filepath.Dir(name)+".golden", specs(t, f))
		})
	}
}

// specs is all that a file came to, without what differs between machines.
func specs(t *testing.T, f ecosystem.File) []byte {
	t.Helper()
	for i := range f.Apps {
		f.Apps[i].Spec.Env["PATH"] = "…"
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(f); err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	return []byte(strings.ReplaceAll(out.String(), root, "@"))
}

// TestBuiltInEngineAgrees: without Node on PATH the same comes of the same files.
func TestBuiltInEngineAgrees(t *testing.T) {
	for name, env := range map[string]string{"nextjs/ecosystem.config.js": "staging", "nestjs/ecosystem.config.ts": "production"} {
		opts := options()
		opts.Env = env
		opts.Environ["AWS_KEY"], opts.Environ["PATH"] = "hidden", ""
		f, err := ecosystem.Load(t.Context(), "testdata/good/"+name, opts)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "testdata/good/"+filepath.Dir(name)+".golden", specs(t, f))
	}
}
