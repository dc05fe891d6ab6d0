package main

import (
	"bufio"

	"github.com/spf13/cobra"

	"gpm/app"
	"gpm/pm2"
)

func newJlistCommand(c *cli) *cobra.Command {
	return newDumpCommand(c, "jlist", "Print the list as JSON, in the shape of pm2", func(list []*pm2.Object, _ bool) error {
		return c.printPM2(list)
	})
}

func newPrettylistCommand(c *cli) *cobra.Command {
	return newDumpCommand(c, "prettylist", "Print the same as JavaScript, for reading", func(list []*pm2.Object, asJSON bool) error {
		if asJSON {
			return c.printPM2(list)
		}
		return c.printInspected(list)
	})
}

// printPM2 prints an array, one element after the other: a long list is tens of megabytes.
func (c *cli) printPM2(list []*pm2.Object) error {
	out := bufio.NewWriter(c.out)
	_ = out.WriteByte('[') // an error stays in out
	for i, o := range list {
		text, err := pm2.Encode(o)
		if err != nil {
			return err
		}
		if i > 0 {
			_ = out.WriteByte(',')
		}
		_, _ = out.Write(text)
	}
	_, _ = out.WriteString("]\n")
	return out.Flush()
}

func newDumpCommand(c *cli, name, short string, print func(list []*pm2.Object, asJSON bool) error) *cobra.Command {
	var reveal, asJSON bool
	cmd := &cobra.Command{
		Use:   name,
		Short: short,
		Args:  arguments(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := c.connect(cmd.Context())
			if err != nil {
				return err
			}
			details, err := client.BriefDetails(cmd.Context())
			if err != nil {
				return err
			}
			home, err := c.home()
			if err != nil {
				return err
			}
			return print(pm2List(details, home, reveal), asJSON)
		},
	}
	cmd.Flags().BoolVar(&reveal, "reveal", false, "show values that look like secrets")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// pm2List is pm2's jlist.
func pm2List(details []app.Detail, home string, reveal bool) []*pm2.Object {
	view := pm2.View{Home: home}
	if !reveal {
		view.Mask = maskValue
	}
	list := make([]*pm2.Object, len(details))
	for i, d := range details {
		d.Spec.Interpreter = d.Interpreter()
		list[i] = pm2.Element(pm2.Process{Detail: d}, view)
	}
	return list
}
