package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"gpm/app"
	"gpm/cluster/sockets"
	"gpm/ipc"
	"gpm/pm2"
)

const (
	// moveLimit is how long an app that was moved may take until it is up and listens where it did.
	moveLimit = 30 * time.Second
	// moveProof is how long one must run that listens nowhere: a crash at the start is not a move.
	moveProof = time.Second
	movePause = 20 * time.Millisecond
	// bootLimit is how long a cluster is given to meet its ports.
	bootLimit = 15 * time.Second
)

// takeOver moves the apps one after the other; those that pm2 does not run are added. The first that does not come up
// here is given back and ends the rest.
func (c *cli) takeOver(ctx context.Context, client *ipc.Client, s *pm2Source, moves []move) error {
	for _, m := range moves {
		var err error
		switch m.do {
		case doMove:
			err = c.moveOver(ctx, client, s, m)
		case doAdd, doStart:
			if err = c.follow(client.Apply(ctx, app.ApplyRequest{Apps: []app.Declared{m.declare(m.do == doAdd)}})); err == nil && s.client != nil {
				err = s.each(ctx, "deleteProcessId", m.IDs())
			}
		}
		if err != nil {
			return err
		}
	}
	if s.client != nil {
		c.say("What pm2 has saved would start again with the machine: pm2 unstartup, then pm2 kill")
	}
	return nil
}

// moveOver moves one app. A cluster boots here while it serves there, and shares its port with it, or takes it in the
// moment in which that is free; of another app nobody listens on the ports between its stop there and its start here.
func (c *cli) moveOver(ctx context.Context, client *ipc.Client, s *pm2Source, m move) error {
	warm := m.Spec.ExecMode == app.Cluster && !m.Spec.Policy.WaitReady
	move := c.moveCold
	if warm {
		move = c.moveWarm
	}
	begun := time.Now()
	ports, err := move(ctx, client, s, m)
	if err != nil {
		return c.giveBack(context.WithoutCancel(ctx), client, s, m, err)
	}
	took := time.Since(begun).Round(time.Millisecond)
	if err := s.each(ctx, "deleteProcessId", m.IDs()); err != nil {
		return app.Errorf(app.CodeInternal, "%q runs here, and cannot be removed from pm2: %w", m.Spec.Name, err).WithHint("pm2 delete %s", m.Spec.Name)
	}
	switch {
	case warm && len(ports) > 0:
		c.say("%s has moved: it was up here before pm2 left %s", m.Spec.Name, portNames(ports))
	case len(ports) > 0:
		c.say("%s has moved: %s answers again after %s", m.Spec.Name, portNames(ports), took)
	default:
		c.say("%s has moved", m.Spec.Name)
	}
	return nil
}

func (c *cli) begin(ctx context.Context, client *ipc.Client, m move) error {
	return c.follow(client.Apply(ctx, app.ApplyRequest{Apps: []app.Declared{m.declare(false)}}))
}

// moveCold stops an app there and then starts it here. The ports are those that its end has freed.
func (c *cli) moveCold(ctx context.Context, client *ipc.Client, s *pm2Source, m move) (ports []int, err error) {
	before := s.ports()
	if err := s.each(ctx, "stopProcessId", m.IDs()); err != nil {
		return nil, err
	}
	ports = without(before, s.ports())
	if err := c.begin(ctx, client, m); err != nil {
		return nil, err
	}
	return ports, awaitMoved(ctx, client, m.Spec.Name, ports)
}

// moveWarm starts a cluster here, whose workers share their ports with those there or wait for them, and then stops it there.
func (c *cli) moveWarm(ctx context.Context, client *ipc.Client, s *pm2Source, m move) (ports []int, err error) {
	m.Spec.AwaitPort = time.Now().Add(2 * moveLimit)
	if err := c.begin(ctx, client, m); err != nil {
		return nil, err
	}
	if ports, err = awaitBooted(ctx, client, m.Spec.Name); err != nil {
		return nil, err
	}
	if err := s.each(ctx, "stopProcessId", m.IDs()); err != nil {
		return nil, err
	}
	return ports, awaitMoved(ctx, client, m.Spec.Name, ports)
}

// awaitBooted waits until all workers have met ports that another program has, and returns these; or until all have run for a
// while: then they listen nowhere.
func awaitBooted(ctx context.Context, client *ipc.Client, name string) (ports []int, err error) {
	ctx, cancel := context.WithTimeout(ctx, moveLimit)
	defer cancel()
	tick := time.NewTicker(movePause)
	defer tick.Stop()
	for {
		asked := time.Now()
		list, err := client.Processes(ctx, ipc.ListQuery{Selectors: []string{name}})
		if err != nil {
			return nil, err
		}
		events, err := client.History(ctx, ipc.HistoryQuery{Selectors: []string{name}})
		if err != nil {
			return nil, err
		}
		ports, met := portsMet(events)
		idle := !slices.ContainsFunc(list, func(st app.Status) bool { return st.Uptime(asked) < bootLimit })
		switch {
		case slices.ContainsFunc(list, hasFailed):
			return nil, app.Errorf(app.CodeInvalid, "it ends right after its start").WithHint("gpm logs %s", name)
		case len(list) > 0 && (met == len(list) || idle):
			return ports, nil
		}
		select {
		case <-ctx.Done():
			return nil, app.Errorf(app.CodeTimeout, "it is not up within %s", moveLimit)
		case <-tick.C:
		}
	}
}

// portsMet reads the ports that another program has out of events, and how many processes have met them.
func portsMet(events []app.Event) (ports []int, processes int) {
	met := map[int]bool{}
	for _, e := range events {
		address, how, ok := strings.Cut(e.Reason, " is ")
		if e.Kind != app.EventPort || !ok || !strings.HasPrefix(how, "in use") && !strings.HasPrefix(how, "shared") {
			continue
		}
		met[e.ID] = true
		if port, err := strconv.Atoi(address[strings.LastIndexByte(address, ':')+1:]); err == nil && !slices.Contains(ports, port) {
			ports = append(ports, port)
		}
	}
	return ports, len(met)
}

// giveBack has pm2 run an app again that did not come up here.
func (c *cli) giveBack(ctx context.Context, client *ipc.Client, s *pm2Source, m move, why error) error {
	if _, printed := errors.AsType[reported](why); printed {
		why = errors.New("see above")
	}
	for _, err := range client.Do(ctx, app.ActionRequest{Action: app.ActionDelete, Selectors: []string{m.Spec.Name}}) {
		if err != nil {
			break // it is not there, or cannot be reached: pm2's copy is what counts now
		}
	}
	if err := s.restore(ctx, m); err != nil {
		return app.Errorf(app.CodeInternal, "cannot move %q (%w), and pm2 does not start it again: %w", m.Spec.Name, why, err).WithHint("pm2 start %s", m.Spec.Name)
	}
	return app.Errorf(app.CodeInvalid, "cannot move %q: %w; pm2 runs it again", m.Spec.Name, why).WithHint("the apps before it have moved, those after it have not")
}

// restore has pm2 start those processes of an app again that it has stopped for us.
func (s *pm2Source) restore(ctx context.Context, m move) error {
	list, err := s.client.List(ctx, s.files.Home)
	if err != nil {
		return err
	}
	var down []int
	for _, p := range m.Processes {
		at := slices.IndexFunc(list, func(now pm2.Live) bool { return now.ID == p.ID })
		if at >= 0 && list[at].PID == 0 && p.PID != 0 {
			down = append(down, p.ID)
		}
	}
	return s.each(ctx, "startProcessId", down)
}

// each calls a method of pm2 for processes, all at once and each on a connection of its own: as long as the first
// is stopped and the last is not, nobody serves.
func (s *pm2Source) each(ctx context.Context, method string, ids []int) error {
	failed := make([]error, len(ids))
	var calls sync.WaitGroup
	for i, id := range ids {
		calls.Go(func() { failed[i] = s.call(ctx, method, id) })
	}
	calls.Wait()
	return errors.Join(failed...)
}

func (s *pm2Source) call(ctx context.Context, method string, id int) error {
	conn, err := net.Dial("unix", s.files.RPC)
	if err != nil {
		return err
	}
	client := pm2.NewClient(conn)
	defer client.Close()
	_, err = client.Call(ctx, method, id)
	return err
}

// ports are those that pm2 and what it runs listen on.
func (s *pm2Source) ports() []int {
	text, err := os.ReadFile(s.files.Pid)
	if err != nil {
		return nil
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	look, seen := sockets.LookAtPorts()
	if err != nil || !seen {
		return nil
	}
	return look.OfTree(pid)
}

// awaitMoved waits until all processes of an app are up and somebody listens on the ports.
func awaitMoved(ctx context.Context, client *ipc.Client, name string, ports []int) error {
	ctx, cancel := context.WithTimeout(ctx, moveLimit)
	defer cancel()
	tick := time.NewTicker(movePause)
	defer tick.Stop()
	for {
		asked := time.Now()
		list, err := client.Processes(ctx, ipc.ListQuery{Selectors: []string{name}})
		switch missing := without(ports, sockets.ListeningPorts()); {
		case err != nil:
			return err
		case slices.ContainsFunc(list, hasFailed):
			return app.Errorf(app.CodeInvalid, "it ends right after its start").WithHint("gpm logs %s", name)
		case len(missing) == 0 && isUp(list, len(ports) > 0, asked):
			return nil
		case ctx.Err() == nil:
		case len(missing) > 0:
			return app.Errorf(app.CodeTimeout, "it does not listen on %s within %s", portNames(missing), moveLimit)
		default:
			return app.Errorf(app.CodeTimeout, "it is not up within %s", moveLimit)
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

func hasFailed(st app.Status) bool {
	return st.State == app.Waiting || st.State == app.Errored || st.State == app.Stopped || st.Restarts > 0
}

// isUp says whether all processes are online, and have been for a while where nothing else proves them. That counts up to
// the moment of the question: while a busy machine brings the answer, a process that it says is online may long have ended.
func isUp(list []app.Status, listens bool, asked time.Time) bool {
	return len(list) > 0 && !slices.ContainsFunc(list, func(st app.Status) bool {
		return st.State != app.Online || !listens && st.Uptime(asked) < moveProof
	})
}

func without(ports, others []int) []int {
	return slices.DeleteFunc(slices.Clone(ports), func(p int) bool { return slices.Contains(others, p) })
}

func portNames(ports []int) string {
	var out []string
	for _, p := range ports {
		out = append(out, fmt.Sprint(p))
	}
	if len(out) == 1 {
		return "port " + out[0]
	}
	return "ports " + strings.Join(out, ", ")
}
