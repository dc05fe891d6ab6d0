package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gpm/app"
)

// flagError says what is wrong with an option in one sentence, with the nearest one there is.
func flagError(cmd *cobra.Command, err error) error {
	if errors.Is(err, pflag.ErrHelp) {
		return err
	}
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok {
		if args := cmd.Flags().Args(); !cmd.HasParent() && len(args) > 0 {
			return unknownCommand(cmd, args[0]) // gpm strat --name x: the command is the mistake
		}
		return unknownOption(cmd, unknown)
	}
	if bad, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		return app.Errorf(app.CodeInvalid, "cannot use --%s %q: %w", bad.GetFlag().Name, bad.GetValue(), bad.Unwrap()).
			WithHint("%s --help shows the options", cmd.CommandPath())
	}
	return app.Errorf(app.CodeInvalid, "cannot run %q: %w", cmd.CommandPath(), err).WithHint("%s --help shows the options", cmd.CommandPath())
}

func unknownOption(cmd *cobra.Command, unknown *pflag.NotExistError) error {
	name := unknown.GetSpecifiedName()
	if short := unknown.GetSpecifiedShortnames(); short != "" {
		return app.Errorf(app.CodeInvalid, "cannot run %q: unknown option -%s", cmd.CommandPath(), name).
			WithHint("%s --help shows the options", cmd.CommandPath())
	}
	err := app.Errorf(app.CodeInvalid, "cannot run %q: unknown option --%s", cmd.CommandPath(), name)
	if name == "container" {
		return app.Errorf(app.CodeInvalid, "cannot start in a container: gpm builds no images").
			WithHint("give an image of your own the command gpm runtime app.js")
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	if near := nearest(name, names); near != "" {
		return err.WithHint("did you mean --%s? %s --help shows the options", near, cmd.CommandPath())
	}
	return err.WithHint("%s --help shows the options; what follows -- goes to the program", cmd.CommandPath())
}

// arguments checks how many arguments a command got; most < 0 means any number.
func arguments(least, most int, names string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return app.Errorf(app.CodeInvalid, "cannot run %q: missing required argument %s", cmd.CommandPath(), names).
				WithHint("usage: %s", cmd.UseLine())
		case most >= 0 && len(args) > most:
			return app.Errorf(app.CodeInvalid, "cannot run %q: unexpected argument %q", cmd.CommandPath(), args[most]).
				WithHint("usage: %s", cmd.UseLine())
		}
		return nil
	}
}

// nearest returns the name that a typo probably meant, or "".
func nearest(typo string, names []string) string {
	best, least := "", 1+max(1, len(typo)/3)
	for _, name := range names {
		d := distance(strings.ToLower(typo), strings.ToLower(name))
		if strings.HasPrefix(name, typo) && len(typo) > 1 {
			d = 1
		}
		if d < least {
			best, least = name, d
		}
	}
	return best
}

// distance counts the insertions, deletions, replacements and swaps of neighbours that turn a into b.
func distance(a, b string) int {
	rows := [3][]int{}
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
	}
	for j := range rows[1] {
		rows[1][j] = j
	}
	for i := 1; i <= len(a); i++ {
		rows[2][0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[2][j] = min(rows[1][j]+1, rows[2][j-1]+1, rows[1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[2][j] = min(rows[2][j], rows[0][j-2]+1)
			}
		}
		rows[0], rows[1], rows[2] = rows[1], rows[2], rows[0]
	}
	return rows[1][len(b)]
}

// reported is the error of a command that has said everything already.
type reported struct{}

func (reported) Error() string { return "failed" }

// plural returns "1 process", "2 processes".
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
