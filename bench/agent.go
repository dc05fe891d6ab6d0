//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// serveApp answers requests, and writes its port into the file of its argument.
const serveApp = `
require('http').createServer((req, res) => res.end('ok')).listen(0, '127.0.0.1', function () {
  require('fs').writeFileSync(process.argv[2] + '.new', String(this.address().port))
  require('fs').renameSync(process.argv[2] + '.new', process.argv[2])
})
`

// numberFrom waits for a file with a number in it.
func numberFrom(ctx context.Context, file string) (float64, error) {
	for ctx.Err() == nil {
		if text, err := os.ReadFile(file); err == nil {
			return strconv.ParseFloat(string(text), 64)
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return 0, err
		}
	}
	return 0, ctx.Err()
}

const (
	agentClients = 8
	agentWarmUp  = 5 * time.Second
	agentSlice   = 8 * time.Second
	// agentQuiet is how long after a look the agent has ceased to report.
	agentQuiet = 17 * time.Second
)

// measureAgent loads a server whose agent reports now and then not, as somebody looks or not; when nobody does there is
// nothing of the agent on the way of a request. What counts is the processor time of a request, and of that the median of
// the differences between two slices in a row. Two processes would differ by more than an agent costs.
func measureAgent(ctx context.Context, r *report, both []*manager) error {
	gpm := both[0]
	s, err := startServer(ctx, gpm)
	if err != nil {
		return err
	}
	loading, stop := context.WithCancel(ctx)
	var clients sync.WaitGroup
	errs := make([]error, agentClients)
	for i := range agentClients {
		clients.Go(func() { errs[i] = askUntil(loading, s.address, &s.answered) })
	}
	err = pause(ctx, agentWarmUp)
	var added []float64
	for run := 0; run < r.rounds && err == nil; run++ {
		progress("agent, run %d", run+1)
		var cost float64
		if cost, err = s.added(ctx, gpm); err == nil {
			added = append(added, 100*cost)
			progress("it adds %.2f %%", 100*cost)
		}
	}
	stop()
	clients.Wait()
	if err = errors.Join(append(errs, err)...); err != nil {
		return err
	}
	r.add("what the agent adds to a request's processor time", "%", []float64{median(added)}, "< 1 %", 1)
	_, _, err = gpm.run(ctx, "delete", s.name)
	return err
}

// server is an app that is under load.
type server struct {
	name, address string
	pid           int
	answered      atomic.Int64
}

func startServer(ctx context.Context, gpm *manager) (*server, error) {
	s := &server{name: "serve"}
	script, file := filepath.Join(gpm.scripts, "serve.js"), filepath.Join(gpm.scripts, "port")
	if err := os.WriteFile(script, []byte(serveApp), 0o644); err != nil {
		return nil, err
	}
	if _, _, err := gpm.run(ctx, "start", script, "--name", s.name, "--", file); err != nil {
		return nil, err
	}
	port, err := numberFrom(ctx, file)
	if err != nil {
		return nil, err
	}
	s.address = fmt.Sprintf("127.0.0.1:%.0f", port)
	_, out, err := gpm.run(ctx, "pid", s.name)
	if err != nil {
		return nil, err
	}
	s.pid, err = strconv.Atoi(strings.TrimSpace(out))
	return s, err
}

// added returns by what part a request costs more while the agent reports.
func (s *server) added(ctx context.Context, gpm *manager) (float64, error) {
	if _, _, err := gpm.run(ctx, "list"); err != nil { // has the agent report
		return 0, err
	}
	looked := time.Now()
	with, err := s.cost(ctx)
	if err != nil {
		return 0, err
	}
	if err := pause(ctx, time.Until(looked.Add(agentQuiet))); err != nil {
		return 0, err
	}
	without, err := s.cost(ctx)
	return with/without - 1, err
}

// cost returns the microseconds of processor time of a request during a slice of time.
func (s *server) cost(ctx context.Context) (float64, error) {
	before, err := cpuTime([]int{s.pid})
	asked := s.answered.Load()
	if err != nil {
		return 0, err
	}
	if err := pause(ctx, agentSlice); err != nil {
		return 0, err
	}
	after, err := cpuTime([]int{s.pid})
	return float64((after - before).Microseconds()) / float64(max(1, s.answered.Load()-asked)), err
}

// askUntil asks again and again on one connection until the context ends.
func askUntil(ctx context.Context, address string, answered *atomic.Int64) error {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	request := bytes.NewBufferString("GET / HTTP/1.1\r\nHost: " + address + "\r\n\r\n").Bytes()
	in := bufio.NewReader(conn)
	for ctx.Err() == nil {
		if _, err := conn.Write(request); err != nil {
			return err
		}
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			return err
		}
		if _, err := in.Discard(int(resp.ContentLength)); err != nil {
			return err
		}
		answered.Add(1)
	}
	return nil
}
