package main

import (
	"context"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"gpm/app"
)

type startOptions struct {
	*settings
	fileOptions
	force     bool
	updateEnv bool
	attach    bool
	noDaemon  bool
	write     bool
}

func newStartCommand(c *cli) *cobra.Command {
	var o startOptions
	cmd := &cobra.Command{
		Use:   "start [script|program|\"command line\"|file|name|id]... [-- args]",
		Short: "Start programs and keep them up",
		Long: `Start programs and keep them up. A file of apps is an ecosystem file as pm2 knows it, in JavaScript, TypeScript,
JSON, YAML or TOML, a package.json or a Procfile; - is standard input. Apps of it that are in the list already, by
name, are restarted with its settings. It is applied whole or not at all. Without an argument it
is ecosystem.config.js.`,
		Example: `  gpm start app.js --name web -i max
  gpm start ecosystem.config.js --only web,api --env production
  gpm start ./server -- --port 8080
  gpm start "npm run dev"
  gpm start python3 --name files -- -m http.server 8000`,
		ValidArgsFunction: func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
			return c.names(cmd.Context()), cobra.ShellCompDirectiveDefault // files too
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.noDaemon && c.isFree() {
				return runtimeFunc(c, cmd, args, runtimeOptions{startOptions: o, noAutoExit: true})
			}
			return c.attachIf(cmd.Context(), o.attach || o.noDaemon, func() error { return startFunc(c, cmd, args, o) })
		},
	}
	o.settings = addSettings(cmd)
	o.addFlags(cmd)
	cmd.Flags().BoolVar(&o.keepGoing, "keep-going", false, "of a file, leave out apps that cannot be started")
	cmd.Flags().BoolVar(&o.attach, "attach", false, "then show the output from its start, until interrupted")
	cmd.Flags().BoolVar(&o.noDaemon, "no-daemon", false, "stay in the foreground, as gpm runtime does")
	cmd.Flags().BoolVarP(&o.write, "write", "w", false, "write the settings as NAME-pm2.json, which start reads")
	cmd.Flags().BoolVarP(&o.force, "force", "f", false, "start a second copy of a script that runs already")
	cmd.Flags().BoolVarP(&o.updateEnv, "update-env", "a", false, "an app that exists takes this environment")
	return cmd
}

func startFunc(c *cli, cmd *cobra.Command, args []string, o startOptions) error {
	var targets []string
	targets, o.spec, _ = splitTargets(args, cmd.ArgsLenAtDash(), o.settings)
	if len(targets) == 0 {
		var err error
		if targets, err = orDefaultFile(targets); err != nil {
			return err
		}
	}
	files, rest := splitFiles(targets)
	if len(files) > 0 {
		if err := c.applyFiles(cmd.Context(), files, o.settings, o.fileOptions); err != nil || len(rest) == 0 {
			return err
		}
	}
	return c.startTargets(cmd.Context(), rest, o)
}

// startTargets starts what is named on the command line itself.
func (c *cli) startTargets(ctx context.Context, targets []string, o startOptions) error {
	if err := o.noEnvName(); err != nil && c.role != asPM2 {
		return err
	} else if err != nil { // pm2 starts it all the same, and many scripts say it
		c.warn("%s", app.AsError(err).Message)
	}
	req, err := startRequest(targets, -1, o, os.Environ())
	if err != nil {
		return err
	}
	if err := c.addDefaults(&req); err != nil {
		return err
	}
	client, err := c.connect(ctx)
	if err != nil {
		return err
	}
	err = c.followTo(client.Start(ctx, req), (*progress).sayDone)
	if o.write && err == nil {
		err = c.writeFiles(ctx, client, o.settings)
	}
	return c.finish(ctx, client, err)
}

// addDefaults names the defaults of new apps where they are not gpm's.
func (c *cli) addDefaults(req *app.StartRequest) error {
	if c.role == asGPM {
		return nil
	}
	defaults, _, err := c.defaults()
	req.Default = &defaults
	return err
}

// startRequest makes a request of a command line. dash is the number of arguments before "--", or
// -1 without one.
func startRequest(args []string, dash int, o startOptions, environ []string) (app.StartRequest, error) {
	targets, spec, set := splitTargets(args, dash, o.settings)
	if len(targets) == 0 {
		return app.StartRequest{}, app.Errorf(app.CodeInvalid, "cannot start: no script, program or name given").
			WithHint("gpm start app.js, or gpm start ./server -- its arguments")
	}
	if spec.Cwd == "" {
		dir, err := os.Getwd()
		if err != nil {
			return app.StartRequest{}, app.Errorf(app.CodeInvalid, "cannot start: no working directory: %w", err).
				WithHint("give --cwd")
		}
		spec.Cwd = dir
	}
	spec.Env = mergeEnviron(environ, spec.Env)
	if o.updateEnv {
		set["env"] = true
	}
	if err := checkSize(targets, spec); err != nil {
		return app.StartRequest{}, err
	}
	return app.StartRequest{Targets: targets, Spec: spec, Set: set, Force: o.force}, nil
}

// splitTargets separates what to act on from the program's own arguments.
func splitTargets(args []string, dash int, s *settings) ([]string, app.Spec, app.Fields) {
	spec := s.spec
	if dash < 0 {
		return args, spec, s.set
	}
	spec.Args = args[dash:]
	s.set["args"] = true
	return args[:dash], spec, s.set
}

// mergeEnviron returns an environment as a map, with some variables replaced.
func mergeEnviron(environ []string, over map[string]string) map[string]string {
	env := make(map[string]string, len(environ)+len(over))
	for _, kv := range environ {
		if name, value, ok := strings.Cut(kv, "="); ok && name != "" { // Windows has names that begin with "="
			env[name] = value
		}
	}
	for name, value := range over {
		env[name] = value
	}
	return env
}

// maxProgram is what execve(2) takes by default of arguments and environment together.
const maxProgram = 2 << 20

// checkSize refuses what could never be executed before it is sent anywhere.
func checkSize(targets []string, spec app.Spec) error {
	arguments, environment := 0, 0
	for _, s := range append(append(targets[:len(targets):len(targets)], spec.Args...), spec.InterpreterArgs...) {
		arguments += len(s) + 1
	}
	for name, value := range spec.Env {
		environment += len(name) + len(value) + 2
	}
	if arguments+environment <= maxProgram {
		return nil
	}
	return app.Errorf(app.CodeInvalid, "cannot start %.40q: arguments (%s) and environment (%s) are more than a program can be given (%s)",
		targets[0], size(int64(arguments)), size(int64(environment)), size(maxProgram)).
		WithHint("pass the data in a file")
}
