package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/spf13/cobra"

	"gpm/app"
	"gpm/ipc"
)

func newMonitCommand(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "monit",
		Aliases: []string{"dashboard", "dash", "imonit"},
		Short:   "Watch processes, their figures and output, on the whole screen",
		Args:    arguments(0, 0, ""),
		RunE:    func(cmd *cobra.Command, _ []string) error { return monitFunc(c, cmd.Context()) },
	}
}

func monitFunc(c *cli, ctx context.Context) error {
	if !c.screen.terminal {
		return app.Errorf(app.CodeInvalid, "cannot show the monitor: the output is no terminal").WithHint("gpm list --watch prints the list again and again")
	}
	client, err := c.connect(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var logs sync.WaitGroup
	defer logs.Wait()
	defer cancel()
	p := tea.NewProgram(monitor{ask: questions{ctx, client}, paint: c.paint(), lines: map[int][]app.LogLine{}}, tea.WithContext(ctx), tea.WithOutput(c.out))
	logs.Go(func() {
		for line, err := range client.Logs(ctx, app.LogQuery{Lines: monitHistory, Follow: true}) {
			if err != nil {
				return // the daemon is gone, which the list says
			}
			p.Send(line)
		}
	})
	_, err = p.Run()
	if errors.Is(err, tea.ErrProgramKilled) || errors.Is(err, tea.ErrInterrupted) {
		return nil // ctrl-c is how it ends
	}
	return err
}

const (
	monitPause   = 800 * time.Millisecond // pm2's
	monitHistory = 40                     // lines of each file to begin with
)

// questions are the monitor's effects: what it asks the daemon.
type questions struct {
	ctx    context.Context //nolint:containedctx // it lives as long as the program does
	client *ipc.Client
}

// The answers, as messages to the monitor.
type (
	monitList struct {
		processes []app.Status
		host      app.Host
		err       error
	}
	monitDetail struct{ app.Detail }
	monitDone   struct{ text string }
	monitTick   struct{}
)

func (q questions) list() tea.Msg {
	list, err := q.client.Processes(q.ctx, ipc.ListQuery{Usage: true})
	if err != nil {
		return monitList{err: err}
	}
	by, err := parseOrder("name")
	sortBy(by, list, itself)
	host, hostErr := q.client.Host(q.ctx)
	return monitList{list, host, errors.Join(err, hostErr)}
}

func (q questions) detail(id int) tea.Cmd {
	return func() tea.Msg {
		details, err := q.client.Details(q.ctx, fmt.Sprint(id))
		if err != nil || len(details) != 1 {
			return nil // it is gone; the list says so
		}
		return monitDetail{maskAll(details, false)[0]}
	}
}

func (q questions) do(action app.Action, st app.Status) tea.Cmd {
	return func() tea.Msg {
		text := fmt.Sprintf("%s %s (%d)", action, clean(st.Name), st.ID)
		for p, err := range q.client.Do(q.ctx, app.ActionRequest{Action: action, Selectors: []string{fmt.Sprint(st.ID)}}) {
			switch {
			case err != nil:
				return monitDone{text + ": " + app.AsError(err).Message}
			case p.Error != nil:
				return monitDone{text + ": " + p.Error.Message}
			}
		}
		return monitDone{text + " ✓"}
	}
}

func later() tea.Cmd {
	return tea.Tick(monitPause, func(time.Time) tea.Msg { return monitTick{} })
}
