package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"gpm/app"
)

// elsewhere are commands of pm2 that gpm answers in one sentence.
var elsewhere = []struct {
	names []string
	why   string
	hint  string
	ok    []string // first arguments with which there is nothing to do; "" = without an argument
}{
	{[]string{"link"}, "pm2.io is not supported", "gpm metrics and logs stay on this machine", []string{"delete", "stop"}},
	{[]string{"unlink"}, "", "", []string{""}},
	{[]string{"plus", "register", "login", "logout", "open", "monitor", "unmonitor"}, "pm2.io is not supported", "gpm list and gpm why tell how apps are", nil},
	{[]string{"install-otel", "uninstall-otel"}, "nothing is installed into apps", "add the tracing packages to the app's own package.json", nil},
	{[]string{"install", "uninstall", "module:install", "module:uninstall", "module:update", "module:generate", "module:publish", "publish", "package", "autoinstall"},
		"there are no modules", "what pm2's modules do is built in, or an app of its own", []string{"pm2-logrotate", "pm2-auto-pull"}},
	{[]string{"deepUpdate"}, "gpm does not install itself", "put the new binary in the place of the old one", nil},
	{[]string{"create"}, "there are no sample projects", "gpm init writes an ecosystem.config.js", nil},
	{[]string{"profile:cpu", "profile:mem"}, "the daemon is no Node program", "profile the app itself: gpm profile <app> --cpu or --heap", nil},
	{[]string{"logrotate"}, "log files are rotated by themselves", "gpm start --help shows the options of it: --log-max-size and others", []string{"", "-u", "--user"}},
}

func elsewhereNames() string {
	var names []string
	for _, e := range elsewhere {
		names = append(names, e.names...)
	}
	return strings.Join(names, " ")
}

func newElsewhereCommands(c *cli) []*cobra.Command {
	var out []*cobra.Command
	for _, e := range elsewhere {
		for _, name := range e.names {
			out = append(out, &cobra.Command{
				Use: name, Hidden: true, Short: "Known to pm2: " + e.why, DisableFlagParsing: true,
				RunE: func(_ *cobra.Command, args []string) error {
					first := ""
					if len(args) > 0 {
						first = args[0]
					}
					if slices.Contains(e.ok, first) {
						c.say("Nothing to do")
						return nil
					}
					return app.Errorf(app.CodeInvalid, "cannot %s: %s", name, e.why).WithHint("%s", e.hint)
				},
			})
		}
	}
	return out
}
