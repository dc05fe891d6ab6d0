package main

import (
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"gpm/app"
)

type envOptions struct{ json, reveal, diff bool }

func newEnvCommand(c *cli) *cobra.Command {
	var o envOptions
	cmd := &cobra.Command{
		Use:               "env <id|name>",
		Short:             "Show the environment of a process",
		Args:              arguments(1, 1, "<id|name>"),
		ValidArgsFunction: c.completeNames,
		RunE:              func(cmd *cobra.Command, args []string) error { return envFunc(c, cmd, args[0], o) },
	}
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON")
	cmd.Flags().BoolVar(&o.reveal, "reveal", false, "show values that look like secrets")
	cmd.Flags().BoolVar(&o.diff, "diff", false, "show what restart --update-env would change from here")
	return cmd
}

func envFunc(c *cli, cmd *cobra.Command, selector string, o envOptions) error {
	client, err := c.connect(cmd.Context())
	if err != nil {
		return err
	}
	details, err := client.Details(cmd.Context(), selector)
	if err != nil {
		return err
	}
	if o.diff {
		return c.printDiff(envDiff(details[0].Spec.Env, mergeEnviron(os.Environ(), nil)), o)
	}
	for _, d := range maskAll(details, o.reveal) {
		if o.json {
			err = c.printJSON(d.ProcEnv)
		} else {
			err = c.printEnv(d, len(details) > 1)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// printEnv prints what the process is given, one variable a line.
func (c *cli) printEnv(d app.Detail, titled bool) error {
	if titled {
		fmt.Fprintf(c.out, "# %s (id %d)\n", clean(d.Name), d.ID)
	}
	for _, name := range slices.Sorted(maps.Keys(d.ProcEnv)) {
		if _, err := fmt.Fprintf(c.out, "%s: %s\n", clean(name), clean(d.ProcEnv[name])); err != nil {
			return err
		}
	}
	return nil
}

// envChange is a variable that differs; without a value on one side it is absent there.
type envChange struct {
	Name string  `json:"name"`
	Now  *string `json:"now"`
	Then *string `json:"then"`
}

// envDiff lists what an update would change. A variable of the app that is not in the shell stays, as
// pm2 does it: updates only add.
func envDiff(now, shell map[string]string) []envChange {
	var out []envChange
	for _, name := range slices.Sorted(maps.Keys(shell)) {
		then := shell[name]
		old, had := now[name]
		switch {
		case name == "_" || had && old == then:
		case had:
			out = append(out, envChange{name, &old, &then})
		default:
			out = append(out, envChange{name, nil, &then})
		}
	}
	return out
}

func (c *cli) printDiff(changes []envChange, o envOptions) error {
	if !o.reveal {
		for i, change := range changes {
			for _, value := range []**string{&changes[i].Now, &changes[i].Then} {
				if *value != nil {
					*value = new(maskValue(change.Name, **value))
				}
			}
		}
	}
	if o.json {
		return c.printJSON(changes)
	}
	for _, change := range changes {
		if change.Now != nil {
			fmt.Fprintln(c.out, c.paint().paint(red, clean(fmt.Sprintf("- %s: %s", change.Name, *change.Now))))
		}
		fmt.Fprintln(c.out, c.paint().paint(green, clean(fmt.Sprintf("+ %s: %s", change.Name, *change.Then))))
	}
	if len(changes) == 0 {
		c.say("restart --update-env would change nothing")
	}
	return nil
}
