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
	agentSlice   = 2 * time.Second
)

// measureAgent loads two servers in turns, one with the agent, which reports meanwhile, and one without. What counts is the
// processor time of a request, and of that the median of the differences within a turn: what else the machine does
// changes both.
func measureAgent(ctx context.Context, r *report, both []*manager) error {
	gpm := both[0]
	script := filepath.Join(gpm.scripts, "serve.js")
	if err := os.WriteFile(script, []byte(serveApp), 0o644); err != nil {
		return err
	}
	servers := []*server{{name: "without", args: []string{"--no-agent"}}, {name: "with"}}
	for _, s := range servers {
		file := filepath.Join(gpm.scripts, s.name)
		args := append(append([]string{"start", script, "--name", s.name}, s.args...), "--", file)
		if _, _, err := gpm.run(ctx, args...); err != nil {
			return err
		}
		port, err := numberFrom(ctx, file)
		if err != nil {
			return err
		}
		_, out, err := gpm.run(ctx, "pid", s.name)
		if err != nil {
			return err
		}
		s.address = fmt.Sprintf("127.0.0.1:%.0f", port)
		if s.pid, err = strconv.Atoi(strings.TrimSpace(out)); err != nil {
			return err
		}
	}
	var added []float64
	for run := range r.runs {
		progress("agent, run %d", run+1)
		cost := make([]float64, len(servers))
		for i := range servers {
			k := (i + run) % len(servers) // neither is always the first
			var err error
			if cost[k], err = servers[k].load(ctx, gpm); err != nil {
				return err
			}
		}
		added = append(added, 100*(cost[1]/cost[0]-1))
	}
	r.add("what the agent adds to a request's processor time", "%", []float64{median(added)}, "< 1 %", 1)
	_, _, err := gpm.run(ctx, "delete", "with", "without")
	return err
}

// server is an app that is under load.
type server struct {
	name, address string
	args          []string
	pid           int
}

// load returns the microseconds of processor time of a request.
func (s *server) load(ctx context.Context, gpm *manager) (float64, error) {
	if _, _, err := gpm.run(ctx, "list"); err != nil { // has the agent report
		return 0, err
	}
	before, err := cpuTime([]int{s.pid})
	if err != nil {
		return 0, err
	}
	var answered atomic.Int64
	var clients sync.WaitGroup
	errs := make([]error, agentClients)
	end := time.Now().Add(agentSlice)
	for i := range agentClients {
		clients.Go(func() { errs[i] = askUntil(s.address, end, &answered) })
	}
	clients.Wait()
	after, err := cpuTime([]int{s.pid})
	if err = errors.Join(append(errs, err)...); err != nil {
		return 0, err
	}
	return float64((after - before).Microseconds()) / float64(max(1, answered.Load())), nil
}

// askUntil asks again and again on one connection.
func askUntil(address string, end time.Time, answered *atomic.Int64) error {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	request := bytes.NewBufferString("GET / HTTP/1.1\r\nHost: " + address + "\r\n\r\n").Bytes()
	in := bufio.NewReader(conn)
	for time.Now().Before(end) {
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
