package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"gpm/app"
	"gpm/deploy"
	"gpm/ecosystem"
)

func newDeployCommand(c *cli) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "deploy [file] <environment> [setup|update|revert [n]|current|previous|list|ref <ref>|exec \"<command>\"|config [key]]",
		Short: "Put a repository onto servers, as the deploy section of a file says",
		Example: `  gpm deploy production setup
  gpm deploy production
  gpm deploy ecosystem.config.js production revert 1`,
		Args: arguments(1, -1, "<environment>"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if force {
				args = append(args, "--force")
			}
			return deployFunc(c, cmd, args)
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "although there are changes that the servers will not see")
	return cmd
}

func deployFunc(c *cli, cmd *cobra.Command, args []string) error {
	var path string
	if ecosystem.IsFile(args[0]) {
		path, args = args[0], args[1:]
	} else if path = deployFile(); path == "" {
		return app.Errorf(app.CodeInvalid, "cannot deploy: there is no ecosystem.config.js here").WithHint("gpm deploy <file> <environment>")
	}
	file, err := c.load(cmd.Context(), path, &settings{}, fileOptions{})
	if err != nil {
		return err
	}
	target, words, err := deployTarget(file.Deploy, path, args)
	if err != nil {
		return err
	}
	if len(words) > 0 && words[0] == "config" {
		section, _ := file.Deploy[target.Name].(map[string]any) // deployTarget saw to it
		return c.printDeployConfig(section, words[1:])
	}
	if target.PostDeploy == "" { // pm2's
		target.PostDeploy = c.command(fmt.Sprintf("gpm startOrRestart %s --env %s", filepath.Base(path), target.Name))
	}
	command, err := deploy.ParseCommand(words)
	if err != nil {
		return err
	}
	steps, err := deploy.Plan(target, command)
	if err != nil {
		return err
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return err
	}
	runner := deploy.Runner{Dir: dir, Stdin: os.Stdin, Stdout: c.out, Stderr: c.err, Begin: func(s deploy.Step) {
		if s.Host != "" {
			c.say("%s on host %s", s.Title, s.Host)
		} else {
			c.say("%s", s.Title)
		}
	}}
	return runner.Run(cmd.Context(), steps)
}

// printDeployConfig prints what a file says of an environment, or one value of it.
func (c *cli) printDeployConfig(section map[string]any, keys []string) error {
	shown := maps.Clone(section)
	if env, ok := shown["env"].(map[string]any); ok {
		env = maps.Clone(env)
		for name, value := range env {
			env[name] = maskValue(name, fmt.Sprint(value))
		}
		shown["env"] = env
	}
	if len(keys) == 0 {
		return c.printJSON(shown)
	}
	value, ok := shown[keys[0]]
	if !ok {
		return app.Errorf(app.CodeNotFound, "cannot find %q in this environment", keys[0]).
			WithHint("it has %s", strings.Join(slices.Sorted(maps.Keys(shown)), ", "))
	}
	if text, ok := value.(string); ok {
		_, err := fmt.Fprintln(c.out, text)
		return err
	}
	return c.printJSON(value)
}

// deployFile is the file of the working directory that deploy reads.
func deployFile() string {
	if name := defaultFile("."); name != "" {
		return name
	}
	if exists("package.json") {
		return "package.json"
	}
	return ""
}

// environments says which there are to deploy to.
func environments(section map[string]any) string {
	if len(section) == 0 {
		return "it has no deploy section: deploy: { production: { user, host, ref, repo, path } }"
	}
	return "it has " + strings.Join(slices.Sorted(maps.Keys(section)), ", ")
}

// deployTarget finds the environment that the first argument names.
func deployTarget(section map[string]any, path string, args []string) (deploy.Target, []string, error) {
	if len(args) == 0 {
		return deploy.Target{}, nil, app.Errorf(app.CodeInvalid, "cannot deploy: no environment named").
			WithHint("%s", environments(section))
	}
	raw, ok := section[args[0]].(map[string]any)
	if !ok {
		return deploy.Target{}, nil, app.Errorf(app.CodeNotFound, "cannot deploy %q: %s has no such environment in its deploy section", args[0], path).
			WithHint("%s", environments(section))
	}
	target, err := deploy.ParseTarget(args[0], raw)
	return target, args[1:], err
}
