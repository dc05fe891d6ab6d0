//go:build unix

package agent

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	benchClients = 16
	benchSlice   = 2 * time.Second
)

// BenchmarkOverhead compares a trivial server without the agent (twice: the
// difference of the two is the noise), with it silent, and with reports and pings
// each second. One iteration is one slice of a new process of each, as the machine
// disturbs slices and processes differ by themselves; give -benchtime=20x.
func BenchmarkOverhead(b *testing.B) {
	node, err := exec.LookPath("node")
	if err != nil {
		b.Skip("needs node")
	}
	file := write(b, "app.js", server)
	plain := func(c *exec.Cmd) { c.Env = cleanEnv() }
	kinds := map[string]func() *app{
		"without":   func() *app { return start(b, node, file, plain) },
		"control":   func() *app { return start(b, node, file, plain) },
		"silent":    func() *app { return start(b, node, file) },
		"reporting": func() *app { return start(b, node, file) },
	}
	rates, costs := map[string][]float64{}, map[string][]float64{}
	for b.Loop() {
		for name, launch := range kinds { // in random order
			rate, cost := measure(b, launch(), name == "reporting")
			rates[name], costs[name] = append(rates[name], rate), append(costs[name], cost)
		}
	}
	for name := range kinds {
		b.ReportMetric(median(rates[name]), name+"-req/s")
		b.ReportMetric(median(costs[name]), name+"-cpu-µs/req")
	}
}

// measure returns requests per second and microseconds of the app's processor time
// for each, start included.
func measure(b *testing.B, a *app, reporting bool) (rate, cost float64) {
	b.Helper()
	url := a.line()
	ctx, cancel := context.WithCancel(context.Background())
	var pinging sync.WaitGroup
	if reporting {
		check(b, a.conn.Subscribe(time.Second))
		pinging.Go(func() { a.pingEachSecond(ctx) })
	}
	rate = requestRate(b, url)
	cancel()
	pinging.Wait()
	a.cmd.Process.Kill()
	a.cmd.Wait()
	state := a.cmd.ProcessState
	return rate, float64((state.UserTime() + state.SystemTime()).Microseconds()) / (rate * benchSlice.Seconds())
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

func (a *app) pingEachSecond(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for ctx.Err() == nil {
		a.conn.Ping(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
		for len(a.stats) > 0 {
			<-a.stats
		}
	}
}

// requestRate loads url for one slice over keep-alive connections.
func requestRate(b *testing.B, url string) float64 {
	b.Helper()
	host := strings.TrimPrefix(url, "http://")
	var answered atomic.Int64
	end := time.Now().Add(benchSlice)
	var clients sync.WaitGroup
	for range benchClients {
		clients.Go(func() {
			if err := requests(host, end, &answered); err != nil {
				b.Error(err)
			}
		})
	}
	clients.Wait()
	return float64(answered.Load()) / benchSlice.Seconds()
}

func requests(host string, end time.Time, answered *atomic.Int64) error {
	conn, err := net.Dial("tcp", host)
	if err != nil {
		return err
	}
	defer conn.Close()
	r := bufio.NewReader(conn)
	for time.Now().Before(end) {
		if _, err := fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", host); err != nil {
			return err
		}
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			return err
		}
		if _, err := r.Discard(int(resp.ContentLength)); err != nil {
			return err
		}
		answered.Add(1)
	}
	return nil
}

// BenchmarkStart is the time from exec to the end of an empty app.
func BenchmarkStart(b *testing.B) {
	node, err := exec.LookPath("node")
	if err != nil {
		b.Skip("needs node")
	}
	file := write(b, "app.js", "")
	for _, name := range []string{"without", "with"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				a := start(b, node, file, func(c *exec.Cmd) {
					if name == "without" {
						c.Env = cleanEnv()
					}
				})
				check(b, a.cmd.Wait())
			}
		})
	}
}
