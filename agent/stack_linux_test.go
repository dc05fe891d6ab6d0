package agent

import (
	"context"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// hangs hangs in spin as soon as it gets a line.
const hangs = `
process.stdin.once('data', function hang() {
  spin();
});
function spin() {
  let n = 0;
  while (true) n = n * 31 % 7;
}
console.log('ready');
`

func TestStackOfHungLoop(t *testing.T) {
	eachNode(t, func(t *testing.T, node string) {
		for _, name := range []string{"app.cjs", "app.mjs"} {
			file := write(t, name, hangs)
			a := start(t, node, file)
			a.hang()

			frames, err := a.conn.Stack(soon(t), a.cmd.Process.Pid)
			check(t, err)
			if f := frames[0]; f.Function != "spin" || f.File != file || f.Line < 6 || f.Line > 7 {
				t.Errorf("it does not show the loop: %v", frames)
			}
			if frames[1].Function != "hang" || frames[1].Line != 3 {
				t.Errorf("it does not show the caller: %v", frames)
			}
		}
	})
}

// hang makes the app hang and proves that it does.
func (a *app) hang() {
	a.t.Helper()
	a.line()
	_, err := a.conn.Ping(soon(a.t))
	check(a.t, err)
	_, err = io.WriteString(a.stdin, "\n")
	check(a.t, err)
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) {
		ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
		_, err := a.conn.Ping(ctx)
		cancel()
		if errors.Is(err, context.DeadlineExceeded) {
			return
		}
	}
	a.t.Fatal("it does not hang")
}

func TestStackLeavesTheAppAlone(t *testing.T) {
	cases := map[string]struct {
		first  string
		change func(*exec.Cmd)
	}{
		"own listener":  {first: "process.on('SIGUSR1', () => console.log('mine'));"},
		"own inspector": {change: func(c *exec.Cmd) { c.Args = append([]string{c.Args[0], "--inspect-port=0"}, c.Args[1:]...) }},
	}
	eachNode(t, func(t *testing.T, node string) {
		for name, c := range cases {
			change := []func(*exec.Cmd){}
			if c.change != nil {
				change = append(change, c.change)
			}
			a := start(t, node, write(t, "app.js", c.first+hangs), change...)
			a.hang()
			if _, err := a.conn.Stack(soon(t), a.cmd.Process.Pid); !errors.Is(err, ErrNoInspector) {
				t.Error(name, err)
			}
		}
	})
}

func TestStackOfNobodyKnown(t *testing.T) {
	ours, _ := pair(t)
	if _, err := New(ours, Handlers{}).Stack(soon(t), 1); !errors.Is(err, ErrNoInspector) {
		t.Error(err)
	}
}

// TestWakeSparesTheDeaf: SIGUSR1 would end a process that does not catch it.
func TestWakeSparesTheDeaf(t *testing.T) {
	cmd := exec.Command("cat")
	stdin, err := cmd.StdinPipe()
	check(t, err)
	check(t, cmd.Start())
	if _, err := wakeInspector(soon(t), cmd.Process.Pid); !errors.Is(err, ErrNoInspector) {
		t.Error(err)
	}
	check(t, stdin.Close())
	check(t, cmd.Wait()) // a signal would be an error
}

func TestListeningPorts(t *testing.T) {
	table := `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 77 1
   1: 00000000:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 78 1
   2: 0100007F:1F92 0100007F:1F90 01 00000000:00000000 00:00000000 00000000     0        0 79 1
`
	ports, err := listeningPorts(strings.NewReader(table))
	check(t, err)
	if len(ports) != 1 || ports["77"] != 0x1F90 {
		t.Error(ports)
	}
}

func FuzzListeningPorts(f *testing.F) {
	f.Add("  0: 0100007F:1F90 00000000:0000 0A 0:0 0:0 0 0 0 77 1")
	f.Fuzz(func(t *testing.T, table string) {
		ports, _ := listeningPorts(strings.NewReader(table))
		for inode, port := range ports {
			if inode == "" || port < 0 || port > 0xFFFF {
				t.Error(inode, port)
			}
		}
	})
}
