package main

import (
	"regexp"
	"slices"

	"github.com/spf13/cobra"

	"gpm/app"
)

func newScaleCommand(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:               "scale <app> <n|+n|-n>",
		Short:             "Change the number of instances of an app",
		Args:              arguments(2, 2, "<app> <n|+n|-n>"),
		ValidArgsFunction: c.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := c.connect(cmd.Context())
			if err != nil {
				return err
			}
			idle := false
			req := app.ScaleRequest{Selector: args[0], Change: args[1]}
			err = c.followTo(client.Scale(cmd.Context(), req), func(p *progress) { idle = p.total == 0 })
			if idle && c.role == asPM2 {
				return app.Errorf(app.CodeConflict, "Nothing to do")
			}
			return c.finish(cmd.Context(), client, err)
		},
	}
}

// signedNumbers lets "scale app -1" be what it says: the number is no option.
func signedNumbers(args []string) []string {
	at := slices.IndexFunc(args, regexp.MustCompile(`^-\d+$`).MatchString)
	if !slices.Contains(args[:max(0, at)], "scale") || slices.Contains(args, "--") {
		return args
	}
	return append(slices.Delete(slices.Clone(args), at, at+1), "--", args[at])
}
