package main

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gpm/app"
	"gpm/ecosystem"
)

// fileOptions are those of commands that take a file of apps.
type fileOptions struct {
	only      string
	strict    bool
	keepGoing bool
	action    app.Action // for apps that exist
}

func (o *fileOptions) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.only, "only", "", "of a file, only these `apps`: a,b")
	cmd.Flags().BoolVar(&o.strict, "strict", false, "of a file, unknown or doubtful settings are errors")
}

// defaultFiles are looked for in the working directory when no argument is given.
var defaultFiles = []string{
	"ecosystem.config.js", "ecosystem.config.cjs", "ecosystem.config.mjs", "ecosystem.config.ts",
	"ecosystem.json", "ecosystem.json5", "ecosystem.yml", "ecosystem.yaml", "ecosystem.toml", "Procfile",
}

// defaultFile returns the file of apps of a directory, "" without one.
func defaultFile(dir string) string {
	for _, name := range defaultFiles {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && info.Mode().IsRegular() {
			return name
		}
	}
	return ""
}

// splitFiles tells files of apps from other arguments. What exists as a process under such a name is still
// reached by its id.
func splitFiles(args []string) (files, rest []string) {
	for _, arg := range args {
		if ecosystem.IsFile(arg) {
			files = append(files, arg)
		} else {
			rest = append(rest, arg)
		}
	}
	return files, rest
}

// load reads a file and prints its warnings, and what a script in it printed.
func (c *cli) load(ctx context.Context, path string, s *settings, o fileOptions) (ecosystem.File, error) {
	file, err := ecosystem.Load(ctx, path, ecosystem.Options{
		Env: s.envName, Only: splitNames(o.only), Strict: o.strict, Environ: mergeEnviron(os.Environ(), nil),
		CPUs: runtime.NumCPU(), Stdin: os.Stdin, Engine: c.engine(),
	})
	if err != nil {
		return file, err
	}
	if len(file.Output) > 0 && !c.silent {
		if _, err := c.err.Write(file.Output); err != nil {
			return file, err
		}
	}
	for _, w := range file.Warnings {
		c.warn("%s", w)
	}
	return file, nil
}

func splitNames(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}

// applyFile starts the apps of a file, or gives those that exist their new settings.
func (c *cli) applyFile(ctx context.Context, path string, s *settings, o fileOptions) error {
	file, err := c.load(ctx, path, s, o)
	if err != nil {
		return err
	}
	environ := mergeEnviron(os.Environ(), nil)
	servers, err := staticApps(file.Static, environ)
	if err != nil {
		return err
	}
	file.Apps = append(file.Apps, servers...)
	if len(file.Apps) == 0 {
		return app.Errorf(app.CodeInvalid, "cannot start %s: it declares no apps", path)
	}
	req := app.ApplyRequest{Env: environ, Action: o.action, KeepGoing: o.keepGoing}
	for _, entry := range file.Apps {
		declared, err := c.declare(entry, environ, s)
		if err != nil {
			return err
		}
		req.Apps = append(req.Apps, declared)
	}
	client, err := c.connect(ctx)
	if err != nil {
		return err
	}
	return c.followTo(client.Apply(ctx, req), (*progress).sayLaunched)
}

// declare makes a declaration of an app of a file. Options of the command win over the file, but for the
// name, which would be that of every app, and as in pm2 the namespace.
func (c *cli) declare(entry ecosystem.AppEntry, environ map[string]string, s *settings) (app.Declared, error) {
	over := app.Fields{}
	for field := range s.set {
		given := entry.Set[field] || entry.Extra[field] != nil
		over[field] = field != "name" && !((field == "namespace" || s.mild[field]) && given)
	}
	defaults, missing, err := c.defaults()
	if err != nil {
		return app.Declared{}, err
	}
	spec, err := withServer(underlay(app.Merge(withUpkeep(withExtra(entry), entry.Extra), s.spec, over), defaults, missing, entry.Set, s.set))
	if err != nil {
		return app.Declared{}, err
	}
	d := app.Declared{Spec: spec, Set: entry.Set, Inherit: true, Place: entry.Place}
	if spec.ExecMode == app.Cluster && len(spec.Listen) > 0 { // not what runs the script decides, but the sockets
		d.Set = maps.Clone(d.Set)
		d.Set["exec_mode"] = true
	}
	if s.set["instances"] {
		d.Set = maps.Clone(d.Set)
		d.Set["instances"] = true
	}
	for name := range environ {
		if _, kept := spec.Env[name]; !kept { // filter_env
			d.Inherit = false
		}
	}
	if d.Inherit { // the environment crosses the socket once, not with every app
		d.Spec.Env = maps.Clone(spec.Env)
		maps.DeleteFunc(d.Spec.Env, func(name, value string) bool {
			inherited, ok := environ[name]
			return ok && inherited == value
		})
	}
	return d, checkSize([]string{spec.Script}, spec)
}

// withExtra adds to a spec what the file says in fields that the table of fields has no place for.
func withExtra(entry ecosystem.AppEntry) app.Spec {
	spec := entry.Spec
	spec.ShutdownWithMessage = spec.ShutdownWithMessage || entry.Extra["shutdown_with_message"] == true
	if spec.LogFormat == "" && entry.Extra["time"] == true {
		spec.LogFormat = app.TimeFormat
	}
	for field, to := range map[string]*string{"log_date_format": &spec.LogFormat, "log_type": &spec.LogType, "log_file": &spec.LogFile} {
		switch v := entry.Extra[field].(type) {
		case string:
			*to = v
		case bool:
			*to = strconv.FormatBool(v)
		}
	}
	return spec
}

// withUpkeep adds to a spec what the file says about restarts that nobody asks for by hand.
func withUpkeep(spec app.Spec, extra map[string]any) app.Spec {
	switch v := extra["watch"].(type) {
	case bool:
		if v {
			spec.Watch = []string{"."}
		}
	case []string:
		spec.Watch = v
	}
	if v, ok := extra["ignore_watch"].([]string); ok {
		spec.IgnoreWatch = v
	}
	if v, ok := extra["watch_delay"].(time.Duration); ok {
		spec.WatchDelay = v
	}
	if v, ok := extra["cron_restart"].(string); ok {
		spec.CronRestart = v
	}
	if v, ok := extra["max_memory_restart"].(int64); ok {
		spec.MaxMemoryRestart = v
	}
	return spec
}

// fileNames returns the names of the apps of a file that exist.
func (c *cli) fileNames(ctx context.Context, path string, s *settings, o fileOptions) ([]string, error) {
	file, err := c.load(ctx, path, s, o)
	if err != nil {
		return nil, err
	}
	list, err := c.known(ctx, nil)
	if err != nil {
		return nil, err
	}
	var found, missing []string
	for _, entry := range file.Apps {
		name := entry.Spec.Name
		switch {
		case !slices.ContainsFunc(list, func(st app.Status) bool { return st.Name == name }):
			missing = append(missing, name)
		case !slices.Contains(found, name):
			found = append(found, name)
		}
	}
	if len(found) == 0 {
		return nil, app.Errorf(app.CodeNotFound, "cannot find a process of %s: none of its apps is in the list", path).WithHint("gpm list shows what there is")
	}
	if len(missing) > 0 {
		c.warn("Not in the list: %s", strings.Join(missing, ", "))
	}
	return found, nil
}

// resolve replaces files among selectors by the names of their apps.
func (c *cli) resolve(ctx context.Context, args []string, s *settings, o fileOptions) ([]string, error) {
	var out []string
	for _, arg := range args {
		if !ecosystem.IsFile(arg) {
			out = append(out, arg)
			continue
		}
		names, err := c.fileNames(ctx, arg, s, o)
		if err != nil {
			return nil, err
		}
		out = append(out, names...)
	}
	return out, nil
}

// startOr is one of pm2's commands that start what is missing and do something to what exists.
func newStartOrCommand(c *cli, name, short string, action app.Action) *cobra.Command {
	o := fileOptions{action: action}
	var s *settings
	cmd := &cobra.Command{
		Use:   name + " [file]...",
		Short: short,
		RunE: func(cmd *cobra.Command, args []string) error {
			files, err := orDefaultFile(args)
			if err != nil {
				return err
			}
			return c.applyFiles(cmd.Context(), files, s, o)
		},
	}
	s = addSettings(cmd)
	o.addFlags(cmd)
	cmd.Flags().BoolVar(&o.keepGoing, "keep-going", false, "leave out apps that cannot be started")
	cmd.Flags().BoolP("update-env", "a", false, "has no effect: a file's environment is always taken")
	return cmd
}

func newStartOrCommands(c *cli) []*cobra.Command {
	return []*cobra.Command{
		newStartOrCommand(c, "startOrRestart", "Start the apps of a file, restart those that exist", app.ActionRestart),
		newStartOrCommand(c, "startOrReload", "Start the apps of a file, reload those that exist", app.ActionReload),
		newStartOrCommand(c, "startOrGracefulReload", "The same as startOrReload", app.ActionReload),
	}
}

// orDefaultFile returns the files named, or that of the working directory.
func orDefaultFile(args []string) ([]string, error) {
	if len(args) > 0 {
		return args, nil
	}
	dir, err := os.Getwd()
	if err == nil {
		if name := defaultFile(dir); name != "" {
			return []string{name}, nil
		}
	}
	return nil, app.Errorf(app.CodeInvalid, "cannot start: no script, program or name given, and there is no ecosystem.config.js here").
		WithHint("gpm start app.js, or gpm start ./server -- its arguments; gpm init writes an ecosystem.config.js")
}

// applyFiles applies files one after the other, stops at the first that fails, and shows the list.
func (c *cli) applyFiles(ctx context.Context, files []string, s *settings, o fileOptions) error {
	var err error
	for _, file := range files {
		if err = c.applyFile(ctx, file, s, o); err != nil {
			break
		}
	}
	client, clientErr := c.client()
	if clientErr != nil {
		return clientErr
	}
	return c.finish(ctx, client, err)
}
