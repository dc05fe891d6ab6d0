//go:build linux

package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"gpm/app"
)

// chaos is a fleet under load to which everything happens.
type chaos struct {
	*home
	ports  map[string]string // by app
	asked  map[string]*atomic.Int64
	failed map[string]*atomic.Int64
	mu     sync.Mutex
	errors map[string]error // the last one
	disk   string           // a small one that the home is on; "" = none could be had
	goals  string           // what the user wants
	sound  map[string]int64 // failures so far that were allowed
}

// calamity is one thing that happens, and the apps whose requests may fail by it.
type calamity struct {
	name   string
	allows []string
	strike func(*chaos)
}

func calamities() []calamity {
	clustered := []string{"cluster"} // what a worker has taken goes with it, and the sockets with both master and daemon
	return []calamity{
		{"kill -9 of the daemon", nil, func(c *chaos) { c.killed(c.daemon().PID) }},
		{"kill -9 of the master", nil, func(c *chaos) { c.killMaster(c.daemon()) }},
		{"kill -9 of master and daemon", clustered, func(c *chaos) { d := c.daemon(); c.killMaster(d, d.PID) }},
		{"kill -9 of a worker", clustered, func(c *chaos) { c.killed(c.instances("cluster")[rand.IntN(2)].PID) }},
		{"kill -9 of an app", []string{"go"}, func(c *chaos) { c.killed(c.status("go").PID) }},
		{"daemon stopped for a while", nil, (*chaos).stopDaemon},
		{"no more files for the daemon", nil, (*chaos).noFiles},
		{"a full disk under the database", nil, (*chaos).fullDisk},
		{"a disk that hangs", nil, (*chaos).hungDisk},
		{"a broken tail of the database", nil, (*chaos).brokenTail},
		{"an update", nil, func(c *chaos) { c.must("update") }},
		{"an update, and the daemon is killed meanwhile", nil, (*chaos).updateAndKill},
		{"a reload", nil, func(c *chaos) { c.must("reload", "cluster") }},
	}
}

// TestChaos lets everything happen in random order: each calamity once, and on until GPM_CHAOS_TIME is over (make chaos).
func TestChaos(t *testing.T) {
	limit, _ := time.ParseDuration(os.Getenv("GPM_CHAOS_TIME")) // 0: each once
	c := newChaos(t)
	before := c.footprint()
	end := time.Now().Add(limit)
	steps := 0
	for round := 0; round == 0 || time.Now().Before(end); round++ {
		all := calamities()
		rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		for _, what := range all {
			if round > 0 && !time.Now().Before(end) {
				break
			}
			c.suffer(what)
			steps++
		}
	}
	c.finish()
	after := c.footprint()
	t.Logf("%d calamities; master: %d files, %d kB; daemon: %d files, %d kB; before: %v", steps, after[0], after[1], after[2], after[3], before)
	for i, what := range []string{"files of the master", "memory of the master", "files of the daemon", "memory of the daemon"} {
		slack := []int{8, 24 << 10}[i%2]
		if after[i] > before[i]+slack {
			t.Errorf("%s: %d, was %d", what, after[i], before[i])
		}
	}
}

func newChaos(t *testing.T) *chaos {
	t.Helper()
	disk := smallDisk(t) // before the home, so that it goes after it
	c := &chaos{home: newHome(t), disk: disk, asked: map[string]*atomic.Int64{}, failed: map[string]*atomic.Int64{}, errors: map[string]error{}, sound: map[string]int64{}}
	if disk != "" {
		c.dir = filepath.Join(disk, "home")
	}
	c.ports = c.servers()
	c.ports["cluster"] = freePort(t)
	c.must("start", script(t, "http.js"), "--listen-timeout", "60s", "-i", "2", "--name", "cluster", "--env", "PORT="+c.ports["cluster"])
	c.until("the cluster answers", hang, func() bool { return get(t.Context(), c.ports["cluster"]) == nil })
	c.must("start", progBin, "--name", "printer", "--output", filepath.Join(c.cwd, "printer.log"), "--error", "/dev/null", "--", "printer", "0", "1000")
	c.must("start", progBin, "--name", "down", "--", "sleep")
	c.must("stop", "down")
	c.must("ping")
	c.goals = c.wanted()
	for name := range c.ports {
		c.asked[name], c.failed[name] = new(atomic.Int64), new(atomic.Int64)
	}
	for name, port := range c.ports {
		c.load(name, port)
	}
	return c
}

// load asks one app again and again until the test ends.
func (c *chaos) load(name, port string) {
	ctx, stop := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() {
		pause := time.NewTicker(3 * time.Millisecond)
		defer pause.Stop()
		for ctx.Err() == nil {
			err := get(ctx, port)
			if errors.Is(err, context.Canceled) {
				return
			}
			c.asked[name].Add(1)
			if err != nil {
				c.failed[name].Add(1)
				c.mu.Lock()
				c.errors[name] = err
				c.mu.Unlock()
			}
			<-pause.C
		}
	})
	c.t.Cleanup(func() { stop(); work.Wait() })
}

// suffer lets one thing happen, waits until all is well again, and looks at what must hold.
func (c *chaos) suffer(what calamity) {
	c.t.Helper()
	began := time.Now()
	what.strike(c)
	c.until("all is well after "+what.name, hang, func() bool { return c.wanted() == c.goals && c.reachable() })
	c.once(what.name)
	for name, failed := range c.failed {
		now := failed.Load()
		if now > c.sound[name] && !slices.Contains(what.allows, name) {
			c.mu.Lock()
			c.t.Errorf("%s: %d requests to %s failed, the last: %v", what.name, now-c.sound[name], name, c.errors[name])
			c.mu.Unlock()
		} else if now > c.sound[name] {
			c.t.Logf("%s: %d requests to %s failed", what.name, now-c.sound[name], name)
		}
		c.sound[name] = now
	}
	c.t.Logf("%s: well again after %s", what.name, time.Since(began).Round(time.Millisecond))
}

// wanted is what the list says, apart from pids.
func (c *chaos) wanted() string {
	r := c.run("list", "--json")
	if r.code != 0 {
		return r.err
	}
	var out []string
	for _, st := range c.list() {
		out = append(out, fmt.Sprintf("%d %s %s", st.ID, st.Name, st.State))
	}
	return strings.Join(out, ", ")
}

func (c *chaos) reachable() bool {
	for _, port := range c.ports {
		if get(c.t.Context(), port) != nil {
			return false
		}
	}
	return true
}

// once fails if an instance runs twice, or something of the home that is in no list.
func (c *chaos) once(after string) {
	c.t.Helper()
	var found map[int]int
	ok := func() bool {
		found = c.marked()
		for _, st := range c.list() {
			if id, is := found[st.PID]; st.State == app.Online && (!is || id != st.ID) {
				return false
			}
			delete(found, st.PID)
		}
		return len(found) == 0
	}
	deadline := time.After(10 * time.Second)
	for !ok() { // what is replaced may be ending
		select {
		case <-deadline:
			c.t.Fatalf("%s: processes that are in no list, by instance: %v\n%s", after, found, c.run("list").out)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// marked are the processes of this home's instances, pid → id.
func (c *chaos) marked() map[int]int {
	found := map[int]int{}
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		env, _ := os.ReadFile(dir + "/environ")
		words := strings.Split(string(env), "\x00")
		if !slices.Contains(words, "GPM_HOME="+c.dir) {
			continue
		}
		for _, word := range words {
			if mark, is := strings.CutPrefix(word, "GPM_INSTANCE="); is {
				pid, _ := strconv.Atoi(filepath.Base(dir))
				id, _ := strconv.Atoi(strings.Split(mark, ":")[1])
				if alive(pid) {
					found[pid] = id
				}
			}
		}
	}
	return found
}

// finish ends the load; every app must have been asked, and every line be there.
func (c *chaos) finish() {
	c.t.Helper()
	var asked, failed int64
	for name := range c.ports {
		asked, failed = asked+c.asked[name].Load(), failed+c.failed[name].Load()
		if c.asked[name].Load() < 100 {
			c.t.Errorf("%s was asked %d times only", name, c.asked[name].Load())
		}
	}
	c.t.Logf("%d requests, %d failed", asked, failed)
	c.must("stop", "printer")
	text, err := os.ReadFile(filepath.Join(c.cwd, "printer.log"))
	if err != nil {
		c.t.Fatal(err)
	}
	checkNumbered(c.t, string(text), "out ")
}

// footprint is files and memory in kB of master and daemon.
func (c *chaos) footprint() []int {
	c.t.Helper()
	var out []int
	d := c.daemon()
	for _, pid := range []int{d.MasterPID, d.PID} {
		files, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
		out = append(out, len(files), kilobytes(pid))
	}
	return out
}

func kilobytes(pid int) int {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	n, _ := strconv.Atoi(strings.Fields(rest + " 0")[0])
	return n
}

func (c *chaos) killed(pid int) {
	c.t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		c.t.Errorf("cannot kill %d: %v", pid, err)
	}
}

// stopDaemon freezes the daemon: for longer than its master bears when there is time.
func (c *chaos) stopDaemon() {
	pid, pause := c.daemon().PID, time.Second
	if os.Getenv("GPM_CHAOS_TIME") != "" {
		pause = 25 * time.Second
	}
	_ = syscall.Kill(pid, syscall.SIGSTOP)
	settle(c.t, pause)
	_ = syscall.Kill(pid, syscall.SIGCONT)
}

// noFiles leaves the daemon no descriptors for a while.
func (c *chaos) noFiles() {
	pid := strconv.Itoa(c.daemon().PID)
	files, _ := os.ReadDir("/proc/" + pid + "/fd")
	limit := exec.Command("prlimit", "--pid", pid, fmt.Sprintf("--nofile=%d:", len(files)))
	if out, err := limit.CombinedOutput(); err != nil {
		c.t.Errorf("prlimit: %v %s", err, out)
	}
	cmd := c.command("restart", "down") // cannot be answered now, or only halfway
	_ = cmd.Start()
	settle(c.t, 500*time.Millisecond)
	if out, err := exec.Command("prlimit", "--pid", pid, "--nofile=4096:").CombinedOutput(); err != nil {
		c.t.Logf("prlimit: %v %s", err, out)
	}
	_ = cmd.Wait()
	c.until("down is down again", hang, func() bool { return c.run("stop", "down").code == 0 })
}

// smallDisk mounts an ext4 of a few megabytes.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	image, mount := filepath.Join(dir, "image"), filepath.Join(dir, "disk")
	for _, words := range [][]string{
		{"truncate", "-s", "32M", image}, {"mke2fs", "-q", "-F", "-t", "ext4", image}, {"mkdir", mount}, {"mount", "-o", "loop", image, mount},
	} {
		if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
			t.Logf("without a disk of its own: %v: %s", err, out)
			return ""
		}
	}
	t.Cleanup(func() { unmount(t, mount) })
	return mount
}

// fullDisk fills the disk: what cannot be kept is refused, and nothing else.
func (c *chaos) fullDisk() {
	if c.disk == "" {
		return
	}
	name := filepath.Join(c.disk, "full")
	_ = exec.Command("dd", "if=/dev/zero", "of="+name, "bs=64k").Run()
	_ = exec.Command("dd", "if=/dev/zero", "of="+name+"2", "bs=1k").Run()
	for i := range 3 {
		r := c.run("start", progBin, "--name", fmt.Sprintf("homeless%d", i), "--", "sleep")
		if r.code == 0 {
			c.must("delete", fmt.Sprintf("homeless%d", i)) // there was a free page yet
		} else if !strings.Contains(r.err, "no space left") {
			c.t.Errorf("a full disk: %s", r.err)
		}
	}
	_ = os.Remove(name)
	_ = os.Remove(name + "2")
}

// hungDisk lets no write to the disk end for a while.
func (c *chaos) hungDisk() {
	if c.disk == "" {
		return
	}
	if out, err := exec.Command("fsfreeze", "-f", c.disk).CombinedOutput(); err != nil {
		c.t.Errorf("fsfreeze: %s", out)
		return
	}
	cmd := c.command("restart", "down")
	_ = cmd.Start()
	settle(c.t, time.Second)
	if out, err := exec.Command("fsfreeze", "-u", c.disk).CombinedOutput(); err != nil {
		c.t.Errorf("fsfreeze: %s", out)
	}
	_ = cmd.Wait()
	c.must("stop", "down")
}

// brokenTail appends garbage to the database while no daemon has it open.
func (c *chaos) brokenTail() {
	d := c.daemon()
	_ = syscall.Kill(d.MasterPID, syscall.SIGSTOP)
	c.killed(d.PID)
	c.until("the daemon is dead", hang, func() bool { return !alive(d.PID) })
	f, err := os.OpenFile(filepath.Join(c.dir, "gpm.db"), os.O_WRONLY|os.O_APPEND, 0)
	if err == nil {
		_, err = f.WriteString(strings.Repeat("broken", 1000))
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		c.t.Error(err)
	}
	_ = syscall.Kill(d.MasterPID, syscall.SIGCONT)
}

// updateAndKill kills the daemon in the middle of an update.
func (c *chaos) updateAndKill() {
	pid := c.daemon().PID
	cmd := c.command("update")
	_ = cmd.Start()
	settle(c.t, time.Duration(rand.IntN(80))*time.Millisecond)
	_ = syscall.Kill(pid, syscall.SIGKILL) // or it is gone by now
	_ = cmd.Wait()
}
