package agent

import (
	"context"
	"fmt"
	"path/filepath"
	"time"
)

const (
	// minInterval keeps reports from costing more than what they measure.
	minInterval = 100 * time.Millisecond
	// maxTime bounds intervals and profiles; Node's timers end at 24 days.
	maxTime = time.Hour
	// renewAt is how many reports are left when a subscription is renewed.
	renewAt = 5
)

// Pong is what the app says of itself when it answers a Ping.
type Pong struct {
	Trip    time.Duration `json:"-"`       // until the answer, the wait for the loop included
	SigUSR1 int           `json:"sigusr1"` // the app's own listeners of SIGUSR1
	Inspect bool          `json:"inspect"` // the user has not set up the inspector himself
}

// Stackable says that SIGUSR1 would open the inspector on a random port, and do nothing else.
func (p Pong) Stackable() bool { return p.Inspect && p.SigUSR1 == 0 }

// Ping asks for a sign of life from the app's event loop. An answer that does
// not come before ctx ends means the loop hangs (or the app is stopped). The first
// Ping makes the app's inspector use a free port should it be opened, so that Stack
// can have it.
func (c *Conn) Ping(ctx context.Context) (Pong, error) {
	var p Pong
	sent := time.Now()
	if _, err := c.call(ctx, command{Do: "ping"}, &p); err != nil {
		return Pong{}, err
	}
	p.Trip = time.Since(sent)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lastPong = &p
	return p, nil
}

// Drain makes every http/1 response that begins from now on say "Connection:
// close", and has http/2 sessions go away after their running streams (Node ≥ 24).
// It does not close or stop anything, and cannot be undone.
func (c *Conn) Drain(ctx context.Context) error {
	_, err := c.call(ctx, command{Do: "drain"}, nil)
	return err
}

// Subscribe asks for a report in every interval, 100 ms to an hour; 0 ends the
// reports. While nobody subscribes the agent measures nothing. It stops by itself
// after ten reports unless Conn, while it runs, renews the subscription.
func (c *Conn) Subscribe(interval time.Duration) error {
	if interval = max(interval, 0); interval > 0 {
		interval = min(max(interval, minInterval), maxTime)
	}
	c.mu.Lock()
	c.interval = interval
	c.mu.Unlock()
	return c.send(statsCommand(interval))
}

func statsCommand(interval time.Duration) command {
	return command{Do: "stats", MS: interval.Milliseconds()}
}

// renew keeps the reports of a subscription coming. A failure shows as their end,
// and the reader has nobody to tell.
func (c *Conn) renew(left int) {
	c.mu.Lock()
	interval := c.interval
	c.mu.Unlock()
	if interval > 0 && left <= renewAt {
		_ = c.send(statsCommand(interval)) //nolint:errcheck // see above
	}
}

// HeapSnapshot has the app write a snapshot of its heap that Chrome DevTools
// opens. Its loop stands still meanwhile, and it needs about twice its heap. file is
// absolute, ends in .heapsnapshot for the tools, must not exist and is written by the
// app's user, readable by nobody else.
func (c *Conn) HeapSnapshot(ctx context.Context, file string) error {
	return c.toFile(ctx, command{Do: "heapSnapshot", File: file})
}

// CPUProfile samples the app for d and writes a .cpuprofile; file as in HeapSnapshot.
// ctx must outlast d, which is an hour at most.
func (c *Conn) CPUProfile(ctx context.Context, file string, d time.Duration) error {
	return c.profile(ctx, "cpuProfile", file, d)
}

// HeapProfile samples the app's allocations for d and writes a .heapprofile; file
// as in HeapSnapshot. ctx must outlast d.
func (c *Conn) HeapProfile(ctx context.Context, file string, d time.Duration) error {
	return c.profile(ctx, "heapProfile", file, d)
}

func (c *Conn) profile(ctx context.Context, kind, file string, d time.Duration) error {
	if d <= 0 || d > maxTime {
		return fmt.Errorf("cannot profile for %s: give a time up to %s", d, maxTime)
	}
	return c.toFile(ctx, command{Do: kind, File: file, MS: max(1, d.Milliseconds())})
}

func (c *Conn) toFile(ctx context.Context, cmd command) error {
	if !filepath.IsAbs(cmd.File) {
		return fmt.Errorf("cannot write %q: the app may be in another directory, give an absolute path", cmd.File)
	}
	_, err := c.call(ctx, cmd, nil)
	return err
}

// Modules returns the files the app has loaded, unsorted: CommonJS modules, JSON and
// addons by require, ES modules, stripped TypeScript. Not covered are JSON and
// WebAssembly by import, files merely read, modules loaded by worker threads alone,
// and scripts that were collected as garbage.
func (c *Conn) Modules(ctx context.Context) ([]string, error) {
	return c.call(ctx, command{Do: "modules"}, nil)
}
