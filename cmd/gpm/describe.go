package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gpm/app"
)

type describeOptions struct {
	json   bool
	reveal bool
}

func newDescribeCommand(c *cli) *cobra.Command {
	var o describeOptions
	cmd := &cobra.Command{
		Use:               "describe <id|name|namespace>...",
		Aliases:           []string{"desc", "info", "show"},
		Short:             "Show everything about processes",
		Args:              arguments(1, -1, "<id|name|namespace>"),
		ValidArgsFunction: c.completeNames,
		RunE:              func(cmd *cobra.Command, args []string) error { return describeFunc(c, cmd, args, o) },
	}
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON")
	cmd.Flags().BoolVar(&o.reveal, "reveal", false, "show values that look like secrets")
	return cmd
}

func describeFunc(c *cli, cmd *cobra.Command, args []string, o describeOptions) error {
	client, err := c.connect(cmd.Context())
	if err != nil {
		return err
	}
	details, err := client.Details(cmd.Context(), args...)
	if errors.Is(err, app.ErrNotFound) && len(args) == 1 {
		c.warn("%s doesn't exist", args[0])
		return reported{}
	}
	if err != nil {
		return err
	}
	details = maskAll(details, o.reveal)
	if o.json {
		return c.printJSON(details)
	}
	for _, d := range details {
		if err := c.describe(d, o.reveal); err != nil {
			return err
		}
	}
	return nil
}

func (c *cli) describe(d app.Detail, reveal bool) error {
	sections := []section{
		{fmt.Sprintf("Describing process with id %d - name %s", d.ID, clean(d.Name)), describeRows(d, time.Now())},
		{"Actions available", actionRows(strings.ToLower(string(c.role)), d)},
		{"Code metrics value", slices.Concat(usageRows(d.Status), trafficRows(d.Traffic), metricRows(d.Metrics))},
		{"Divergent env variables from local env", divergentRows(d.Spec.Env, os.Environ(), reveal)},
	}
	for _, s := range sections {
		if err := c.printSection(s); err != nil {
			return err
		}
	}
	me, name := strings.ToLower(string(c.role)), clean(d.Name)
	_, err := fmt.Fprintf(c.out, " Use `%s logs %s [--lines 1000]` to display logs\n Use `%s env %d` to display environment variables\n"+
		" Use `%s why %d` to see how it lived and died\n Use `%s monit` to monitor CPU and Memory usage %s\n", me, name, me, d.ID, me, d.ID, me, name)
	return err
}

// section is a small table of names and values under a title.
type section struct {
	title string
	rows  [][2]string
}

func (c *cli) printSection(s section) error {
	if len(s.rows) == 0 {
		return nil
	}
	t := table{columns: []column{{}, {}}}
	for _, row := range s.rows {
		t.rows = append(t.rows, []cell{{row[0], head}, {clean(row[1]), valueStyle(row)}})
	}
	if over := t.width() - c.screen.width; c.screen.width > 0 && over > 0 {
		t.columns[1].most = max(10, t.widths()[1]-over)
	}
	fmt.Fprintf(c.out, " %s\n", c.paint().paint(bold, s.title))
	return t.draw(c.out, c.paint())
}

func valueStyle(row [2]string) style {
	var s app.State
	if row[0] != "status" || s.UnmarshalText([]byte(row[1])) != nil {
		return plain
	}
	return stateStyle(s)
}

// linesWords says what happens to the lines of an app.
func linesWords(l app.Lines) string {
	var words []string
	if l.Driver != "" {
		words = append(words, "also to "+string(l.Driver))
	}
	if l.Rate > 0 {
		words = append(words, fmt.Sprintf("at most %d a second", l.Rate))
	}
	if len(l.Redact) > 0 {
		words = append(words, "redacted: "+strings.Join(l.Redact, " "))
	}
	return strings.Join(words, ", ")
}

// describeRows are pm2's fields, and what gpm knows besides.
func describeRows(d app.Detail, now time.Time) [][2]string {
	s, p := d.Spec, d.Spec.Policy
	rows := [][2]string{
		{"status", d.State.String()}, {"reason", d.Reason}, {"name", d.Name}, {"namespace", d.Namespace}, {"version", orNA(d.Version)},
		{"restarts", fmt.Sprint(d.Restarts)}, {"uptime", shownUptime(d.Status, now)}, {"last exit", lastExit(d.Exit)},
		{"next start", nextStart(d.Deadline, now)},
		{"script path", orNA(s.Script)}, {"script args", orNA(strings.Join(s.Args, " "))},
		{"error log path", orNA(d.ErrLog)}, {"out log path", orNA(d.OutLog)}, {"entire log path", d.AllLog}, {"log trouble", d.LogTrouble}, {"log lines", linesWords(s.Log)}, {"pid path", orNA(d.PidFile)},
		{"interpreter", orNA(d.Interpreter())}, {"interpreter args", orNA(strings.Join(s.InterpreterArgs, " "))},
		{"executed", strings.Join(d.Argv, " ")},
		{"script id", fmt.Sprint(d.ID)}, {"pid", fmt.Sprint(d.PID)}, {"exec cwd", orNA(s.Cwd)}, {"exec mode", string(d.Mode) + "_mode"},
		{"node.js version", orNA(nodeVersion(d))}, {"user", d.User}, {"autoscale", autoscaleRow(s)}, {"node env", orNA(s.Env["NODE_ENV"])}, {"watch & reload", tick(d.Watching)}, {"autorestart", tick(!p.NoAutorestart)},
		{"stop", fmt.Sprintf("%s, SIGKILL after %s", p.KillSignal, span(p.KillTimeout))},
		{"health check", healthWords(d)}, {"limits", limitWords(s)}, {"pressure", pressureWords(d.Pressure)}, {"depends on", dependencyWords(s)}, {"schedule", scheduleWords(s)}, {"cron restart", cronWords(s)},
		{"unstable restarts", fmt.Sprint(d.Unstable)}, {"created at", d.Created.UTC().Format("2006-01-02T15:04:05.000Z")},
	}
	return slices.DeleteFunc(rows, func(r [2]string) bool { return r[1] == "" })
}

func autoscaleRow(s app.Spec) string {
	if s.Autoscale.IsZero() {
		return ""
	}
	return fmt.Sprintf("%s; %d now", s.Autoscale, s.Instances)
}

func nodeVersion(d app.Detail) string {
	if d.Usage == nil || d.Usage.Node == nil {
		return ""
	}
	return d.Usage.Node.Version
}

func lastExit(e *app.Exit) string {
	if e == nil {
		return ""
	}
	return fmt.Sprintf("%s at %s", exitWords(*e), moment(e.At))
}

func nextStart(deadline, now time.Time) string {
	if deadline.IsZero() || !deadline.After(now) {
		return ""
	}
	return "in " + span(deadline.Sub(now))
}

func usageRows(s app.Status) [][2]string {
	if s.Usage == nil {
		return nil
	}
	u := *s.Usage
	rows := [][2]string{
		{"CPU", percent(u.CPU)}, {"CPU time", span(time.Duration(u.CPUTimeMS) * time.Millisecond)}, {"Memory (RSS)", size(u.RSS)},
		{"Processes", fmt.Sprint(u.Processes)}, {"Threads", fmt.Sprint(u.Threads)},
	}
	for _, r := range []struct {
		name  string
		value int64
	}{{"Memory (PSS)", u.PSS}, {"Heap", u.Heap}, {"Read from disk", u.ReadIO}, {"Written to disk", u.WriteIO}} {
		if r.value > 0 {
			rows = append(rows, [2]string{r.name, size(r.value)})
		}
	}
	if n := u.Node; n != nil {
		rows = append(rows, nodeRows(*n)...)
	}
	if u.Files > 0 {
		rows = append(rows, [2]string{"Open files", fmt.Sprint(u.Files)})
	}
	return rows
}

// nodeRows has pm2's names where pm2 has the figure.
func nodeRows(n app.NodeUsage) [][2]string {
	ms := func(v float64) string { return fmt.Sprintf("%.2f ms", v) }
	return [][2]string{
		{"Used Heap Size", size(n.HeapUsed)}, {"Heap Size", size(n.HeapTotal)}, {"Heap Limit", size(n.HeapLimit)},
		{"Heap Usage", percent(100 * float64(n.HeapUsed) / float64(max(1, n.HeapTotal)))},
		{"New space", size(n.NewSpace)}, {"Old space", size(n.OldSpace)},
		{"External", size(n.External)}, {"Array buffers", size(n.ArrayBuffers)},
		{"Scavenges", fmt.Sprintf("%d, %s", n.Scavenges, ms(n.ScavengeMS))}, {"Mark-sweeps", fmt.Sprintf("%d, %s", n.MarkSweeps, ms(n.MarkSweepMS))},
		{"Event Loop Latency", ms(n.LoopP50)}, {"Event Loop Latency p99", ms(n.LoopP99)}, {"Event Loop Latency max", ms(n.LoopMax)},
		{"Event Loop Utilization", percent(100 * n.Utilization)},
		{"Active handles", fmt.Sprint(n.Handles)}, {"Active requests", fmt.Sprint(n.Requests)},
	}
}

// trafficRows are about messages; what was lost is shown when there is any.
func trafficRows(t *app.Traffic) [][2]string {
	if t == nil {
		return nil
	}
	rows := [][2]string{{"Messages from it", fmt.Sprint(t.Received)}, {"Messages to it", fmt.Sprint(t.Sent)}}
	for _, r := range []struct {
		name  string
		count uint64
	}{{"Messages it did not read", t.Overflow}, {"Messages too long", t.TooLong}, {"Lines that are no messages", t.Garbage}} {
		if r.count > 0 {
			rows = append(rows, [2]string{r.name, fmt.Sprint(r.count)})
		}
	}
	if t.Waiting > 0 {
		rows = append(rows, [2]string{"Waiting for it", size(int64(t.Waiting))})
	}
	return rows
}

func actionRows(me string, d app.Detail) [][2]string {
	var rows [][2]string
	for _, a := range d.Actions {
		rows = append(rows, [2]string{a.Name, me + " trigger " + d.Name + " " + a.Name})
	}
	return rows
}

// metricRows are the app's own figures: {"value": 3, "unit": "ms"} each.
func metricRows(metrics map[string]json.RawMessage) [][2]string {
	var rows [][2]string
	for _, name := range slices.Sorted(maps.Keys(metrics)) {
		var m struct {
			Value any    `json:"value"`
			Unit  string `json:"unit"`
		}
		if json.Unmarshal(metrics[name], &m) == nil && m.Value != nil {
			rows = append(rows, [2]string{clean(name), strings.TrimSpace(fmt.Sprint(m.Value) + " " + m.Unit)})
		}
	}
	return rows
}

// divergentRows are the variables that the process and this shell both have, with different values.
func divergentRows(env map[string]string, environ []string, reveal bool) [][2]string {
	here := mergeEnviron(environ, nil)
	if !reveal {
		here = maskEnv(here)
	}
	var rows [][2]string
	for name, value := range env {
		if mine, ok := here[name]; ok && mine != value && name != "_" {
			rows = append(rows, [2]string{name, value})
		}
	}
	slices.SortFunc(rows, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	return rows
}

func tick(yes bool) string {
	if yes {
		return "✔"
	}
	return "✘"
}
