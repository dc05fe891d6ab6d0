package pm2

import (
	"context"
	"encoding/json"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"gpm/app"
)

// fake is a daemon without processes: it keeps the list, publishes events and
// writes down what it was asked.
type fake struct {
	bus  *Bus
	view View
	kill func()

	apps sync.WaitGroup // what they still have to say

	mu    sync.Mutex // guards the rest
	procs map[int]*Process
	next  int
	calls []string
	sent  []string // packets and lines
	last  Config
}

func newFake(home string) *fake {
	return &fake{bus: &Bus{}, view: View{Home: home}, procs: map[int]*Process{}, kill: func() {}}
}

func (f *fake) note(call string) { f.calls = append(f.calls, call) }

func (f *fake) publish(event string, p Process) {
	f.bus.Publish(TopicProcess, ProcessEvent(event, true, p, f.view, time.Now()))
}

// on runs do on a process under the lock, and publishes the event.
func (f *fake) on(call string, id int, event string, do func(*Process)) (Process, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.note(call)
	p, ok := f.procs[id]
	if !ok {
		return Process{}, app.Errorf(app.CodeNotFound, "cannot find process %d", id)
	}
	do(p)
	if event != "" {
		f.publish(event, *p)
	}
	return *p, nil
}

func (f *fake) Daemon(context.Context) (app.DaemonStatus, error) {
	return app.DaemonStatus{Version: "0.1.0", Home: f.view.Home, Started: time.Now()}, nil
}

func (f *fake) List(context.Context) ([]Process, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []Process
	for _, id := range slices.Sorted(maps.Keys(f.procs)) {
		out = append(out, *f.procs[id])
	}
	return out, nil
}

func (f *fake) Host(context.Context) (app.Host, error) {
	return app.Host{CPU: 12.34, MemoryTotal: 1 << 30}, nil
}

func (f *fake) NotifyKill() { f.note("notifyKill") }

func (f *fake) Start(_ context.Context, c Config) ([]Process, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.note("start")
	f.last = c
	var out []Process
	for slot := range max(1, c.Spec.Instances) {
		out = append(out, f.add(c, slot))
	}
	return out, nil
}

func (f *fake) add(c Config, slot int) Process {
	p := &Process{More: More{Settings: c.Rest}}
	p.Spec, p.Name, p.Namespace, p.Mode = c.Spec, c.Spec.Name, c.Spec.Namespace, c.Spec.ExecMode
	p.ID, p.Slot, p.PID = f.next, slot, 100000+f.next
	p.State, p.Goal, p.User = app.Online, app.Up, "me"
	p.Created, p.Since = time.Now(), time.Now()
	p.OutLog, p.ErrLog = filepath.Join(f.view.Home, "out.log"), filepath.Join(f.view.Home, "err.log")
	p.Usage = &app.Usage{CPU: 1.25, RSS: 20 << 20}
	f.procs[f.next] = p
	f.next++
	f.publish("online", *p)
	return *p
}

func (f *fake) StartID(_ context.Context, id int) (Process, error) {
	return f.on("startID", id, "start", func(p *Process) { p.State = app.Online })
}

func (f *fake) Stop(_ context.Context, id int) (Process, error) {
	return f.on("stop", id, "stop", func(p *Process) { p.State = app.Stopped })
}

func (f *fake) Restart(_ context.Context, id int, c Config) (Process, error) {
	return f.on("restart", id, "restart", func(p *Process) { f.change(p, c) })
}

func (f *fake) Reload(_ context.Context, id int, c Config) (Process, error) {
	return f.on("reload", id, "reload", func(p *Process) { f.change(p, c) })
}

func (f *fake) change(p *Process, c Config) {
	p.Spec = app.Merge(p.Spec, c.Spec, c.Set)
	p.Name = p.Spec.Name
	p.State = app.Online
	p.Restarts++
	f.last = c
}

func (f *fake) Delete(_ context.Context, id int) (Process, error) {
	return f.on("delete", id, "delete", func(p *Process) {
		p.State = app.Stopped
		delete(f.procs, id)
	})
}

func (f *fake) Duplicate(_ context.Context, id int) (Process, error) {
	var twin Process
	_, err := f.on("duplicate", id, "", func(p *Process) { twin = f.add(Config{Spec: p.Spec}, p.Slot+1) })
	return twin, err
}

func (f *fake) Reset(_ context.Context, id int) error {
	_, err := f.on("reset", id, "", func(p *Process) { p.Restarts = 0 })
	return err
}

func (f *fake) Watch(_ context.Context, id int, w Watch) error {
	_, err := f.on("watch", id, "", func(p *Process) { p.Watching = w == WatchOn || w == WatchToggle && !p.Watching })
	return err
}

func (f *fake) Signal(_ context.Context, id int, signal string) error {
	_, err := f.on("signal "+signal, id, "", func(*Process) {})
	return err
}

func (f *fake) SendData(_ context.Context, id int, packet json.RawMessage) error {
	p, err := f.on("data", id, "", func(*Process) { f.sent = append(f.sent, string(packet)) })
	if err == nil { // the app answers
		f.bus.Publish("got", AppEvent(p.Status, packet, time.Now()))
	}
	return err
}

func (f *fake) SendLine(_ context.Context, id int, line string) error {
	_, err := f.on("line", id, "", func(*Process) { f.sent = append(f.sent, line) })
	return err
}

func (f *fake) Trigger(_ context.Context, t Trigger) (int, func(), error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.note("trigger " + t.Action)
	var replies []*Object
	for _, p := range f.procs {
		if p.ID == t.ID || p.Name == t.Name {
			replies = append(replies, AppEvent(p.Status, map[string]any{"return": "done", "action_name": t.Action}, time.Now()))
		}
	}
	return len(replies), func() {
		for _, reply := range replies {
			f.bus.Publish(TopicReply, reply)
		}
	}, nil
}

func (f *fake) ReloadLogs(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.note("reloadLogs")
	return nil
}

func (f *fake) Kill(context.Context) error {
	f.mu.Lock()
	f.note("kill")
	f.mu.Unlock()
	f.kill()
	return nil
}

func (f *fake) called(t *testing.T, call string) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if !slices.Contains(f.calls, call) {
		t.Errorf("the daemon was not asked to %s; it was asked %v", call, f.calls)
	}
}

// asked returns the last app or change a client asked for.
func (f *fake) asked() Config {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last
}
