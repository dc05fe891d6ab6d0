package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"gpm/app"
	"gpm/ecosystem"
	"gpm/pm2"
)

// conf opens module_conf.json, the settings that set and get are about.
func (c *cli) conf() (*pm2.Conf, error) {
	home, err := c.home()
	if err != nil {
		return nil, err
	}
	if err := prepareHome(home); err != nil {
		return nil, err
	}
	return pm2.OpenConf(pm2.Locate(home, os.Getenv).Conf)
}

func newConfCommands(c *cli) []*cobra.Command {
	command := func(use, short string, least, most int, run func(ctx context.Context, args []string) error) *cobra.Command {
		return &cobra.Command{
			Use: use, Short: short, Args: arguments(least, most, use[strings.Index(use, " ")+1:]),
			RunE: func(cmd *cobra.Command, args []string) error { return run(cmd.Context(), args) },
		}
	}
	show := func(context.Context, []string) error { return c.printConf() }
	return []*cobra.Command{
		command("set [key] [value]", "Set a value of the configuration, module:key; without arguments show it", 0, 2, c.setConf),
		command("multiset <\"key value key value\">", "Set several values", 1, -1, c.multisetConf),
		command("get [key]", "Show a value of the configuration, or all", 0, 1, c.getConf),
		command("conf [key] [value]", "Show the configuration", 0, 2, show),
		command("config <key> [value]", "Show or set a value of the configuration", 1, 2, c.setConf),
		command("unset <key>", "Remove a value of the configuration", 1, 1, c.unsetConf),
	}
}

func (c *cli) printConf() error {
	conf, err := c.conf()
	if err != nil {
		return err
	}
	return c.printConfLines(conf.Lines())
}

// printConfLines prints settings as the commands that make them.
func (c *cli) printConfLines(lines []string) error {
	module := ""
	for _, line := range lines {
		key, value, _ := strings.Cut(line, " ")
		if of, _, ok := strings.Cut(key, ":"); ok && of != module && c.role == asPM2 {
			module = of
			fmt.Fprintf(c.out, "Module: %s\n", clean(module))
		}
		if _, err := fmt.Fprintf(c.out, "$ %s set %s %s\n", strings.ToLower(string(c.role)), clean(key), clean(maskValue(key[strings.LastIndexAny(key, ":.")+1:], value))); err != nil {
			return err
		}
	}
	return nil
}

func (c *cli) getConf(_ context.Context, args []string) error {
	if len(args) == 0 {
		return c.printConf()
	}
	conf, err := c.conf()
	if err != nil {
		return err
	}
	value, ok := conf.Get(args[0])
	if !ok {
		return app.Errorf(app.CodeNotFound, "cannot find setting %q", args[0]).WithHint("gpm conf lists them")
	}
	module, name, inModule := strings.Cut(strings.ReplaceAll(args[0], ".", ":"), ":")
	_, isTree := value.(map[string]any)
	switch {
	case isTree && c.role == asPM2:
		if err := c.printConfLines(slices.DeleteFunc(conf.Lines(), func(line string) bool { return !strings.HasPrefix(line, args[0]+":") })); err != nil {
			return err
		}
		_, err = fmt.Fprintln(c.out, "Modules configuration. Copy/Paste line to edit values.")
	case isTree:
		err = c.printJSON(value)
	case inModule && c.role == asPM2:
		_, err = fmt.Fprintf(c.out, "Value for module %s key %s: %s\n", module, name, value)
	default:
		_, err = fmt.Fprintln(c.out, value)
	}
	return err
}

func (c *cli) setConf(ctx context.Context, args []string) error {
	if len(args) < 2 {
		return c.getConf(ctx, args)
	}
	conf, err := c.conf()
	if err != nil {
		return err
	}
	if err := conf.Set(args[0], args[1]); err != nil {
		return err
	}
	if c.role == asPM2 {
		c.say("Setting changed")
	}
	if err := c.tellApp(ctx, conf, args[0]); err != nil {
		return err
	}
	return c.printConfLines(conf.Lines())
}

func (c *cli) multisetConf(ctx context.Context, args []string) error {
	words, err := ecosystem.SplitWords(strings.Join(args, " "))
	if err != nil || len(words)%2 != 0 {
		return app.Errorf(app.CodeInvalid, "cannot set %q: not pairs of key and value", strings.Join(args, " "))
	}
	for i := 0; i < len(words); i += 2 {
		if err := c.setConf(ctx, words[i:i+2]); err != nil {
			return err
		}
	}
	return nil
}

func (c *cli) unsetConf(_ context.Context, args []string) error {
	conf, err := c.conf()
	if err != nil {
		return err
	}
	if err := conf.Unset(args[0]); errors.Is(err, app.ErrNotFound) {
		c.warn("%s", app.AsError(err).Message) // as pm2: what is not there is unset already
	} else if err != nil {
		return err
	}
	return c.printConfLines(conf.Lines())
}

// tellApp restarts the app that a setting belongs to, if there is one, with the settings in its environment.
func (c *cli) tellApp(ctx context.Context, conf *pm2.Conf, key string) error {
	name, _, ok := strings.Cut(strings.ReplaceAll(key, ".", ":"), ":")
	if !ok {
		return nil
	}
	list, err := c.known(ctx, []string{name})
	if err != nil || len(list) == 0 || list[0].Name != name {
		return err
	}
	return c.act(ctx, app.ActionRequest{
		Action: app.ActionRestart, Selectors: []string{name}, UpdateEnv: true,
		Spec: &app.Spec{Env: conf.Env(name)}, Set: app.Fields{"env": true},
	})
}
