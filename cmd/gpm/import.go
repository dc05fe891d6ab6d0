package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"gpm/app"
	"gpm/cluster/sockets"
	"gpm/ipc"
	"gpm/pm2"
)

type importOptions struct {
	home     string
	only     string
	takeOver bool
	dryRun   bool
}

func newImportCommand(c *cli) *cobra.Command {
	var o importOptions
	cmd := &cobra.Command{
		Use:   "import pm2",
		Short: "Take the apps of a pm2 over",
		Long: `Take the apps of a pm2 over: those of the pm2 that runs, or what it has saved if none does. What is going to be
done is shown first.

While pm2 runs, it goes on with its own. What listens on no port is started here as well, and is to be deleted there; what
would find its port taken is added and not started. With --take-over they move one after the other: stopped there, started here, and removed there when they are up and listen where
they did. A cluster boots here first and shares its port until pm2 has let it go; where that is not permitted it takes the port when it becomes free. One that does not come up here is given back to pm2, and the others stay where they are.`,
		Example: `  gpm import pm2 --dry-run
  gpm import pm2 --take-over`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 1 && args[0] == "pm2" {
				return nil
			}
			return app.Errorf(app.CodeInvalid, "cannot import %q: gpm knows pm2", strings.Join(args, " ")).WithHint("gpm import pm2")
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return importFunc(c, cmd.Context(), o) },
	}
	cmd.Flags().StringVar(&o.home, "pm2-home", "", "home `directory` of the pm2 (default $PM2_HOME or ~/.pm2)")
	cmd.Flags().StringVar(&o.only, "only", "", "only these `apps`: a,b")
	cmd.Flags().BoolVar(&o.takeOver, "take-over", false, "stop each in pm2 and start it here")
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "only show what would be done")
	return cmd
}

func importFunc(c *cli, ctx context.Context, o importOptions) error {
	source, err := c.openPM2(ctx, o.home)
	if err != nil {
		return err
	}
	defer source.close()
	client, err := c.connect(ctx)
	if err != nil {
		return err
	}
	moves, err := planMoves(ctx, client, source, o)
	if err != nil {
		return err
	}
	if err := c.showMoves(source, moves); err != nil || o.dryRun {
		return err
	}
	if o.takeOver {
		err = c.takeOver(ctx, client, source, moves)
	} else {
		err = c.addMoves(ctx, client, moves)
	}
	return c.finish(ctx, client, err)
}

// pm2Source is where apps come from: a pm2 that runs, or what it has saved.
type pm2Source struct {
	files   pm2.Files
	client  *pm2.Client // nil when none runs
	version string
	apps    []pm2.Moving
}

func (s *pm2Source) close() {
	if s.client != nil {
		s.client.Close()
	}
}

func (c *cli) openPM2(ctx context.Context, home string) (*pm2Source, error) {
	own, err := c.home()
	if err != nil {
		return nil, err
	}
	if home == "" {
		home = pm2.HomeDir(os.Getenv)
	}
	if home, err = filepath.Abs(home); err != nil {
		return nil, err
	}
	if home == own {
		return nil, app.Errorf(app.CodeInvalid, "cannot import from %s: it is gpm's own home", home).WithHint("gpm --home another-directory import pm2")
	}
	s := &pm2Source{files: pm2.Locate(home, func(string) string { return "" })}
	conn, err := net.Dial("unix", s.files.RPC)
	if err != nil {
		return s, s.readDump()
	}
	s.client = pm2.NewClient(conn)
	list, err := s.client.List(ctx, home)
	if err == nil {
		var raw json.RawMessage
		raw, err = s.client.Call(ctx, "getVersion", map[string]any{})
		s.version = strings.Trim(string(raw), `"`)
	}
	if err != nil {
		s.close()
		return nil, app.Errorf(app.CodeInternal, "cannot read the list of the pm2 in %s: %w", home, err)
	}
	s.apps = pm2.Group(list)
	return s, nil
}

func (s *pm2Source) readDump() error {
	configs, err := pm2.ReadDump(s.files)
	if errors.Is(err, fs.ErrNotExist) {
		return app.Errorf(app.CodeNotFound, "cannot import: no pm2 runs in %s, and it has saved nothing", s.files.Home).WithHint("--pm2-home names another home")
	}
	if err != nil {
		return app.Errorf(app.CodeInvalid, "%w", err)
	}
	list := make([]pm2.Live, len(configs))
	for i, config := range configs {
		list[i] = pm2.Live{ID: i, Config: config}
	}
	s.apps = pm2.Group(list)
	return nil
}

// doing is what becomes of an app of pm2.
type doing string

const (
	doStart doing = "start it"
	doMove  doing = "stop it in pm2, start it here"
	doAdd   doing = "add it, stopped as in pm2"
	doBoth  doing = "start it beside pm2's, which goes on"
	doWait  doing = "add it, not started: pm2 runs it"
	isHere  doing = "nothing: there is an app of that name"
	isOther doing = "nothing: it is a module of pm2"
)

// move is one app and what is done about it.
type move struct {
	pm2.Moving
	do    doing
	ports []int // for doWait: those that pm2 has
}

// plan says what is done, in words.
func (m move) plan() string {
	if m.do == doWait && len(m.ports) > 0 {
		return "add it, not started: pm2 has " + portNames(m.ports)
	}
	return string(m.do)
}

func planMoves(ctx context.Context, client *ipc.Client, s *pm2Source, o importOptions) ([]move, error) {
	here, err := client.Processes(ctx, ipc.ListQuery{})
	if err != nil {
		return nil, err
	}
	only := splitNames(o.only)
	for _, name := range only {
		if !slices.ContainsFunc(s.apps, func(m pm2.Moving) bool { return m.Spec.Name == name }) {
			return nil, app.Errorf(app.CodeNotFound, "cannot import %q: pm2 has no app of that name", name)
		}
	}
	var moves []move
	look, seen := sockets.LookAtPorts()
	for _, m := range s.apps {
		if len(only) > 0 && !slices.Contains(only, m.Spec.Name) {
			continue
		}
		next := move{Moving: m, do: doStart}
		switch {
		case m.IsModule:
			next.do = isOther
		case slices.ContainsFunc(here, func(st app.Status) bool { return st.Name == m.Spec.Name && !(o.takeOver && st.State == app.Stopped) }):
			next.do = isHere
		case !m.IsWanted():
			next.do = doAdd
		case s.client != nil && o.takeOver:
			next.do = doMove
		case s.client != nil:
			if next.do, next.ports = doBoth, s.portsOf(m, look); !seen || len(next.ports) > 0 {
				next.do = doWait
			}
		}
		moves = append(moves, next)
	}
	return moves, nil
}

// portsOf are the ports that are in the way of a second copy of an app. Those of clusters are open in pm2 itself, which does
// not tell whose they are.
func (s *pm2Source) portsOf(m pm2.Moving, look sockets.Ports) (ports []int) {
	for _, p := range m.Processes {
		if p.PID > 0 {
			ports = append(ports, look.OfTree(p.PID)...)
		}
	}
	if text, err := os.ReadFile(s.files.Pid); err == nil && m.Spec.ExecMode == app.Cluster {
		if daemon, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
			ports = append(ports, look.Of(daemon)...)
		}
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}

func (c *cli) showMoves(s *pm2Source, moves []move) error {
	if s.client != nil {
		c.say("pm2 %s runs in %s", s.version, s.files.Home)
	} else {
		c.say("No pm2 runs in %s: this is what it has saved", s.files.Home)
	}
	if len(moves) == 0 {
		c.say("It has no apps")
		return nil
	}
	t := table{columns: []column{{title: "app"}, {title: "mode"}, {title: "instances"}, {title: "in pm2"}, {title: "script", most: 50}, {title: "gpm will"}}}
	for _, m := range moves {
		t.rows = append(t.rows, []cell{
			{clean(m.Spec.Name), head}, {string(m.Spec.ExecMode), plain}, {fmt.Sprint(m.Spec.Instances), plain},
			{clean(statusesOf(m.Moving)), plain}, {clean(m.Spec.Script), plain}, {m.plan(), plain},
		})
	}
	return t.draw(c.out, c.paint())
}

// statusesOf are the different states of its processes.
func statusesOf(m pm2.Moving) string {
	var out []string
	for _, p := range m.Processes {
		if !slices.Contains(out, p.Config.Status) {
			out = append(out, p.Config.Status)
		}
	}
	return strings.Join(out, ", ")
}

// addMoves adds what is to be started or added, in one piece.
func (c *cli) addMoves(ctx context.Context, client *ipc.Client, moves []move) error {
	var req app.ApplyRequest
	by := map[doing][]string{}
	for _, m := range moves {
		if m.do == isHere || m.do == isOther {
			continue
		}
		by[m.do] = append(by[m.do], m.Spec.Name)
		req.Apps = append(req.Apps, m.declare(m.do != doStart && m.do != doBoth))
	}
	if len(req.Apps) == 0 {
		c.say("There is nothing to do")
		return nil
	}
	err := c.follow(client.Apply(ctx, req))
	if both := by[doBoth]; err == nil && len(both) > 0 {
		c.say("Two of each run now, here and in pm2: pm2 delete %s ends the other", strings.Join(both, " "))
	}
	if waiting := by[doWait]; len(waiting) > 0 {
		c.say("Not started: %s. gpm import pm2 --take-over moves what pm2 runs; or pm2 delete, then gpm start, the same names", strings.Join(waiting, ", "))
	}
	return err
}

// declare is the app as a file would declare it.
func (m move) declare(down bool) app.Declared {
	return app.Declared{Spec: m.Spec, Set: app.Fields{"exec_mode": true, "instances": true}, Down: down}
}
