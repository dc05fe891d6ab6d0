package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gpm/app"
)

// defaultProfile is how long a profile takes unless told otherwise.
const defaultProfile = 10 * time.Second

type examineOptions struct {
	file string
	json bool
}

func newHeapCommand(c *cli) *cobra.Command {
	var o examineOptions
	cmd := &cobra.Command{
		Use:   "heap <id|name|namespace|all>",
		Short: "Write a snapshot of the heap of Node processes, for Chrome DevTools",
		Long: `Write a snapshot of the heap of Node processes, which the Memory tab of Chrome DevTools loads. A process stands still
while it writes, and needs about twice its heap. The file holds whatever secrets the process does.`,
		Args:              arguments(1, 1, "<id|name|namespace|all>"),
		ValidArgsFunction: c.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			return examine(c, cmd, app.InspectRequest{Selectors: args, What: app.InspectHeap}, o)
		},
	}
	o.addFlags(cmd)
	return cmd
}

func newProfileCommand(c *cli) *cobra.Command {
	var o examineOptions
	var cpu, heap bool
	cmd := &cobra.Command{
		Use:   "profile <id|name|namespace|all> [time]",
		Short: "Profile Node processes for a while, for Chrome DevTools",
		Long: `Profile Node processes for a while (10s unless told otherwise): --cpu says where they spend their time (a .cpuprofile, for
the Performance tab of Chrome DevTools), --heap which functions allocate memory (a .heapprofile, for the Memory tab).`,
		Example:           "  gpm profile api --cpu 30s\n  gpm profile 3 --heap 5m -o leak.heapprofile",
		Args:              arguments(1, 2, "<id|name|namespace|all> [time]"),
		ValidArgsFunction: c.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			req := app.InspectRequest{Selectors: args[:1], What: app.InspectCPUProfile, Time: defaultProfile}
			if cpu && heap {
				return app.Errorf(app.CodeInvalid, "cannot write two profiles at once").WithHint("give --cpu or --heap, not both")
			}
			if heap {
				req.What = app.InspectHeapProfile
			}
			if len(args) == 2 {
				var err error
				if req.Time, err = profileTime(args[1]); err != nil {
					return err
				}
			}
			c.aside("Profiling for %s", span(req.Time))
			return examine(c, cmd, req, o)
		},
	}
	cmd.Flags().BoolVar(&cpu, "cpu", false, "where the time goes (default)")
	cmd.Flags().BoolVar(&heap, "heap", false, "what allocates memory")
	o.addFlags(cmd)
	return cmd
}

// maxProfile is as long as an agent can profile.
const maxProfile = time.Hour

func profileTime(text string) (time.Duration, error) {
	d, err := parseDuration(text)
	if err == nil && (d <= 0 || d > maxProfile) {
		err = errors.New("not more than 0 and at most an hour")
	}
	if err != nil {
		return 0, app.Errorf(app.CodeInvalid, "cannot profile for %q: %w", text, err)
	}
	return d, nil
}

func newModulesCommand(c *cli) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:               "modules <id|name|namespace|all>",
		Short:             "Show which files Node processes have loaded",
		Args:              arguments(1, 1, "<id|name|namespace|all>"),
		ValidArgsFunction: c.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			return examine(c, cmd, app.InspectRequest{Selectors: args, What: app.InspectModules}, examineOptions{json: asJSON})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, an object for each process")
	return cmd
}

func (o *examineOptions) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&o.file, "output", "o", "", "the `file` to write; it must not exist (default: a name of its own in this directory)")
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON, an object for each process")
}

// examine prints what came of an inspection of each process.
func examine(c *cli, cmd *cobra.Command, req app.InspectRequest, o examineOptions) (err error) {
	if req.Dir, err = os.Getwd(); err != nil {
		return err
	}
	if o.file != "" {
		if req.File, err = filepath.Abs(o.file); err != nil {
			return err
		}
	}
	client, err := c.connect(cmd.Context())
	if err != nil {
		return err
	}
	failed := false
	files := map[string]bool{}
	for r, err := range client.Inspect(cmd.Context(), req) {
		switch {
		case err != nil:
			return err
		case o.json:
			err = c.printJSON(r)
		case r.Error != nil:
			c.fail(r.Error)
		case r.File != "":
			c.say("[%s](%d) %s, %s", r.Name, r.ID, r.File, size(r.Size))
		}
		if err != nil {
			return err
		}
		failed = failed || r.Error != nil
		for _, f := range r.Modules {
			files[f] = true
		}
	}
	if !o.json {
		c.printModules(files)
	}
	if failed {
		return reported{}
	}
	return nil
}

// printModules prints each file once, though several workers have loaded it.
func (c *cli) printModules(files map[string]bool) {
	list := make([]string, 0, len(files))
	for f := range files {
		list = append(list, clean(f))
	}
	slices.Sort(list)
	if len(list) > 0 {
		fmt.Fprintln(c.out, strings.Join(list, "\n"))
	}
}
