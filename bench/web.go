//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// webApp is what both managers run, as a cluster of two. /burst sends a number of messages to the manager and
// answers how many a second that were.
const webApp = `
const app = require('express')()
app.all('/', (req, res) => res.send('hello'))
app.get('/burst', (req, res) => {
  const count = 50000, began = process.hrtime.bigint()
  for (let i = 1; i < count; i++) process.send({ n: i })
  process.send({ n: count }, () => res.send(String(count / (Number(process.hrtime.bigint() - began) / 1e9))))
})
app.listen(Number(process.env.PORT), '127.0.0.1')
`

// slice is how long one load lasts. Loads on the two managers alternate, so that a busy machine is busy for both.
const slice = 2 * time.Second

// loads are what wrk does: 64 connections, kept or new for each request.
var loads = []struct {
	what, target string
	times        float64
	args         []string
}{
	{"keep-alive requests a second, Express, 2 workers", "≥ 1.05 × pm2", 1.05, nil},
	{"new connections a second, Express, 2 workers", "≥ 1.8 × pm2", 1.8, []string{"-H", "Connection: close"}},
}

// measureWeb compares the two as clusters.
func measureWeb(ctx context.Context, r *report, both []*manager) error {
	wrk, err := exec.LookPath("wrk")
	if err != nil {
		progress("no wrk on PATH: the rows of the cluster are left out")
		return nil
	}
	ports, err := startWeb(ctx, both)
	if err != nil {
		return err
	}
	for _, load := range loads {
		progress("%s", load.what)
		rates, tails := make([][]float64, len(both)), make([][]float64, len(both))
		for range r.rounds {
			for i, port := range ports {
				rate, tail, err := runWrk(ctx, wrk, port, load.args)
				if err != nil {
					return fmt.Errorf("%s: %w", both[i].name, err)
				}
				rates[i], tails[i] = append(rates[i], rate), append(tails[i], tail)
			}
		}
		r.addTimes(load.what, medians(rates), load.target, load.times)
		worst := medians(tails)
		r.add("p99 of these", "ms", worst, "≤ pm2", worst[1])
	}
	if err := measureReloads(ctx, r, both, ports); err != nil {
		return err
	}
	return measureMessages(ctx, r, both, ports)
}

// startWeb starts the app in both managers and waits until it serves.
func startWeb(ctx context.Context, both []*manager) (ports []string, err error) {
	for _, m := range both {
		dir := filepath.Dir(m.scripts)
		path := filepath.Join(dir, "web.js")
		if err := os.WriteFile(path, []byte(webApp), 0o644); err != nil {
			return nil, err
		}
		port, err := freePort()
		if err != nil {
			return nil, err
		}
		m.env = append(m.env, "PORT="+port, "NODE_PATH="+m.modules)
		if _, _, err := m.run(ctx, "start", path, "-i", "2", "--name", "web"); err != nil {
			return nil, err
		}
		ports = append(ports, port)
	}
	for _, port := range ports {
		for range 200 {
			if _, err = fetch(ctx, port, "/"); err == nil {
				break
			}
			if err := pause(ctx, 50*time.Millisecond); err != nil {
				return nil, err
			}
		}
	}
	return ports, errors.Join(err, pause(ctx, time.Second))
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port), nil
}

func fetch(ctx context.Context, port, path string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1:"+port+path, http.NoBody)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

// runWrk returns the requests a second and the 99th percentile of their times in ms. A request that failed is an error.
func runWrk(ctx context.Context, wrk, port string, args []string) (rate, p99 float64, err error) {
	args = append([]string{"-t1", "-c64", "-d" + slice.String(), "--latency"}, args...)
	out, err := exec.CommandContext(ctx, wrk, append(args, "http://127.0.0.1:"+port+"/")...).CombinedOutput()
	if err != nil {
		return 0, 0, fmt.Errorf("cannot run wrk: %w\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 2 && fields[0] == "99%":
			d, err := time.ParseDuration(fields[1])
			if err != nil {
				return 0, 0, err
			}
			p99 = milliseconds(d)
		case len(fields) == 2 && fields[0] == "Requests/sec:":
			if rate, err = strconv.ParseFloat(fields[1], 64); err != nil {
				return 0, 0, err
			}
		case strings.Contains(line, "Non-2xx"):
			return 0, 0, fmt.Errorf("requests failed:\n%s", out)
		}
	}
	return rate, p99, nil
}

// measureChannels compares processes that have a channel and an agent, as Node's have, with as many that have not. They
// are sleeps by the name of node: a thousand real ones would need 40 GB.
func measureChannels(ctx context.Context, r *report, gpm *manager) error {
	progress("%d channels", r.channels)
	script := filepath.Join(gpm.scripts, "channelled.js")
	node := filepath.Join(gpm.scripts, "node")
	sleep := "#!/bin/sh\nexec sleep " + gpm.argument(9999) + "\n"
	if err := errors.Join(os.WriteFile(script, []byte(sleep), 0o755), os.WriteFile(node, []byte(sleep), 0o755)); err != nil {
		return err
	}
	config := filepath.Join(gpm.scripts, "channels.json")
	var sizes []float64
	for _, interpreter := range []string{"none", node} {
		text := fmt.Sprintf(`{"name": "channels", "script": %q, "interpreter": %q, "exec_mode": "fork", "instances": %d}`, script, interpreter, r.channels)
		if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
			return err
		}
		if _, _, err := gpm.run(ctx, "start", config); err != nil {
			return err
		}
		if err := errors.Join(gpm.runs(r.channels), pause(ctx, r.settle)); err != nil {
			return err
		}
		size, err := memory(gpm)
		if err != nil {
			return err
		}
		sizes = append(sizes, size)
		if _, _, err := gpm.run(ctx, "kill"); err != nil {
			return err
		}
		if _, _, err := gpm.run(ctx, "delete", "channels"); err != nil {
			return err
		}
	}
	r.add(fmt.Sprintf("memory of a worker's channel and agent, of %d", r.channels), "KB", []float64{(sizes[1] - sizes[0]) * 1000 / float64(r.channels)}, "≤ 30 KB", 30)
	return nil
}
