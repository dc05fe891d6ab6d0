package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"gpm/app"
)

// initFile is where init writes, and where start looks first.
const initFile = "ecosystem.config.js"

const simpleEcosystem = `module.exports = {
  apps : [{
    name   : "app1",
    script : "./app.js"
  }]
}
`

const fullEcosystem = `module.exports = {
  apps : [{
    name   : "app1",
    script : "./app.js",

    // instances : "max",     // one process for each CPU, sharing the port
    // exec_mode : "cluster",
    // cwd       : "/srv/app1",
    // args      : ["--port", "3000"],

    // restart
    // max_restarts : 16,     // unstable runs in a row before it is given up
    // min_uptime   : "1s",   // a shorter run is unstable
    // kill_timeout : 5000,   // ms between the request to stop and SIGKILL

    env: {
      NODE_ENV: "development",
    },
    // gpm start --env production
    env_production: {
      NODE_ENV: "production",
    }
  }],

  // gpm deploy production setup, then gpm deploy production
  deploy : {
    production : {
      user : "SSH_USERNAME",
      host : "SSH_HOSTMACHINE",
      ref  : "origin/main",
      repo : "GIT_REPOSITORY",
      path : "DESTINATION_PATH",
      "post-deploy" : "npm ci && gpm reload ecosystem.config.js --env production"
    }
  }
}
`

func newInitCommand(c *cli) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:     "init [simple]",
		Aliases: []string{"ecosystem"},
		Short:   "Write an " + initFile + " to begin with",
		Args:    arguments(0, 1, "[simple]"),
		RunE: func(_ *cobra.Command, args []string) error {
			text := fullEcosystem
			if len(args) > 0 && args[0] == "simple" {
				text = simpleEcosystem
			}
			return c.writeEcosystem(text, force)
		},
	}
	cmd.Flags().BoolVarP(&force, "force", "f", false, "replace one that is there")
	return cmd
}

// writeEcosystem never overwrites unasked what somebody has written.
func (c *cli) writeEcosystem(text string, force bool) (err error) {
	flags := os.O_CREATE | os.O_WRONLY | os.O_EXCL
	if force {
		flags = os.O_CREATE | os.O_WRONLY | os.O_TRUNC
	}
	f, err := os.OpenFile(initFile, flags, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return app.Errorf(app.CodeConflict, "cannot write %s: there is one already", initFile).WithHint("gpm init --force replaces it")
	}
	if err != nil {
		return app.Errorf(app.CodeInvalid, "cannot write %s: %w", initFile, err)
	}
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Close()); err != nil {
		return app.Errorf(app.CodeStorage, "cannot write %s: %w", initFile, err)
	}
	path, err := filepath.Abs(initFile)
	c.say("File %s generated", path)
	return err
}
