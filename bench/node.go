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
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// talkApp sends its manager messages as fast as Node can, and writes how many a second into the file of its argument.
const talkApp = `
const count = 200000
let sent = 0, begun = process.hrtime.bigint()
function some() {
  for (let more = true; more && sent < count; ) more = process.send({ seq: sent++, text: 'b' }, sent === count ? done : undefined)
  if (sent < count) setImmediate(some)
}
function done() {
  const file = process.argv[2], rate = count / (Number(process.hrtime.bigint() - begun) / 1e9)
  require('fs').writeFileSync(file + '.new', String(rate))
  require('fs').renameSync(file + '.new', file)
  setInterval(() => {}, 1e6)
}
process.on('message', () => {})
some()
`

// serveApp answers requests, and writes its port into the file of its argument.
const serveApp = `
require('http').createServer((req, res) => res.end('ok')).listen(0, '127.0.0.1', function () {
  require('fs').writeFileSync(process.argv[2] + '.new', String(this.address().port))
  require('fs').renameSync(process.argv[2] + '.new', process.argv[2])
})
`

// measureNode fills the rows about gpm's part in Node processes.
func measureNode(ctx context.Context, r *report, both []*manager) error {
	return errors.Join(measureMessages(ctx, r, both), measureAgent(ctx, r, both[0]))
}

// measureMessages compares the managers with a loop that does nothing but read: more than that Node cannot send.
func measureMessages(ctx context.Context, r *report, both []*manager) error {
	rates, most := make([][]float64, len(both)), []float64(nil)
	for run := range max(3, r.runs/4) {
		progress("messages, run %d", run+1)
		for i, m := range both {
			rate, err := m.talk(ctx, run)
			if err != nil {
				return err
			}
			rates[i] = append(rates[i], rate)
		}
		rate, err := rawTalk(ctx, filepath.Join(both[0].scripts, fmt.Sprintf("raw-%d", run)))
		if err != nil {
			return err
		}
		most = append(most, rate)
	}
	r.addLeast("messages from one Node process", medians(rates), "≥ 200,000 /s", 200_000)
	r.addLeast("the same, into a loop that only reads", []float64{median(most)}, "", 0)
	return nil
}

// talk runs the talking app once.
func (m *manager) talk(ctx context.Context, run int) (float64, error) {
	out, name := filepath.Join(m.scripts, fmt.Sprintf("talk-%d", run)), fmt.Sprintf("talk-%d", run)
	script := filepath.Join(m.scripts, "talk.js")
	if err := os.WriteFile(script, []byte(talkApp), 0o644); err != nil {
		return 0, err
	}
	if _, _, err := m.run(ctx, "start", script, "--name", name, "--", out); err != nil {
		return 0, err
	}
	rate, err := numberFrom(ctx, out)
	_, _, ended := m.run(ctx, "delete", name)
	return rate, errors.Join(err, ended)
}

// rawTalk runs the talking app with a channel that is read and thrown away.
func rawTalk(ctx context.Context, out string) (float64, error) {
	script := out + ".js"
	if err := os.WriteFile(script, []byte(talkApp), 0o644); err != nil {
		return 0, err
	}
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "ours"), os.NewFile(uintptr(pair[1]), "theirs")
	defer ours.Close()
	cmd := exec.CommandContext(ctx, "node", script, out)
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.Env = append(os.Environ(), "NODE_CHANNEL_FD=3")
	err = errors.Join(cmd.Start(), theirs.Close())
	if err != nil {
		return 0, err
	}
	var reading sync.WaitGroup
	reading.Go(func() { // ends with the process
		buf := make([]byte, 64<<10)
		for err := error(nil); err == nil; _, err = ours.Read(buf) {
		}
	})
	rate, err := numberFrom(ctx, out)
	_ = cmd.Process.Kill()
	_ = cmd.Wait() // killed, as it should be
	reading.Wait()
	return rate, err
}

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
func measureAgent(ctx context.Context, r *report, gpm *manager) error {
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
