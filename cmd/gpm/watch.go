package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gpm/app"
	"gpm/ipc"
)

type watchOptions struct {
	explain bool
	all     bool
	json    bool
}

func newWatchCommand(c *cli) *cobra.Command {
	var o watchOptions
	cmd := &cobra.Command{
		Use:               "watch --explain <id|name|namespace>...",
		Short:             "Tell which files restart a process, which do not, and what did",
		Long:              "Tell which files restart a process, which do not and by which rule, and what restarted it last.\nWhat is watched is set by gpm start --watch, --ignore-watch and --watch-delay.",
		Args:              arguments(1, -1, "<id|name|namespace>"),
		ValidArgsFunction: c.completeNames,
		RunE:              func(cmd *cobra.Command, args []string) error { return watchFunc(c, cmd.Context(), args, o) },
	}
	cmd.Flags().BoolVar(&o.explain, "explain", true, "explain what is watched")
	cmd.Flags().BoolVar(&o.all, "all", false, "everything that is left out, not the first few")
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON")
	return cmd
}

func watchFunc(c *cli, ctx context.Context, args []string, o watchOptions) error {
	client, err := c.connect(ctx)
	if err != nil {
		return err
	}
	explained, err := client.Watch(ctx, ipc.HistoryQuery{Selectors: args})
	if err != nil {
		return err
	}
	if o.json {
		return c.printJSON(explained)
	}
	for _, x := range explained {
		c.writeWatch(x, o)
	}
	return nil
}

// ignoredShown is how many paths that are left out are listed.
const ignoredShown = 20

func (c *cli) writeWatch(x app.WatchExplanation, o watchOptions) {
	p := c.paint()
	if len(x.Sources) == 0 {
		fmt.Fprintf(c.out, "%s is not watched: %s\n", p.paint(bold, clean(x.Name)), clean(x.Warning))
		return
	}
	fmt.Fprintf(c.out, "%s is watched, because of %s\n", p.paint(bold, clean(x.Name)), x.Why)
	for _, s := range x.Sources {
		fmt.Fprintln(c.out, "  "+clean(sourceWords(s)))
	}
	if x.Warning != "" {
		fmt.Fprintln(c.out, p.paint(yellow, "  "+clean(x.Warning)))
	}
	for _, dir := range x.Unreadable {
		fmt.Fprintln(c.out, p.paint(yellow, "  cannot be read, and so not watched: "+clean(dir)))
	}
	shown := x.Ignored
	if !o.all && len(shown) > ignoredShown {
		shown = shown[:ignoredShown]
	}
	if len(shown) > 0 {
		fmt.Fprintln(c.out, "Left out:")
	}
	for _, i := range shown {
		fmt.Fprintf(c.out, "  %s  %s\n", clean(i.Path), p.paint(grey, clean(i.Rule+" ("+i.Source+")")))
	}
	if more := len(x.Ignored) - len(shown) + x.More; more > 0 {
		fmt.Fprintf(c.out, "  and %d more\n", more)
	}
	c.writeLast(x)
}

func (c *cli) writeLast(x app.WatchExplanation) {
	if x.Last == nil {
		fmt.Fprintln(c.out, "No change has restarted it yet.")
		return
	}
	fmt.Fprintf(c.out, "%s so far; the last at %s by:\n", plural(x.Triggers, "change", "changes"), x.Last.At.Local().Format(time.DateTime))
	for _, path := range x.Last.Paths {
		fmt.Fprintln(c.out, "  "+clean(path))
	}
	if x.Last.More > 0 {
		fmt.Fprintf(c.out, "  and %d more\n", x.Last.More)
	}
}

// sourceWords says what is watched, and how.
func sourceWords(s app.WatchSource) string {
	if len(s.Singles) > 0 {
		return fmt.Sprintf("%s: %s", plural(len(s.Singles), "file", "files"), strings.Join(s.Singles[:min(len(s.Singles), ignoredShown)], ", "))
	}
	words := fmt.Sprintf("%s: %s in %s", s.Path, plural(s.Files, "file", "files"), plural(s.Dirs, "directory", "directories"))
	if s.Target != "" {
		words += ", which is " + s.Target
	}
	switch s.Mode {
	case app.WatchPoll:
		words += ", looked at now and then, because " + s.Why
	case app.WatchAbsent:
		words += ", not there"
	}
	return words
}
