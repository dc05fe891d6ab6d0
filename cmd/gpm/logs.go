package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gpm/app"
)

type logsOptions struct {
	lines     int
	raw       bool
	onlyErr   bool
	onlyOut   bool
	json      bool
	nostream  bool
	format    bool
	timestamp string // format of the time; "" = none
	since     string
	until     string
	grep      string
	highlight string
}

func newLogsCommand(c *cli) *cobra.Command {
	var o logsOptions
	cmd := &cobra.Command{
		Use:               "logs [id|name|namespace|/regex/]...",
		Aliases:           []string{"log"},
		Short:             "Show the output of processes, as it comes",
		ValidArgsFunction: c.completeNames,
		RunE:              func(cmd *cobra.Command, args []string) error { return logsFunc(c, cmd.Context(), args, o) },
	}
	f := cmd.Flags()
	f.IntVar(&o.lines, "lines", 15, "how `many` of the last lines of each file; -1 is all")
	f.BoolVar(&o.raw, "raw", false, "nothing but the text")
	f.BoolVar(&o.onlyErr, "err", false, "stderr only")
	f.BoolVar(&o.onlyOut, "out", false, "stdout only")
	f.BoolVar(&o.json, "json", false, "a JSON object a line")
	f.BoolVar(&o.nostream, "nostream", false, "do not wait for more")
	f.BoolVar(&o.format, "format", false, "key=value pairs: timestamp, app, id, type, message")
	addTimestamp(cmd, &o.timestamp, "the time before each line, where it is known, in this `format`")
	f.StringVar(&o.since, "since", "", "lines that came after this `time`: 10m or 2d (ago), 2026-11-23, \"2026-11-23 12:30\"")
	f.StringVar(&o.until, "until", "", "lines that came before this `time`")
	f.StringVar(&o.grep, "grep", "", "lines that match this regular `expression`")
	f.StringVar(&o.highlight, "highlight", "", "mark this `text` in the lines")
	return cmd
}

// pm2Timestamp is the format that --timestamp has without one.
const pm2Timestamp = "YYYY-MM-DD-HH:mm:ss"

func addTimestamp(cmd *cobra.Command, to *string, usage string) {
	f := cmd.Flags()
	f.StringVar(to, "timestamp", "", usage)
	f.Lookup("timestamp").NoOptDefVal = pm2Timestamp
}

func logsFunc(c *cli, ctx context.Context, args []string, o logsOptions) error {
	if ownLogName(args) {
		return c.ownLog(ctx, o)
	}
	query, err := logQuery(args, o, time.Now())
	if err != nil {
		return err
	}
	client, err := c.connect(ctx)
	if err != nil {
		return err
	}
	ctx, stop := c.whileRead(ctx)
	defer stop()
	outs, errs := &lazyWriter{w: c.out, failed: stop}, &lazyWriter{w: c.err, failed: stop}
	defer func() { _ = errors.Join(outs.flush(), errs.flush()) }() // a reader that is gone has enough
	p := &logPrinter{out: &lineWriter{w: outs}, err: &lineWriter{w: errs}, turn: turnTo(outs, errs), paint: c.paint(), terminal: c.screen.terminal, options: o}
	if !o.raw && !o.json && !o.format && !c.silent {
		p.title(args)
	}
	for line, err := range client.Logs(ctx, query) {
		if err != nil {
			return unlessInterrupted(ctx, err)
		}
		p.print(line)
		if p.out.err != nil || p.err.err != nil {
			return nil // the reader has enough
		}
	}
	return nil
}

func logQuery(args []string, o logsOptions, now time.Time) (app.LogQuery, error) {
	q := app.LogQuery{Selectors: args, Lines: o.lines, Follow: !o.nostream, Grep: o.grep}
	var err, untilErr error
	q.Since, err = readTime("since", o.since, now)
	q.Until, untilErr = readTime("until", o.until, now)
	switch {
	case o.onlyErr && !o.onlyOut:
		q.Streams = []app.LogStream{app.Stderr}
	case o.onlyOut && !o.onlyErr:
		q.Streams = []app.LogStream{app.Stdout}
	}
	return q, cmp.Or(err, untilErr)
}

// readTime reads a point in time: how long ago, or a date with or without the time of day.
func readTime(option, s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if ago, err := withDays(s); err == nil {
		return now.Add(-ago), nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02T15:04:05", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, s, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, app.Errorf(app.CodeInvalid, "cannot use --%s %q: no time", option, s).
		WithHint("10m is ten minutes ago; 2026-11-23 and \"2026-11-23 12:30\" are points in time")
}

// logPrinter prints lines in pm2's form: id|name | text.
type logPrinter struct {
	out, err *lineWriter
	turn     func(app.LogStream) // before a line for another stream; nil = writes are not collected
	paint    painter
	terminal bool
	options  logsOptions
	padding  int // the longest name so far
}

// turnTo writes what waits for one stream before a line goes to the other, so that they stay in order where both
// end on one screen.
func turnTo(outs, errs *lazyWriter) func(app.LogStream) {
	last := outs
	return func(s app.LogStream) {
		next := outs
		if s == app.Stderr {
			next = errs
		}
		if next != last {
			_ = last.flush() // whoever writes next is told
		}
		last = next
	}
}

func (p *logPrinter) title(args []string) {
	what := "all"
	if len(args) > 0 {
		what = strings.Join(args, ", ")
	}
	fmt.Fprintf(p.out, "%s Tailing %s lines for [%s] process(es) (change the value with --lines option)\n", p.paint.paint(bold, "[TAILING]"), p.options.howMany(), what)
}

// howMany tells how many lines of each file are shown.
func (o logsOptions) howMany() string {
	if o.lines < 0 {
		return "all"
	}
	return fmt.Sprintf("last %d", o.lines)
}

func (p *logPrinter) print(l app.LogLine) {
	switch {
	case p.options.json:
		p.json(l)
	case p.options.format:
		p.pairs(l)
	case p.options.raw:
		p.raw(l)
	case l.File != "":
		fmt.Fprintln(p.out, p.paint.paint(grey, fmt.Sprintf("%s %s lines:", l.File, p.options.howMany())))
	default:
		p.line(l)
	}
}

func (p *logPrinter) raw(l app.LogLine) {
	if l.File != "" {
		return
	}
	to := io.Writer(p.out)
	if p.turn != nil {
		p.turn(l.Stream)
	}
	if l.Stream == app.Stderr {
		to = p.err
	}
	_, _ = io.WriteString(to, l.Text+"\n") // an error stays in to
}

func (p *logPrinter) line(l app.LogLine) {
	name := fmt.Sprintf("%d|%s", l.ID, clean(l.Name))
	if l.Stream == app.DaemonLog {
		name = "gpm"
	}
	p.padding = max(p.padding, minNameWidth, min(textWidth(name), maxNameWidth))
	prefix := pad(cut(name, p.padding), p.padding) + " | "
	if p.options.timestamp != "" && !l.At.IsZero() {
		prefix = l.At.Local().Format(app.Layout(p.options.timestamp)) + " " + prefix
	}
	fmt.Fprintln(p.out, p.paint.paint(streamStyle(l.Stream), prefix)+p.text(l.Text))
}

// text is a line as it may go to a terminal: colours pass, what could move the cursor or reprogram the terminal does
// not. Elsewhere it is left as it is.
func (p *logPrinter) text(s string) string {
	if p.terminal {
		s = harmless(s)
	}
	if p.options.highlight == "" {
		return s
	}
	return strings.ReplaceAll(s, p.options.highlight, p.paint.paint(yellow, p.options.highlight))
}

// The names before log lines are as wide as the longest seen, within these limits.
const (
	minNameWidth = 10
	maxNameWidth = 30
)

func streamStyle(s app.LogStream) style {
	switch s {
	case app.Stderr:
		return red
	case app.DaemonLog:
		return blue
	}
	return green
}

// pairs prints a line as pm2's --format does.
func (p *logPrinter) pairs(l app.LogLine) {
	if l.File != "" {
		return
	}
	at := ""
	if !l.At.IsZero() {
		at = "timestamp=" + l.At.Local().Format("2006-01-02-15:04:05-0700") + " "
	}
	fmt.Fprintf(p.out, "%sapp=%s id=%d type=%s message=%s\n", at, clean(l.Name), l.ID, l.Stream, p.text(l.Text))
}

// pm2Line is a line as pm2's --json prints it.
type pm2Line struct {
	Message   string `json:"message"`
	Timestamp string `json:"timestamp,omitempty"`
	Type      string `json:"type"`
	ProcessID int    `json:"process_id"`
	AppName   string `json:"app_name"`
}

func (p *logPrinter) json(l app.LogLine) {
	if l.File != "" {
		return
	}
	line := pm2Line{Message: l.Text, Type: string(l.Stream), ProcessID: l.ID, AppName: l.Name}
	if !l.At.IsZero() {
		line.Timestamp = l.At.Format(time.RFC3339Nano)
	}
	p.out.json(line)
}
