package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gpm/app"
	"gpm/ipc"
)

type listOptions struct {
	sort  string
	mini  bool
	watch bool
	json  bool
}

func newListCommand(c *cli) *cobra.Command {
	var o listOptions
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls", "l", "ps", "status"},
		Short:   "Show all processes",
		Args:    arguments(0, 0, ""),
		RunE:    func(cmd *cobra.Command, _ []string) error { return listFunc(c, cmd.Context(), o) },
	}
	cmd.Flags().StringVar(&o.sort, "sort", "name", "order by `field[:asc|desc]`: name, namespace, id, pid, cpu, memory, uptime, status, restarts")
	cmd.Flags().BoolVarP(&o.mini, "mini-list", "m", false, "plain text, a block for each process")
	cmd.Flags().BoolVar(&o.watch, "watch", false, "show it again and again")
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON")
	return cmd
}

func listFunc(c *cli, ctx context.Context, o listOptions) error {
	if _, err := parseOrder(o.sort); err != nil {
		return err
	}
	client, err := c.connect(ctx)
	if err != nil {
		return err
	}
	if o.watch {
		return c.watchList(ctx, client, o)
	}
	return c.anyList(ctx, client, o)
}

// anyList prints the list once, in one of its forms.
func (c *cli) anyList(ctx context.Context, client *ipc.Client, o listOptions) error {
	if o.mini {
		return c.miniList(ctx, client, o)
	}
	return c.showList(ctx, client, o)
}

// showList prints the list as a table or as JSON.
func (c *cli) showList(ctx context.Context, client *ipc.Client, o listOptions) error {
	list, err := c.sortedList(ctx, client, o)
	if err != nil {
		return err
	}
	if o.json {
		return c.printJSON(list)
	}
	if err := c.table(list).draw(c.out, c.paint()); err != nil {
		return err
	}
	for _, s := range list {
		if s.LogTrouble != "" {
			fmt.Fprintf(c.out, "%s %s(%d) %s\n", c.paint().paint(red, "[LOGS]"), clean(s.Name), s.ID, clean(s.LogTrouble))
		}
	}
	if !c.screen.terminal {
		return nil
	}
	return c.printHost(ctx, client)
}

func (c *cli) sortedList(ctx context.Context, client *ipc.Client, o listOptions) ([]app.Status, error) {
	by, err := parseOrder(o.sort)
	if err != nil {
		return nil, err
	}
	list, err := client.Processes(ctx, ipc.ListQuery{Usage: true, Node: c.showsNode() && !o.json})
	sortBy(by, list, itself)
	return list, err
}

// showsNode says that there may be room for columns that pm2 does not have. What a program reads, and who calls gpm pm2,
// gets pm2's.
func (c *cli) showsNode() bool { return c.screen.terminal && c.role != asPM2 }

// table lays the list out for this screen.
func (c *cli) table(list []app.Status) table {
	if c.showsNode() {
		if t, fits := nodeTable(list, c.screen.width, time.Now()); fits {
			return t
		}
	}
	return processTable(list, c.screen.width, time.Now())
}

// watchPause is pm2's.
const watchPause = 900 * time.Millisecond

// watchList shows the list until it is interrupted.
func (c *cli) watchList(ctx context.Context, client *ipc.Client, o listOptions) error {
	ticker := time.NewTicker(watchPause)
	defer ticker.Stop()
	for {
		if c.screen.terminal {
			fmt.Fprint(c.out, "\x1b[H\x1b[2J")
		}
		fmt.Fprintln(c.out, moment(time.Now()))
		if err := c.showList(ctx, client, o); err != nil {
			return unlessInterrupted(ctx, err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// unlessInterrupted forgets an error that comes of the user's ctrl-c: it is how such a command ends.
func unlessInterrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (c *cli) miniList(ctx context.Context, client *ipc.Client, o listOptions) error {
	by, err := parseOrder(o.sort)
	if err != nil {
		return err
	}
	list, err := client.BriefDetails(ctx)
	if err != nil {
		return err
	}
	sortBy(by, list, func(d app.Detail) app.Status { return d.Status })
	if o.json {
		return c.printJSON(maskAll(list, false))
	}
	for _, d := range list {
		writeMini(c.out, c.role, d, time.Now())
	}
	return nil
}

func writeMini(w io.Writer, role role, d app.Detail, now time.Time) {
	u := usageOf(d.Status)
	fmt.Fprintf(w, "+--- %s\n", clean(d.Name))
	for _, row := range [][2]string{
		{"namespace", d.Namespace}, {"version", orNA(d.Version)}, {"pid", fmt.Sprint(d.PID)}, {strings.ToLower(string(role)) + " id", fmt.Sprint(d.ID)},
		{"status", d.State.String()}, {"mode", string(d.Mode)}, {"restarted", fmt.Sprint(d.Restarts)}, {"uptime", shownUptime(d.Status, now)},
		{"memory usage", size(u.RSS)}, {"error log", d.ErrLog}, {"watching", yesNo(d.Watching)}, {"PID file", d.PidFile},
	} {
		fmt.Fprintf(w, "%s : %s\n", row[0], clean(row[1]))
	}
}
