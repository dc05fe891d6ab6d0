package pm2

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gpm/app"
)

// dialled serves handle's half of a socket and returns a dialler.
func dialled(t *testing.T, serve func(context.Context, net.Listener)) func() net.Conn {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var served sync.WaitGroup
	served.Go(func() { serve(ctx, ln) })
	t.Cleanup(func() { cancel(); served.Wait() })
	return func() net.Conn {
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
}

func TestCalls(t *testing.T) {
	f := newFake("/h")
	c := NewClient(dialled(t, (&Server{Backend: f, View: f.view}).Serve)())
	for _, step := range []struct {
		method string
		args   []any
		want   string // result, or error
	}{
		{"ping", nil, `{"msg":"pong"}`}, // pm2 itself dies of a ping without arguments
		{"nosuch", nil, `method "nosuch" does not exist`},
		{"", nil, ".method required"},
		{"getVersion", []any{map[string]any{}}, `"7.0.4"`},
		{"stopProcessId", nil, "cannot run the call: argument 1 is missing"},
		{"stopProcessId", []any{7}, "cannot find process 7"},
		{"stopProcessId", []any{-1}, "cannot find a process with id -1"},
		{"stopProcessId", []any{map[string]any{"id": "x"}}, "cannot find a process with id x"},
		{"restartProcessId", []any{nil}, "cannot find a process with id <nil>"},
		{"restartProcessId", []any{[]int{1}}, "argument 1"},
		{"prepare", []any{map[string]any{"instances": "many"}}, "cannot use instances"},
		{"stopWatch", []any{"deleteAll", map[string]any{"pid": 5}}, `{"success":true}`},
		{"stopWatch", []any{"stopProcessId", 5}, "cannot find process 5"},
		{"sendSignalToProcessName", []any{map[string]any{"process_name": "q", "signal": "SIGINT"}}, `cannot find process "q"`},
		{"msgProcess", []any{map[string]any{"name": "q", "msg": "m"}}, `{"process_count":0,"success":true}`},
		{"monitor", []any{0}, "pm2.io is not supported"},
		{"getMonitorData", nil, "[]"},
		{"getSystemData", nil, `{"CPU Usage":{"value":12.3,"type":"metric","unit":"%","historic":true},`},
	} {
		got, err := c.Call(t.Context(), step.method, step.args...)
		text := string(got)
		if err != nil {
			text = err.Error()
		}
		if !strings.Contains(text, step.want) {
			t.Errorf("%s%v: %s, want %s", step.method, step.args, text, step.want)
		}
	}
}

func TestMethodsAreListed(t *testing.T) {
	f := newFake("/h")
	conn := dialled(t, (&Server{Backend: f}).Serve)()
	arg, _ := JSON(map[string]string{"type": "methods"})
	conn.Write(AppendMessage(nil, arg, Text("a:1")))
	m, err := ReadMessage(conn, MaxMessage)
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ Methods map[string]any }
	if err := m.decode(0, &got); err != nil || len(got.Methods) != len(methods()) || got.Methods["prepare"] == nil {
		t.Errorf("%v, error %v", got, err)
	}
}

func TestGarbageEndsTheConnectionOnly(t *testing.T) {
	f := newFake("/h")
	dial := dialled(t, (&Server{Backend: f}).Serve)
	for _, in := range []string{"GET / HTTP/1.1\r\n\r\n", "\x11\xff\xff\xff\xff", "\x10"} {
		c := dial()
		c.Write([]byte(in))
		c.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after %q: %v", in, err)
		}
	}
	if _, err := NewClient(dial()).Call(t.Context(), "ping"); err != nil {
		t.Error(err)
	}
}

// TestSlowCallsRunSideBySide: an answer does not wait for the call before it.
func TestSlowCallsRunSideBySide(t *testing.T) {
	f := &slow{fake: newFake("/h"), release: make(chan struct{})}
	conn := dialled(t, (&Server{Backend: f}).Serve)()
	for i, method := range []string{"reloadLogs", "ping"} {
		arg, _ := JSON(map[string]any{"type": "call", "method": method, "args": []any{}})
		conn.Write(AppendMessage(nil, arg, Text(fmt.Sprint(i))))
	}
	for _, want := range []string{"1", "0"} {
		m, err := ReadMessage(conn, MaxMessage)
		if id, _ := m.text(1); err != nil || id != want {
			t.Fatalf("answer %q, error %v, want %s", id, err, want)
		}
		if want == "1" {
			close(f.release)
		}
	}
}

type slow struct {
	*fake
	release chan struct{}
}

func (s *slow) ReloadLogs(context.Context) error { <-s.release; return nil }

func TestClientCallEndsWithItsContext(t *testing.T) {
	f := &slow{fake: newFake("/h"), release: make(chan struct{})}
	c := NewClient(dialled(t, (&Server{Backend: f}).Serve)())
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := c.Call(ctx, "reloadLogs"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	close(f.release)
}

func TestClientLists(t *testing.T) {
	f := newFake("/h")
	f.Start(t.Context(), Config{Spec: app.Spec{Name: "a", Script: "/a.js", Instances: 2, MergeLogs: false}})
	f.procs[1].OutLog = filepath.Join("/h", "logs", "a-out-1.log")
	c := NewClient(dialled(t, (&Server{Backend: f, View: f.view}).Serve)())
	list, err := c.List(t.Context(), "/h")
	if err != nil || len(list) != 2 || list[1].ID != 1 || list[1].PID != 100001 || list[1].Config.Spec.Script != "/a.js" || list[1].Config.Spec.OutFile != "" {
		t.Errorf("%+v, error %v", list, err)
	}
}

func TestBus(t *testing.T) {
	b := &Bus{}
	if err := b.Publish("nobody", make(chan int)); err != nil {
		t.Errorf("without subscribers a payload is encoded: %v", err)
	}
	dial := dialled(t, b.Serve)
	one, two := dial(), dial()
	waitFor(t, "two subscribers", func() bool { return b.Stats().Subscribers == 2 })
	if err := b.Publish(TopicOut, LogEvent(app.Status{ID: 1, Name: "a"}, "x\n", time.UnixMilli(5))); err != nil {
		t.Fatal(err)
	}
	for _, c := range []net.Conn{one, two} {
		m, err := ReadMessage(c, MaxMessage)
		if err != nil {
			t.Fatal(err)
		}
		topic, _ := m.text(0)
		if want := `j:{"at":5,"data":"x\n","process":{"pm_id":1,"name":"a","rev":null,"namespace":"default"}}`; topic != "log:out" || string(m[1]) != want {
			t.Errorf("%s %s, want %s", topic, m[1], want)
		}
	}
	one.Close()
	waitFor(t, "one to leave", func() bool { return b.Stats().Subscribers == 1 })
	if err := b.Publish("x", make(chan int)); err == nil {
		t.Error("a channel was encoded")
	}
}

// TestSlowSubscriberLosesAlone: it neither delays the publisher nor the other.
func TestSlowSubscriberLosesAlone(t *testing.T) {
	b := &Bus{}
	dial := dialled(t, b.Serve)
	dial() // never reads
	quick := dial()
	waitFor(t, "two subscribers", func() bool { return b.Stats().Subscribers == 2 })
	big := strings.Repeat("x", 1<<20)
	const events = 40
	for i := range events {
		b.Publish("n", map[string]any{"i": i, "big": big})
		if m, err := ReadMessage(quick, MaxMessage); err != nil || !strings.Contains(string(m[1][len(m[1])-20:]), fmt.Sprintf(`"i":%d}`, i)) {
			t.Fatalf("event %d: error %v", i, err)
		}
	}
	if n := b.Stats().Dropped; n == 0 || n > events {
		t.Errorf("%d events were dropped", n)
	}
}

// TestPageNamesTheMethods keeps docs/pm2.md equal to the table of methods.
func TestPageNamesTheMethods(t *testing.T) {
	page, err := os.ReadFile("../docs/pm2.md")
	if err != nil {
		t.Fatal(err)
	}
	_, wire, _ := strings.Cut(string(page), "\n## Wire\n")
	for _, m := range methods() {
		if !strings.Contains(wire, "`"+m.name+"`") {
			t.Errorf("docs/pm2.md does not mention %s", m.name)
		}
	}
}
