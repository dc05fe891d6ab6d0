package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"gpm/app"
	"gpm/ipc"
	"gpm/pm2"
)

func newSlistCommand(c *cli) *cobra.Command {
	var tree, asJSON bool
	cmd := &cobra.Command{
		Use:     "slist",
		Aliases: []string{"sysinfos"},
		Short:   "Show what the machine is doing",
		Args:    arguments(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := c.connect(cmd.Context())
			if err != nil {
				return err
			}
			host, err := client.Host(cmd.Context())
			switch {
			case err != nil:
				return err
			case asJSON:
				return c.printJSON(host)
			case tree:
				return writeTree(c.out, pm2.HostMetrics(host))
			}
			return c.printInspected(pm2.HostMetrics(host))
		},
	}
	cmd.Flags().BoolVarP(&tree, "tree", "t", false, "as a tree")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// printInspected prints a value as JavaScript.
func (c *cli) printInspected(v any) error {
	text, err := pm2.Encode(v)
	if err != nil {
		return err
	}
	shown, err := inspect(text)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(c.out, shown)
	return err
}

// writeTree prints metrics with branches.
func writeTree(w io.Writer, metrics *pm2.Object) error {
	var b strings.Builder
	all := metrics.Members()
	for i, m := range all {
		branch, trunk := "├─", "│  "
		if i == len(all)-1 {
			branch, trunk = "└─", "   "
		}
		v, _ := m.Value.(pm2.Metric)
		fmt.Fprintf(&b, "%s %s\n%s├─ value: %v\n%s├─ type: %s\n%s├─ unit: %s\n%s└─ historic: %v\n",
			branch, clean(m.Key), trunk, v.Value, trunk, v.Type, trunk, v.Unit, trunk, v.Historic)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// printHost is the line below the list on a terminal. pm2's setting pm2:sysmonit switches it off.
func (c *cli) printHost(ctx context.Context, client *ipc.Client) error {
	if conf, err := c.conf(); err == nil {
		if value, set := conf.Get("pm2:sysmonit"); set && fmt.Sprint(value) == "false" {
			return nil
		}
	}
	host, err := client.Host(ctx)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(c.out, hostLine(c.paint(), host, c.screen.width))
	return err
}

// fullDisk is how full a disk is that is mentioned, in percent.
const fullDisk = 60

// hostLine has what fits: interfaces with traffic, and disks that are full.
func hostLine(p painter, h app.Host, width int) string {
	parts := []string{"host metrics", "cpu: " + percent(h.CPU), "ram usage: " + percent(h.Memory)}
	for _, n := range h.Nets {
		if n.Received+n.Sent > 0 && n.Name != "lo" {
			parts = append(parts, fmt.Sprintf("%s: ⇓ %s ⇑ %s%s", clean(n.Name), megabytes(n.Received), megabytes(n.Sent), lost(n)))
		}
	}
	parts = append(parts, fmt.Sprintf("disk: ⇓ %s ⇑ %s", megabytes(h.DiskRead), megabytes(h.DiskWrite)))
	for _, f := range h.Filesystems {
		if f.Used > fullDisk {
			parts = append(parts, fmt.Sprintf("%s %s full", clean(f.Path), percent(f.Used)))
		}
	}
	line := parts[0]
	for _, part := range parts[1:] {
		if width > 0 && textWidth(line+" | "+part) > width {
			break
		}
		line += " | " + part
	}
	return p.paint(head, parts[0]) + strings.TrimPrefix(line, parts[0])
}

func lost(n app.Net) string {
	text := ""
	if errs := n.ErrorsIn + n.ErrorsOut; errs > 0 {
		text += fmt.Sprintf(" err %.0f/min", errs)
	}
	if drop := n.DroppedIn + n.DroppedOut; drop > 0 {
		text += fmt.Sprintf(" drop %.0f/min", drop)
	}
	return text
}

func megabytes(perSecond float64) string {
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.3f", perSecond/(1<<20)), "0"), ".") + "mb/s"
}
