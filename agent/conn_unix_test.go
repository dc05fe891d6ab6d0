//go:build unix

package agent

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// peer plays the agent.
type peer struct {
	t    *testing.T
	file *os.File
	in   *bufio.Scanner
}

// connect returns a running Conn and the agent's end, played by the test.
func connect(t *testing.T, h Handlers) (*Conn, *peer) {
	t.Helper()
	ours, theirs := pair(t)
	c := New(ours, h)
	ran := make(chan error, 1)
	go func() { ran <- c.Run() }()
	t.Cleanup(func() {
		c.Close()
		if err := receive(t, ran); err != nil {
			t.Error(err)
		}
	})
	return c, &peer{t, theirs, bufio.NewScanner(theirs)}
}

// next returns the next command.
func (p *peer) next() (cmd command) {
	for p.in.Scan() {
		if p.in.Text() == "" {
			continue
		}
		if err := json.Unmarshal(p.in.Bytes(), &cmd); err != nil {
			p.t.Error(err)
		}
		return cmd
	}
	p.t.Error("no command:", p.in.Err())
	return cmd
}

func (p *peer) say(format string, args ...any) {
	if _, err := fmt.Fprintf(p.file, format+"\n", args...); err != nil {
		p.t.Error(err)
	}
}

func TestAnswersFindTheirCommands(t *testing.T) {
	c, p := connect(t, Handlers{})
	drained := make(chan error, 1)
	go func() { drained <- c.Drain(soon(t)) }()
	first := p.next()
	go func() {
		second := p.next()
		p.say("garbage")
		p.say(`{"id":1,"ok":{}}`) // asked by a former daemon
		p.say(`{"id":%d,"part":["b","a"]}`, second.ID)
		p.say(`{"id":%d,"part":["c"]}`, second.ID)
		p.say(`{"id":%d,"ok":{}}`, second.ID)
		p.say(`{"id":%d,"error":"not today"}`, first.ID)
	}()
	files, err := c.Modules(soon(t))
	if err != nil || !slices.Equal(files, []string{"b", "a", "c"}) {
		t.Error(files, err)
	}
	if err := receive(t, drained); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "not today") {
		t.Error(err)
	}
}

func TestSilenceEndsWithTheContext(t *testing.T) {
	c, p := connect(t, Handlers{})
	ctx, cancel := context.WithCancel(context.Background())
	go func() { p.next(); cancel() }()
	if _, err := c.Ping(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.waiting) != 0 {
		t.Error("still awaited")
	}
}

func TestGoneAgentFailsCommands(t *testing.T) {
	c, p := connect(t, Handlers{})
	go func() { p.next(); p.file.Close() }()
	if err := c.Drain(soon(t)); !errors.Is(err, ErrGone) {
		t.Error("while waiting:", err)
	}
	if err := c.Subscribe(time.Second); !errors.Is(err, ErrGone) {
		t.Error("afterwards:", err)
	}
}

func TestSubscriptionIsRenewed(t *testing.T) {
	reports := make(chan Stats, 100)
	c, p := connect(t, Handlers{Stats: func(s Stats) { reports <- s }})
	check(t, c.Subscribe(time.Millisecond))
	if cmd := p.next(); cmd.Do != "stats" || cmd.MS != minInterval.Milliseconds() || cmd.ID != 0 {
		t.Error(cmd)
	}
	for left := 9; left >= renewAt; left-- {
		p.say(`{"stats":{"left":%d}}`, left)
		if s := receive(t, reports); s.Left != left {
			t.Error(s)
		}
	}
	if cmd := p.next(); cmd.MS != minInterval.Milliseconds() {
		t.Error("not renewed:", cmd)
	}
	check(t, c.Subscribe(0))
	if cmd := p.next(); cmd.Do != "stats" || cmd.MS != 0 {
		t.Error(cmd)
	}
	p.say(`{"stats":{"left":1}}`) // was on its way
	receive(t, reports)
	go c.Drain(soon(t))
	if cmd := p.next(); cmd.Do != "drain" {
		t.Error("renewed though ended:", cmd)
	}
}

// TestFullSocket: a hung app must not hang gpm, and half a line does no harm.
func TestFullSocket(t *testing.T) {
	c, p := connect(t, Handlers{})
	var err error
	for err == nil {
		err = c.send(command{Do: strings.Repeat("x", 10_000)})
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	answered := make(chan error, 1)
	go func() { // awake again
		lines := bufio.NewReader(p.file)
		for {
			text, err := lines.ReadString('\n')
			var cmd command
			if err == nil && (json.Unmarshal([]byte(text), &cmd) != nil || cmd.Do != "drain") {
				continue
			}
			if err == nil {
				p.say(`{"id":%d,"ok":{}}`, cmd.ID)
			}
			answered <- err
			return
		}
	}()
	check(t, c.Drain(soon(t)))
	check(t, receive(t, answered))
}

func TestSenselessWishes(t *testing.T) {
	c, _ := connect(t, Handlers{})
	if err := c.HeapSnapshot(soon(t), "x.heapsnapshot"); err == nil {
		t.Error("no error")
	}
	for _, d := range []time.Duration{-1, 0, 24 * time.Hour} {
		if err := c.CPUProfile(soon(t), "/x.cpuprofile", d); err == nil {
			t.Error("profiles for", d)
		}
	}
}

// TestManyConns: a thousand open connections cost little.
func TestManyConns(t *testing.T) {
	const many = 1000
	raiseLimit(t, 2*many+100)
	before := memoryInUse()
	reports := make(chan Stats)
	ran := make(chan error, many)
	var conns []*Conn
	var apps []*os.File
	for range many {
		ours, theirs := pair(t)
		c := New(ours, Handlers{Stats: func(s Stats) { reports <- s }})
		go func() { ran <- c.Run() }()
		conns, apps = append(conns, c), append(apps, theirs)
	}
	for _, f := range apps { // each has worked once
		_, err := io.WriteString(f, `{"stats":{"left":9,"gc":{"scavenge":{"count":1}}}}`+"\n")
		check(t, err)
		receive(t, reports)
	}
	each := (memoryInUse() - before) / many
	t.Logf("%d bytes each", each)
	if each > 15_000 {
		t.Errorf("a connection costs %d bytes", each)
	}
	for _, c := range conns {
		check(t, c.Close())
		check(t, receive(t, ran))
	}
}

func memoryInUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}

func raiseLimit(t *testing.T, least uint64) {
	var limit syscall.Rlimit
	check(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	if uint64(limit.Cur) < least {
		t.Skip("too few descriptors allowed")
	}
}
