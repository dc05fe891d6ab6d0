//go:build unix

package agent

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// server answers every request, and prints its URL when it listens.
const server = `
const http = require('http');
http.createServer((req, res) => res.end('ok')).listen(0, '127.0.0.1', function () {
  console.log('http://127.0.0.1:' + this.address().port);
});
`

// looks prints what an app can see of its surroundings.
const looks = `
const { Worker } = require('worker_threads');
const { execFileSync, fork } = require('child_process');
const see = 'JSON.stringify([process.env.NODE_OPTIONS, process.env.GPM_AGENT_FD, process.execArgv].map((x) => x === undefined ? null : x))';
const events = process.eventNames().map(String).sort().map((e) => [e, process.listenerCount(e)]);
const cache = Object.keys(require.cache).filter((f) => f !== __filename);
const thread = new Worker('require("worker_threads").parentPort.postMessage(' + see + ')', { eval: true });
thread.on('message', (inThread) => console.log(JSON.stringify({
  here: JSON.parse(eval(see)), thread: JSON.parse(inThread),
  child: JSON.parse(execFileSync(process.execPath, ['-p', see])),
  events, cache, handles: process._getActiveHandles().length, debugPort: process.debugPort,
})));
`

// TestAppSeesNothing: with the agent the app sees just what it sees without.
func TestAppSeesNothing(t *testing.T) {
	eachNode(t, func(t *testing.T, node string) {
		for _, options := range []string{"unset", "", " --no-warnings  ", `--require="./b \"c.cjs" --no-deprecation`} {
			file := write(t, "app.cjs", looks)
			write(t, filepath.Join(filepath.Dir(file), `b "c.cjs`), "")
			env := cleanEnv()
			if options != "unset" {
				env = append(env, "NODE_OPTIONS="+options)
			}
			at := func(env []string) func(*exec.Cmd) {
				return func(c *exec.Cmd) { c.Dir, c.Env = filepath.Dir(file), env }
			}
			with := start(t, node, file, at(Inject(env, install(t), 3)))
			without := start(t, node, file, at(env), func(c *exec.Cmd) { c.ExtraFiles = nil })
			if h := receive(t, with.hello); h.PID != with.cmd.Process.Pid || h.Node != nodeVersion(t, node) {
				t.Error(h)
			}
			var seen, want map[string]any
			with.json(&seen)
			without.json(&want)
			if !reflect.DeepEqual(seen, want) {
				t.Errorf("%q: seen %v, want %v", options, seen, want)
			}
		}
	})
}

// TestConnectionStaysHere: the app's children do not inherit it.
func TestConnectionStaysHere(t *testing.T) {
	if _, err := os.Stat("/proc/self/fd"); err != nil {
		t.Skip("needs /proc")
	}
	const script = `
const fs = require('fs');
const list = 'const fs = require("fs"); JSON.stringify(fs.readdirSync("/proc/self/fd").map((n) => { try { return fs.readlinkSync("/proc/self/fd/" + n) } catch { return "" } }))';
const socket = fs.readlinkSync('/proc/self/fd/' + process.argv[2]);
const child = JSON.parse(require('child_process').execFileSync(process.execPath, ['-p', list]));
console.log(JSON.stringify({ here: socket.startsWith('socket:'), child: child.includes(socket) }));
`
	eachNode(t, func(t *testing.T, node string) {
		for _, fd := range []string{"3", "15"} {
			a := start(t, node, write(t, "app.js", script), func(c *exec.Cmd) {
				c.Args = append(c.Args, fd)
				if fd == "15" {
					c.Env = Inject(c.Env, install(t), 15)
					c.ExtraFiles = append(make([]*os.File, 12), c.ExtraFiles[0])
				}
			})
			receive(t, a.hello)
			var seen struct{ Here, Child bool }
			if a.json(&seen); !seen.Here || seen.Child {
				t.Errorf("descriptor %s: %+v", fd, seen)
			}
		}
	})
}

// TestNoConnection: without a socket at its number the agent is not there at all.
func TestNoConnection(t *testing.T) {
	eachNode(t, func(t *testing.T, node string) {
		file := write(t, "app.js", "console.log(process.env.NODE_OPTIONS, process.stdout._handle.isOpen)")
		cases := map[string]func(*exec.Cmd){
			"closed": func(c *exec.Cmd) { c.Env = Inject(cleanEnv(), install(t), 9) },
			"stdin":  func(c *exec.Cmd) { c.Env = Inject(cleanEnv(), install(t), 0) },
			"no number": func(c *exec.Cmd) {
				c.Env = append(Inject(cleanEnv(), install(t), 3), FDVariable+"=x")
			},
			"no socket": func(c *exec.Cmd) {
				null, err := os.Open(os.DevNull)
				check(t, err)
				t.Cleanup(func() { null.Close() })
				c.ExtraFiles = []*os.File{null}
			},
		}
		for name, change := range cases {
			a := start(t, node, file, change)
			if got := a.line(); got != "undefined undefined" {
				t.Error(name, got)
			}
			check(t, a.cmd.Wait())
			if len(a.hello) > 0 {
				t.Error(name, "it said hello")
			}
		}
	})
}

// TestAppsChannelIsNotTaken even when the number is that of the app's IPC channel.
func TestAppsChannelIsNotTaken(t *testing.T) {
	eachNode(t, func(t *testing.T, node string) {
		ours, theirs := pair(t)
		a := start(t, node, write(t, "app.js", "process.send('hi'); process.disconnect()"), func(c *exec.Cmd) {
			c.Env = append(Inject(cleanEnv(), install(t), 3), "NODE_CHANNEL_FD=3")
			c.ExtraFiles = []*os.File{theirs}
		})
		theirs.Close()
		got, err := io.ReadAll(ours)
		check(t, err)
		if string(got) != "\"hi\"\n" {
			t.Errorf("%q", got)
		}
		check(t, a.cmd.Wait())
	})
}

func TestStats(t *testing.T) {
	const script = `
let kept;
setInterval(() => {
  kept = Array.from({ length: 50000 }, (_, n) => ({ n }));
  const until = Date.now() + 60;
  while (Date.now() < until);
}, 80);
`
	eachNode(t, func(t *testing.T, node string) {
		a := start(t, node, write(t, "app.js", script))
		check(t, a.conn.Subscribe(300*time.Millisecond))
		a.report()
		s := a.report()
		if m := s.Memory; m.RSS < m.HeapTotal || m.HeapTotal < m.HeapUsed || m.HeapUsed < 1<<20 || m.External <= 0 || m.ArrayBuffers <= 0 {
			t.Errorf("memory: %+v", m)
		}
		if s.NewSpace.Size <= 0 || s.OldSpace.Used <= 0 || s.OldSpace.Size < s.OldSpace.Used || s.HeapLimit < s.Memory.HeapTotal {
			t.Errorf("spaces: %+v", s)
		}
		if g := s.GC[Scavenge]; g.Count == 0 || g.Total < g.Max || g.Max <= 0 || g.Total > patience {
			t.Errorf("garbage collection: %+v", s.GC)
		}
		if l := s.Loop; l.P50 > l.P95 || l.P95 > l.P99 || l.P99 > l.Max || l.Max < 30*time.Millisecond || l.Utilization < 0.3 || l.Utilization > 1 {
			t.Errorf("loop: %+v", l)
		}
		if s.Period < 250*time.Millisecond || s.Handles < 1 {
			t.Errorf("%+v", s)
		}
	})
}

func TestMajorCollectionsAreCounted(t *testing.T) {
	eachNode(t, func(t *testing.T, node string) {
		a := start(t, node, write(t, "app.js", "setInterval(gc, 20)"), func(c *exec.Cmd) {
			c.Args = []string{c.Args[0], "--expose-gc", c.Args[1]}
		})
		check(t, a.conn.Subscribe(minInterval))
		for a.report().GC[MarkSweep].Count == 0 {
		}
	})
}

// TestReportsOutliveTheirCredit, and end when asked to.
func TestReportsOutliveTheirCredit(t *testing.T) {
	eachNode(t, func(t *testing.T, node string) {
		a := start(t, node, write(t, "app.js", server))
		a.line()
		check(t, a.conn.Subscribe(minInterval))
		for range 13 {
			a.report()
		}
		check(t, a.conn.Subscribe(0))
		_, err := a.conn.Ping(soon(t)) // commands are obeyed in order
		check(t, err)
		for len(a.stats) > 0 {
			<-a.stats
		}
		select {
		case s := <-a.stats:
			t.Error("a report after the end:", s)
		case <-time.After(3 * minInterval):
		}
	})
}

// TestAppEndsByItself: nothing of the agent keeps it alive.
func TestAppEndsByItself(t *testing.T) {
	eachNode(t, func(t *testing.T, node string) {
		a := start(t, node, write(t, "app.js", "setTimeout(() => {}, 400)"))
		receive(t, a.hello)
		check(t, a.conn.Subscribe(minInterval))
		a.report()
		go a.conn.CPUProfile(soon(t), filepath.Join(t.TempDir(), "x"), patience)
		check(t, a.cmd.Wait())
		if err := a.conn.Drain(soon(t)); err == nil {
			t.Error("drained though gone")
		}
	})
}

// TestGpmGoes: the app outlives gpm's end, whatever its last words were.
func TestGpmGoes(t *testing.T) {
	eachNode(t, func(t *testing.T, node string) {
		for _, words := range []string{"", `{"id":1,"do":"pi`, "\n\n\x00garbage\n7\n[]\n{\"do\":\"toString\"}\n{\"do\":7}\n", strings.Repeat("x", 3<<20)} {
			a := start(t, node, write(t, "app.js", server))
			url := a.line()
			check(t, a.conn.Subscribe(minInterval))
			a.report()
			_, err := io.WriteString(a.conn.file, words)
			check(t, err)
			if _, err := a.conn.Ping(soon(t)); err != nil {
				t.Errorf("after %.20q: %v", words, err)
			}
			check(t, a.conn.Close())
			for range 3 {
				get(t, http.DefaultClient, url)
			}
		}
	})
}

func get(t *testing.T, client *http.Client, url string) *http.Response {
	t.Helper()
	resp, err := client.Get(url)
	check(t, err)
	_, err = io.Copy(io.Discard, resp.Body)
	check(t, err)
	resp.Body.Close()
	return resp
}

func TestDrain(t *testing.T) {
	eachNode(t, func(t *testing.T, node string) {
		a := start(t, node, write(t, "app.js", server))
		url := a.line()
		client := &http.Client{Transport: &http.Transport{}}
		defer client.CloseIdleConnections()
		if get(t, client, url).Close {
			t.Error("closes before the drain")
		}
		check(t, a.conn.Drain(soon(t)))
		check(t, a.conn.Drain(soon(t)))
		for range 2 {
			if !get(t, client, url).Close {
				t.Error("does not say Connection: close")
			}
		}
	})
}

func TestDrainHTTP2(t *testing.T) {
	const script = `
const server = require('http2').createServer((req, res) => setTimeout(() => res.end('ok'), 50));
server.on('session', (s) => s.on('close', () => console.log('closed')));
server.listen(0, '127.0.0.1', () => console.log('http://127.0.0.1:' + server.address().port));
`
	eachNode(t, func(t *testing.T, node string) {
		needMajor(t, node, 24)
		a := start(t, node, write(t, "app.js", script))
		url := a.line()
		var protocols http.Protocols
		protocols.SetUnencryptedHTTP2(true)
		client := &http.Client{Transport: &http.Transport{Protocols: &protocols}}
		defer client.CloseIdleConnections()
		get(t, client, url)
		check(t, a.conn.Drain(soon(t)))
		if resp := get(t, client, url); resp.StatusCode != http.StatusOK {
			t.Error(resp.Status)
		}
		if got := a.line(); got != "closed" {
			t.Error(got)
		}
		get(t, client, url)
	})
}

// TestModules: of CommonJS, ES modules, JSON and TypeScript.
func TestModules(t *testing.T) {
	eachNode(t, func(t *testing.T, node string) {
		main := write(t, "main.mjs", `
import './dep.mjs'; import { createRequire } from 'module';
createRequire(import.meta.url)('./old.cjs');
console.log('ready'); setInterval(() => {}, 1000);
`)
		dir := filepath.Dir(main)
		write(t, filepath.Join(dir, "dep.mjs"), "export default 1")
		write(t, filepath.Join(dir, "old.cjs"), "require('./data.json')")
		write(t, filepath.Join(dir, "data.json"), "{}")
		a := start(t, node, main)
		a.line()
		files, err := a.conn.Modules(soon(t))
		check(t, err)
		for i, f := range files {
			files[i] = filepath.Base(f)
		}
		slices.Sort(files)
		if !slices.Equal(files, []string{"data.json", "dep.mjs", "main.mjs", "old.cjs"}) {
			t.Error(files)
		}
	})
}

// TestLinkedScript: an app whose script is a link, as programs of node_modules/.bin are, finds what lies beside the file.
func TestLinkedScript(t *testing.T) {
	eachNode(t, func(t *testing.T, node string) {
		main := write(t, "main.js", "console.log(__filename); setInterval(() => {}, 1000);")
		link := filepath.Join(t.TempDir(), "program")
		if err := os.Symlink(main, link); err != nil {
			t.Fatal(err)
		}
		if got := start(t, node, link).line(); filepath.Base(got) != "main.js" {
			t.Errorf("the app takes itself for %s, want %s", got, main)
		}
	})
}

func TestTypeScript(t *testing.T) {
	eachNode(t, func(t *testing.T, node string) {
		needMajor(t, node, 22)
		main := write(t, "main.ts", "const n: number = 1; console.log('ready', n); setInterval(() => {}, 1000);")
		a := start(t, node, main, func(c *exec.Cmd) {
			c.Args = []string{c.Args[0], "--experimental-strip-types", main}
		})
		a.line()
		files, err := a.conn.Modules(soon(t))
		if err != nil || !slices.Equal(files, []string{main}) {
			t.Error(files, err)
		}
	})
}

func TestHeapAndProfiles(t *testing.T) {
	eachNode(t, func(t *testing.T, node string) {
		a := start(t, node, write(t, "app.js", `
class Kept {}
globalThis.kept = new Kept();
const all = [];
setInterval(function burn() {
  for (let i = 0; i < 1e3; i++) all.push({ i });
  for (const until = Date.now() + 4; Date.now() < until; );
}, 5);
console.log('ready');
`))
		a.line()
		dir := t.TempDir()
		snapshot, cpu, heap := filepath.Join(dir, "a.heapsnapshot"), filepath.Join(dir, "a.cpuprofile"), filepath.Join(dir, "a.heapprofile")
		check(t, a.conn.HeapSnapshot(soon(t), snapshot))
		check(t, a.conn.CPUProfile(soon(t), cpu, 300*time.Millisecond))
		check(t, a.conn.HeapProfile(soon(t), heap, 300*time.Millisecond))
		contains(t, snapshot, "snapshot", "Kept")
		contains(t, cpu, "samples", "burn")
		contains(t, heap, "head", "burn")
		if err := a.conn.HeapSnapshot(soon(t), snapshot); err == nil {
			t.Error("wrote over a file")
		}
		if err := a.conn.CPUProfile(soon(t), filepath.Join(dir, "missing", "x"), time.Millisecond); err == nil {
			t.Error("no error for a missing folder")
		}
	})
}

// contains wants file to be private JSON with key and, somewhere, text.
func contains(t *testing.T, file, key, text string) {
	t.Helper()
	content, err := os.ReadFile(file)
	check(t, err)
	var object map[string]any
	if err := json.Unmarshal(content, &object); err != nil || object[key] == nil || !strings.Contains(string(content), text) {
		t.Errorf("%s: no %s or %s in it: %v", filepath.Base(file), key, text, err)
	}
	info, err := os.Stat(file)
	check(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Error(filepath.Base(file), info.Mode())
	}
}
