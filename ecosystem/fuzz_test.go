package ecosystem

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gpm/app"
	"gpm/envfile"
)

// fuzz gives any text to a format and reads what it makes of it into specs: no panic, an error that is one sentence, an
// end in bounded time.
func fuzz(f *testing.F, name string, seeds ...string) {
	for _, pattern := range []string{"testdata/bad/*", "testdata/good/*/*"} {
		files, _ := filepath.Glob(pattern)
		for _, file := range files {
			if data, err := os.ReadFile(file); err == nil && formatOf(file) == formatOf(name) && len(data) < 4096 {
				f.Add(string(data))
			}
		}
	}
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, input string) {
		if len(input) > 64<<10 {
			return
		}
		start := time.Now()
		out, err := loadText(name, input)
		if took := time.Since(start); took > time.Minute {
			t.Errorf("took %v", took)
		}
		if err == nil {
			checkSpecs(t, out)
			return
		}
		if e := app.AsError(err); e.Code == app.CodeInternal || strings.ContainsAny(e.Message, "\n\r") || !strings.HasPrefix(e.Message, "cannot ") {
			t.Errorf("no sentence: %v %q", e.Code, e.Message)
		}
	})
}

// loadText is Load without a file.
func loadText(name, input string) (File, error) {
	r, err := newReader(name, Options{Cwd: "/srv", CPUs: 2, Env: "production"})
	if err != nil {
		return File{}, err
	}
	var tree *node
	switch data := []byte(input); formatOf(name) {
	case formatYAML:
		tree, err = parseYAML(data)
	case formatTOML:
		tree, err = parseTOML(data)
	case formatProcfile:
		tree, err = parseProcfile(input)
	default:
		tree, err = r.json(data)
	}
	if err == nil {
		err = r.read(tree)
	}
	if err != nil {
		return File{}, r.explain(err)
	}
	return r.out, nil
}

func checkSpecs(t *testing.T, f File) {
	for _, a := range f.Apps {
		s := a.Spec
		if strings.TrimSpace(s.Script) == "" || s.Name == "" || s.Instances < 1 || s.Instances > maxInstances || !filepath.IsAbs(s.Cwd) {
			t.Errorf("spec %+v", s)
		}
		if s.ExecMode != app.Fork && s.ExecMode != app.Cluster {
			t.Errorf("mode %q", s.ExecMode)
		}
		for k, v := range s.Env {
			if !envfile.IsVariable(k) || strings.ContainsRune(v, 0) {
				t.Errorf("variable %q=%q", k, v)
			}
		}
	}
}

func FuzzJSON5(f *testing.F) {
	fuzz(f, "a.json5", `{apps:[{script:'a',env:{A:{b:[1,null]}}}],}`, `[{script:"\u{1F600}\x41\\\n",instances:'-1'}]`, `{"a":-Infinity,b:+.5e-7}`)
}

func FuzzYAML(f *testing.F) {
	fuzz(f, "a.yaml", "apps:\n- &a {script: a, env: {X: 1}}\n- <<: *a\n  name: b\n", "? [a]\n: !!str 1\n", "a: |\n  x\nb: >-\n  y\n")
}

func FuzzTOML(f *testing.F) {
	fuzz(f, "a.toml", "[[apps]]\nscript='a'\n[apps.env]\nA=1979-05-27T07:32:00Z\n[[apps]]\nscript='b'\n", "apps=[{script='a',env.B.c=[1,{d=2}]}]\n", "a.b.c=1\n")
}

func FuzzProcfile(f *testing.F) {
	fuzz(f, "Procfile", "web: node a.js\n# c\n\nworker-2:  x y\r\n")
}

// FuzzLocate: whatever the source, its keys are found without a panic.
func FuzzLocate(f *testing.F) {
	f.Add("module.exports = { apps: [{ 'a b': 1, c ? d : e, `x${y}`: 2 }] } // z: 1\n/* q: */ 'un\n")
	f.Fuzz(func(t *testing.T, source string) {
		for key, places := range sourceKeys(source) {
			for _, p := range places {
				if p.line < 1 || p.col < 1 {
					t.Errorf("%q at %v", key, p)
				}
			}
		}
	})
}
