package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"gpm/app"
)

// addCompletion gives cobra's command that prints scripts for shells two more below it, which put one where the
// shell finds it.
func addCompletion(c *cli, root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	parent, _, err := root.Find([]string{"completion"})
	if err != nil {
		return // there is none
	}
	for _, verb := range []struct {
		name, short string
		do          func(*cobra.Command, completionPlace) error
	}{
		{"install", "Have your shell complete commands, options and names of processes", installCompletion},
		{"uninstall", "Take that back", uninstallCompletion},
	} {
		parent.AddCommand(&cobra.Command{
			Use:   verb.name + " [bash|zsh|fish]",
			Short: verb.short,
			Args:  cobra.MaximumNArgs(1),
			RunE: func(_ *cobra.Command, args []string) error {
				place, err := findCompletionPlace(root.Name(), args, os.Getenv)
				if err == nil {
					err = verb.do(root, place)
				}
				if err != nil {
					e := app.AsError(err)
					return app.Errorf(e.Code, "cannot %s the completion: %w", verb.name, err).WithHint("%s", e.Hint)
				}
				c.say("Completion for %s: %s %sed; new shells have it so", place.shell, place.file, verb.name)
				return nil
			},
		})
	}
}

// completionPlace is where a shell looks for the completion of a command.
type completionPlace struct {
	shell, file string
	block       string // a part of the file, between two marks; "" = the file is all ours
}

// findCompletionPlace names the place for a shell, by default the user's own ($SHELL). bash (with bash-completion) and fish load files of
// a directory; zsh has no such place for a user, so its start-up file gets a few lines.
func findCompletionPlace(name string, args []string, getenv func(string) string) (completionPlace, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return completionPlace{}, err
	}
	p := completionPlace{shell: filepath.Base(getenv("SHELL"))}
	if len(args) > 0 {
		p.shell = args[0]
	}
	switch p.shell {
	case "bash":
		p.file = filepath.Join(cmp.Or(getenv("XDG_DATA_HOME"), filepath.Join(home, ".local", "share")), "bash-completion", "completions", name)
	case "fish":
		p.file = filepath.Join(cmp.Or(getenv("XDG_CONFIG_HOME"), filepath.Join(home, ".config")), "fish", "completions", name+".fish")
	case "zsh":
		p.file = filepath.Join(cmp.Or(getenv("ZDOTDIR"), home), ".zshrc")
		p.block = fmt.Sprintf("# begin of %[1]s completion\n(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }\nsource <(%[1]s completion zsh)\n# end of %[1]s completion\n", name)
	default:
		return p, app.Errorf(app.CodeInvalid, "no place is known for the shell %q", p.shell).
			WithHint("name one: bash, zsh or fish; %s completion --help says how others take the script", name)
	}
	return p, nil
}

func installCompletion(root *cobra.Command, p completionPlace) error {
	if p.block != "" {
		return p.rewrite(p.block)
	}
	var script bytes.Buffer
	err := root.GenBashCompletionV2(&script, true)
	if p.shell == "fish" {
		script.Reset()
		err = root.GenFishCompletion(&script, true)
	}
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(p.file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(p.file, script.Bytes(), 0o644)
}

func uninstallCompletion(_ *cobra.Command, p completionPlace) error {
	if p.block != "" {
		return p.rewrite("")
	}
	if err := os.Remove(p.file); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// rewrite puts a text in the place of our block, or at the end of the file; the user's own lines stay as they are.
func (p completionPlace) rewrite(text string) error {
	old, err := os.ReadFile(p.file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	begin, _, _ := strings.Cut(p.block, "\n")
	before, rest, had := strings.Cut(string(old), begin+"\n")
	if had {
		_, rest, had = strings.Cut(rest, strings.Replace(begin, "begin", "end", 1)+"\n")
		if !had {
			return app.Errorf(app.CodeInvalid, "%s has the line %q, but not its end", p.file, begin)
		}
	} else if before != "" && !strings.HasSuffix(before, "\n") && text != "" {
		before += "\n"
	}
	if len(old) == 0 && text == "" {
		return nil
	}
	mode := fs.FileMode(0o644)
	if info, err := os.Stat(p.file); err == nil {
		mode = info.Mode().Perm()
	}
	return replaceText(p.file, before+text+rest, mode)
}

// replaceText writes a file beside and renames it, through a link to the file that is meant: a start-up file is never half there.
func replaceText(file, text string, mode fs.FileMode) error {
	if target, err := filepath.EvalSymlinks(file); err == nil {
		file = target
	}
	next := file + ".gpm-new"
	if err := os.WriteFile(next, []byte(text), mode); err != nil {
		return err
	}
	return os.Rename(next, file)
}
