package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"gpm/app"
	"gpm/ecosystem"
	"gpm/static"
)

// staticServer is the argument with which gpm is a server of files, and the worker of gpm serve.
const staticServer = "static-server"

// serveScript is the script of an ecosystem file that means the same.
const serveScript = "serve"

// serveGrace is how long answers may take that are under way when the server is stopped.
const serveGrace = 4 * time.Second

type serveOptions struct {
	*settings
	files    ecosystem.Static
	homepage string
}

func newServeCommand(c *cli) *cobra.Command {
	var o serveOptions
	cmd := &cobra.Command{
		Use:     "serve [path] [port]",
		Aliases: []string{"expose"},
		Short:   "Start a server of a folder's files",
		Long: `Start a server of a folder's files: the working directory on port 8080 where nothing else is said. It knows ranges,
compression and conditional requests, and shows nothing that is outside the folder. With -i, several processes share
the port.`,
		Example: `  gpm serve dist 3000 --spa --name front
  gpm serve dist 3000 -i 2`,
		Args: arguments(0, 2, ""),
		RunE: func(cmd *cobra.Command, args []string) error { return serveFunc(c, cmd.Context(), args, o) },
	}
	o.settings = addSettings(cmd)
	f := cmd.Flags()
	f.IntVar(&o.files.Port, "port", 0, "port to listen on (default 8080)")
	f.StringVar(&o.files.Host, "host", "", "`address` to listen on (default all)")
	f.BoolVar(&o.files.SPA, "spa", false, "unknown pages show the homepage")
	f.BoolVar(&o.files.FTP, "ftp", false, "show what is in a folder without index.html")
	f.StringVar(&o.homepage, "homepage", "", "`page` that / shows (default /index.html)")
	f.StringVar(&o.files.Username, "basic-auth-username", "", "ask for this user `name` …")
	f.StringVar(&o.files.Password, "basic-auth-password", "", "… and this `password`")
	f.BoolVar(&o.files.Monitor, "monitor", false, "")
	_ = f.MarkHidden("monitor") // pm2.io
	return cmd
}

func serveFunc(c *cli, ctx context.Context, args []string, o serveOptions) (err error) {
	if len(args) > 0 {
		o.files.Directory = args[0]
	}
	if len(args) > 1 {
		if o.files.Port, err = strconv.Atoi(args[1]); err != nil {
			return app.Errorf(app.CodeInvalid, "cannot serve on port %q: not a number", args[1])
		}
	}
	o.files.Name = o.spec.Name
	environ := mergeEnviron(os.Environ(), nil)
	entry, err := staticApp(o.files, environ)
	if err != nil {
		return err
	}
	if o.homepage != "" {
		entry.Spec.Env["PM2_SERVE_HOMEPAGE"] = o.homepage
	}
	declared, err := c.declare(entry, environ, o.settings)
	if err != nil {
		return err
	}
	// What cannot be served is said here and not in a log file.
	if _, _, err := static.FromEnv(func(name string) string { return entry.Spec.Env[name] }); err != nil {
		return err
	}
	client, err := c.connect(ctx)
	if err != nil {
		return err
	}
	c.say("Serving %s on port %s", entry.Spec.Env["PM2_SERVE_PATH"], entry.Spec.Env["PM2_SERVE_PORT"])
	req := app.ApplyRequest{Env: environ, Apps: []app.Declared{declared}}
	return c.finish(ctx, client, c.follow(client.Apply(ctx, req)))
}

// staticApps are the servers of the "static" part of a file.
func staticApps(list []ecosystem.Static, environ map[string]string) ([]ecosystem.AppEntry, error) {
	var out []ecosystem.AppEntry
	for _, s := range list {
		entry, err := staticApp(s, environ)
		if err != nil {
			return nil, err
		}
		out = append(out, entry)
	}
	return out, nil
}

// staticApp is the app that serves a folder; its server reads pm2's variables.
func staticApp(s ecosystem.Static, environ map[string]string) (ecosystem.AppEntry, error) {
	dir, err := filepath.Abs(cmp.Or(s.Directory, s.Path, "."))
	if err != nil {
		return ecosystem.AppEntry{}, err
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return ecosystem.AppEntry{}, app.Errorf(app.CodeNotFound, "cannot serve %q: there is no such folder", dir)
	}
	s.Port = cmp.Or(s.Port, 8080)
	env := maps.Clone(environ)
	maps.Copy(env, map[string]string{
		"PM2_SERVE_PATH": dir, "PM2_SERVE_PORT": strconv.Itoa(s.Port), "PM2_SERVE_HOST": s.Host,
		"PM2_SERVE_SPA": strconv.FormatBool(s.SPA), "PM2_SERVE_FTP": strconv.FormatBool(s.FTP),
	})
	if s.Username != "" || s.Password != "" {
		maps.Copy(env, map[string]string{
			"PM2_SERVE_BASIC_AUTH": "true", "PM2_SERVE_BASIC_AUTH_USERNAME": s.Username, "PM2_SERVE_BASIC_AUTH_PASSWORD": s.Password,
		})
	}
	return ecosystem.AppEntry{
		Set: app.Fields{"script": true, "env": true},
		Spec: app.Spec{
			Name: cmp.Or(s.Name, fmt.Sprintf("static-page-server-%d", s.Port)), Script: serveScript, Cwd: dir, Env: env,
			Instances: 1, ExecMode: app.Fork, Policy: app.DefaultPolicy(),
		},
	}, nil
}

// withServer replaces the script serve, unless there is a file of that name.
func withServer(spec app.Spec) (app.Spec, error) {
	if spec.Script != serveScript || exists(filepath.Join(spec.Cwd, serveScript)) {
		return spec, nil
	}
	exe, err := os.Executable()
	if err != nil {
		return spec, app.Errorf(app.CodeInternal, "cannot find gpm's own file: %w", err)
	}
	spec.Script, spec.Args, spec.Interpreter = exe, []string{staticServer}, "none"
	if spec.Instances > 1 || spec.ExecMode == app.Cluster { // they share the port, and a reload loses no request
		_, addr, err := static.FromEnv(func(name string) string { return spec.Env[name] })
		if err != nil {
			return spec, err
		}
		spec.ExecMode, spec.Listen = app.Cluster, []string{"tcp://" + addr}
	}
	return spec, nil
}

// serveFiles is the worker: it serves what the variables PM2_SERVE_… say, until it is asked to stop.
func serveFiles() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	options, addr, err := static.FromEnv(os.Getenv)
	if err != nil {
		return err
	}
	handler, err := static.New(options)
	if err != nil {
		return err
	}
	defer handler.Close()
	var listener net.Listener
	if listener, err = static.Listen(addr, os.Getenv); err != nil {
		return err
	}
	fmt.Printf("Exposing %s directory on %s\n", options.Path, listener.Addr())
	return static.Serve(ctx, listener, handler, serveGrace)
}
