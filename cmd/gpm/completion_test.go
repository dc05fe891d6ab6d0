package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCompletionInstall: what is put where a shell looks is taken back whole, and the lines of the user stay.
func TestCompletionInstall(t *testing.T) {
	f := newFake(t)
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_DATA_HOME", "")
	t.Setenv("XDG_CONFIG_HOME", "")
	t.Setenv("ZDOTDIR", "")
	t.Setenv("SHELL", "/bin/bash")
	const rc = "alias x=y\nexport A=b"
	if err := os.WriteFile(filepath.Join(home, ".zshrc"), []byte(rc), 0o600); err != nil {
		t.Fatal(err)
	}
	for shell, place := range map[string]struct{ file, holds, left string }{
		"":     {".local/share/bash-completion/completions/gpm", "complete -o default -F __start_gpm gpm", ""},
		"bash": {".local/share/bash-completion/completions/gpm", "complete -o default -F __start_gpm gpm", ""},
		"fish": {".config/fish/completions/gpm.fish", "# fish completion for gpm ", ""},
		"zsh":  {".zshrc", rc + "\n# begin of gpm completion\n", rc + "\n"},
	} {
		for range 2 { // the second time changes nothing
			good(t, f, append([]string{"completion", "install"}, strings.Fields(shell)...)...)
		}
		text, err := os.ReadFile(filepath.Join(home, place.file))
		if err != nil || strings.Count(string(text), place.holds) != 1 {
			t.Errorf("%q: %v, %q is not there once in %q", shell, err, place.holds, text)
		}
		for range 2 {
			good(t, f, append([]string{"completion", "uninstall"}, strings.Fields(shell)...)...)
		}
		if text, _ := os.ReadFile(filepath.Join(home, place.file)); string(text) != place.left {
			t.Errorf("%q: left is %q", shell, text)
		}
	}
	if _, errOut := bad(t, f, "completion", "install", "tcsh"); !strings.Contains(errOut, `cannot install the completion: no place is known for the shell "tcsh"`) {
		t.Error(errOut)
	}
	if err := os.WriteFile(filepath.Join(home, ".zshrc"), []byte("# begin of gpm completion\nx\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, errOut := bad(t, f, "completion", "uninstall", "zsh"); !strings.Contains(errOut, "but not its end") {
		t.Error(errOut)
	}
}
