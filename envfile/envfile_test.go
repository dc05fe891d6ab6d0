package envfile_test

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gpm/envfile"
)

func TestParse(t *testing.T) {
	got, err := envfile.Parse([]byte("# a comment\nA=1\nexport B='two words'\nC=\"x\\ny\"\nD=\n"))
	want := map[string]string{"A": "1", "B": "two words", "C": "x\ny", "D": ""}
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("%v %v, want %v", got, err, want)
	}
}

func TestMistakes(t *testing.T) {
	for text, want := range map[string]string{
		"A=1\nno assignment\n": `line 2: "no assignment" is not KEY=VALUE`,
		"A='open":              "it is no list of KEY=VALUE lines",
	} {
		_, err := envfile.Parse([]byte(text))
		if m, ok := errors.AsType[*envfile.Mistake](err); !ok || m.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func TestRead(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.env")
	if _, err := envfile.Read(path); !os.IsNotExist(err) {
		t.Error(err)
	}
	if _, err := envfile.Read(dir); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Error(err)
	}
	if err := os.WriteFile(path, []byte("A=1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if vars, err := envfile.Read(path); err != nil || vars["A"] != "1" {
		t.Error(vars, err)
	}
}

// FuzzParse: any text gives variables that an environment can hold, or a mistake.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"A=1", "A='", "export A=${A}", "A=\"\\", "#", "\x00=1", "=", "A:1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		vars, err := envfile.Parse([]byte(text))
		if _, ok := errors.AsType[*envfile.Mistake](err); err != nil && !ok {
			t.Errorf("%T %v", err, err)
		}
		for name, value := range vars {
			if !envfile.IsVariable(name) || strings.ContainsRune(value, 0) {
				t.Errorf("%q=%q", name, value)
			}
		}
	})
}
