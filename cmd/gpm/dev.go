package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"gpm/app"
	"gpm/ipc"
)

func newDevCommand(c *cli) *cobra.Command {
	var o runtimeOptions
	cmd := &cobra.Command{
		Use:   "dev <script|file> [-- args]",
		Short: "Run programs in the foreground and restart them when a file changes",
		Long: `Run programs in the foreground, print what they print, and restart them when a file below their directory changes.
A program that ends waits for the next change. Keys: r restarts all, q ends; so does Ctrl-C. Everything is in a
home of its own, which is removed in the end: what runs elsewhere is not touched.`,
		Example: `  gpm dev app.js
  gpm dev app.js --watch=src --ignore-watch "*.test.js"
  gpm dev ecosystem.config.js`,
		RunE: func(cmd *cobra.Command, args []string) error { return devFunc(c, cmd, args, o) },
	}
	o.settings = addSettings(cmd)
	o.addFlags(cmd)
	return cmd
}

func devFunc(c *cli, cmd *cobra.Command, args []string, o runtimeOptions) (err error) {
	targets, spec, _ := splitTargets(args, cmd.ArgsLenAtDash(), o.settings)
	if o.spec = spec; len(targets) == 0 {
		if targets, err = orDefaultFile(targets); err != nil {
			return err
		}
	}
	o.bound()
	o.milden()
	home, err := os.MkdirTemp("", "gpm-dev-")
	if err != nil {
		return app.Errorf(app.CodeStorage, "cannot make a home for gpm dev: %w", err)
	}
	c.homeFlag = home
	defer func() { err = errors.Join(err, os.RemoveAll(home)) }()
	lock, err := c.own(true)
	if err != nil {
		return err
	}
	defer lock.Close()
	ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGHUP) // the terminal was closed
	defer stop()
	silent := c.silent
	c.silent = true
	client, err := c.connect(ctx)
	if err != nil {
		return err
	}
	defer func() { c.silent = true; err = errors.Join(c.endAll(client), err) }()
	if err := c.launchAll(ctx, client, targets, o); err != nil {
		return unlessInterrupted(ctx, err)
	}
	c.silent = silent
	return c.develop(ctx, client, o)
}

// devKillTimeout is short: whoever waits is a person.
const devKillTimeout = 2 * time.Second

// milden adds what is different in development, where neither the command nor the file says otherwise.
func (o *runtimeOptions) milden() {
	o.mild = app.Fields{}
	for field, put := range map[string]func(*app.Spec){
		"watch":                 func(s *app.Spec) { s.Watch = []string{"."} },
		"policy.no_autorestart": func(s *app.Spec) { s.Policy.NoAutorestart = true },
		"policy.kill_timeout":   func(s *app.Spec) { s.Policy.KillTimeout = devKillTimeout },
	} {
		if !o.set[field] {
			put(&o.spec)
			o.set[field], o.mild[field] = true, true
		}
	}
}

// develop prints and obeys until the user has enough.
func (c *cli) develop(ctx context.Context, client *ipc.Client, o runtimeOptions) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	restore := rawKeys(os.Stdin)
	defer restore()
	c.say("Watching for changes; press r to restart, q to quit")
	out := &sharedWriter{w: c.out}
	var parts sync.WaitGroup
	defer parts.Wait()
	parts.Go(func() { c.printLines(ctx, client, o, out) })
	parts.Go(func() { c.printChanges(ctx, client, out) })
	keys := make(chan byte)
	go readKeys(os.Stdin, keys) // ends with the process: a read of a terminal cannot be taken back
	for {
		select {
		case <-ctx.Done():
			return nil
		case key, ok := <-keys:
			switch {
			case !ok:
				keys = nil // there is no keyboard
			case key == 'q':
				stop()
			case key == 'r':
				parts.Go(func() { c.restartAll(ctx, client) })
			}
		}
	}
}

// readKeys sends every byte read, and closes keys at the end.
func readKeys(in io.Reader, keys chan<- byte) {
	defer close(keys)
	for b := make([]byte, 1); ; {
		if n, err := in.Read(b); n == 1 {
			keys <- b[0]
		} else if err != nil {
			return
		}
	}
}

func (c *cli) restartAll(ctx context.Context, client *ipc.Client) {
	for _, err := range client.Do(ctx, app.ActionRequest{Action: app.ActionRestart, Selectors: []string{"all"}}) {
		if err != nil && ctx.Err() == nil {
			c.fail(err)
		}
	}
}

func (c *cli) printLines(ctx context.Context, client *ipc.Client, o runtimeOptions, out io.Writer) {
	lines := &lineWriter{w: out}
	p := &logPrinter{out: lines, err: lines, paint: c.paint(), terminal: c.screen.terminal, options: o.logsOptions}
	for line, err := range client.Logs(ctx, app.LogQuery{Lines: -1, Follow: true, Streams: []app.LogStream{app.Stdout, app.Stderr}}) {
		if err != nil {
			if ctx.Err() == nil {
				c.fail(err)
			}
			return
		}
		if line.File == "" {
			p.print(line)
		}
	}
}

// printChanges says why programs start and end.
func (c *cli) printChanges(ctx context.Context, client *ipc.Client, out io.Writer) {
	for e, err := range client.Events(ctx, ipc.EventQuery{Last: 1, Follow: true}) {
		if err != nil {
			if ctx.Err() == nil {
				c.fail(err)
			}
			return
		}
		if words := changeWords(e); words != "" && !c.silent {
			fmt.Fprintln(out, c.paint().paint(cyan, c.prefix())+" "+clean(words))
		}
	}
}

// changeWords is what there is to say about an event in development, or nothing.
func changeWords(e app.Event) string {
	switch {
	case e.Kind == app.EventRestart:
		return fmt.Sprintf("%s: %s", e.Name, e.Reason)
	case e.Kind == app.EventExit && e.Exit != nil && e.Exit.By == "":
		return fmt.Sprintf("%s: %s; waiting for a change", e.Name, exitWords(*e.Exit))
	case e.Kind == app.EventErrored || e.Kind == app.EventUnhealthy:
		return fmt.Sprintf("%s is %s: %s", e.Name, e.Kind, e.Reason)
	}
	return ""
}

// sharedWriter is for several goroutines, each of which writes whole lines.
type sharedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (s *sharedWriter) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w.Write(p)
}
