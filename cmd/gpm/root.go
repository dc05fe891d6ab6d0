package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"gpm/app"
)

// run carries out one command line, with the name that gpm was called by, and returns its exit code: 0, or 1 after any error.
func run(ctx context.Context, name string, args []string, stdout, stderr io.Writer) int {
	// A command lives for milliseconds; collecting the garbage of a long list would take a good part of them.
	debug.SetGCPercent(800)
	c := newCLI(stdout, stderr)
	c.role, args = roleOf(name, args)
	c.silent = c.role == asPM2 && (os.Getenv("PM2_SILENT") == "true" || os.Getenv("PM2_PROGRAMMATIC") == "true")
	args = signedNumbers(args)
	root := newRootCommand(c, firstWord(args))
	root.SetArgs(c.asTheyType(root, args))
	err := root.ExecuteContext(ctx)
	c.close()
	if status, ok := errors.AsType[exitStatus](err); ok {
		return int(status)
	}
	if err != nil {
		c.fail(err)
		return 1
	}
	return 0
}

// exitStatus is the exit code of a command that ends as what it ran did.
type exitStatus int

func (e exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// newRootCommand returns the tree of all commands, or with a first word that is in the table only
// what that needs.
func newRootCommand(c *cli, first string) *cobra.Command {
	root := &cobra.Command{
		Use:           strings.ToLower(string(c.role)),
		Short:         "gpm starts programs, keeps them up, and says what became of them",
		Version:       app.Version,
		Args:          cobra.ArbitraryArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE:          func(cmd *cobra.Command, args []string) error { return noCommand(c, cmd, args) },
	}
	root.SetOut(c.out)
	root.SetErr(c.err)
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetFlagErrorFunc(flagError)
	root.PersistentFlags().StringVar(&c.homeFlag, "hp", "", "")
	_ = root.PersistentFlags().MarkHidden("hp") // pm2's word
	root.PersistentFlags().StringVar(&c.homeFlag, "home", "", "home `directory` of the daemon (default $GPM_HOME or ~/.gpm)")
	root.PersistentFlags().BoolVarP(&c.silent, "silent", "s", c.silent, "print results and errors only")
	root.PersistentFlags().BoolVar(&c.noColour, "no-color", false, "no colours; NO_COLOR does the same")
	root.AddGroup(
		&cobra.Group{ID: groupAct, Title: "Processes:"},
		&cobra.Group{ID: groupRead, Title: "What is going on:"},
		&cobra.Group{ID: groupSelf, Title: "gpm itself:"},
	)
	root.SetHelpCommandGroupID(groupSelf)
	root.SetCompletionCommandGroupID(groupSelf)
	for _, row := range commandTable() {
		if first == "" || slices.Contains(strings.Fields(row.names), first) {
			root.AddCommand(row.commands(c)...)
		}
	}
	if first == "" {
		addCompletion(c, root)
	}
	return root
}

// noCommand answers a command line without a command that we know.
func noCommand(c *cli, root *cobra.Command, args []string) error {
	if len(args) > 0 {
		return unknownCommand(root, args[0])
	}
	fmt.Fprint(c.out, `usage: gpm <command> [arguments] [options]

  gpm start app.js            start a program and keep it up
  gpm start app.js -i 4 -- x  four instances, with an argument
  gpm list                    what runs, and what does not
  gpm logs web                its output, as it comes
  gpm why web                 how it lived and died
  gpm restart|stop|delete web

gpm --help lists all commands, gpm <command> --help their options.
`)
	return reported{}
}

// unknownCommand is the error for a word that is no command below parent.
func unknownCommand(parent *cobra.Command, name string) error {
	err := app.Errorf(app.CodeInvalid, "cannot run %q: no such command", parent.CommandPath()+" "+name)
	var names []string
	for _, cmd := range parent.Commands() {
		names = append(append(names, cmd.Name()), cmd.Aliases...)
	}
	if near := nearest(name, names); near != "" {
		return err.WithHint("did you mean %q? %s --help lists the commands", near, parent.CommandPath())
	}
	return err.WithHint("%s --help lists the commands", parent.CommandPath())
}
