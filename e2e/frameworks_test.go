//go:build linux

package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"gpm/testprog/install"
)

// frameworks are what people really use, from npm; the apps are as their documentation shows them.
func frameworks(t *testing.T) string {
	t.Helper()
	dir, err := install.NPM("frameworks-1", "express@5.3.0", "fastify@5.12.8", "socket.io@4.8.4", "socket.io-client@4.8.4", "ws@8.23.0")
	return filepath.Join(install.Have(t, dir, err), "node_modules")
}

// asUsers runs a test as whoever runs the tests, and as a user without privileges, who gets a copy of the modules: the
// others' home is closed to them.
func asUsers(t *testing.T, modules string, test func(t *testing.T, h *home, modules string)) {
	t.Helper()
	t.Run("itself", func(t *testing.T) { test(t, newHome(t), modules) })
	t.Run("unprivileged", func(t *testing.T) {
		h := newHomeOf(t, nobody(t))
		h.env = append(h.env, "HOME="+h.cwd)
		if modules == "" {
			test(t, h, "")
			return
		}
		readable := filepath.Join(h.cwd, "node_modules")
		if err := os.CopyFS(readable, os.DirFS(modules)); err != nil {
			t.Fatal(err)
		}
		test(t, h, readable)
	})
}

var frameworkApps = map[string]string{
	"express": `
const app = require('express')()
app.get('/', (req, res) => res.send(String(process.pid)))
app.get('/slow', (req, res) => setTimeout(() => res.send(String(process.pid)), 200))
app.listen(Number(process.env.PORT))`,
	"fastify": `
const app = require('fastify')()
app.get('/', async () => String(process.pid))
app.get('/slow', (req, reply) => { setTimeout(() => reply.send(String(process.pid)), 200) })
app.listen({ port: Number(process.env.PORT), host: '127.0.0.1' })`,
}

// TestFrameworks reloads Express and Fastify under load, and kills the daemon meanwhile.
func TestFrameworks(t *testing.T) {
	have := frameworks(t)
	for name, code := range frameworkApps {
		t.Run(name, func(t *testing.T) {
			asUsers(t, have, func(t *testing.T, h *home, modules string) {
				port := freePort(t)
				h.write("web.js", code, 0o644)
				h.must("start", "web.js", "--listen-timeout", "60s", "-i", "2", "--env", "PORT="+port, "--env", "NODE_PATH="+modules)
				h.until("both serve", hang, func() bool { return len(h.servers8(port)) == 2 })
				tr := startTraffic(port)
				h.must("reload", "web")
				kill(t, h.daemon().PID)
				h.must("reload", "web")
				tr.check(t)
			})
		})
	}
}

// chat is a socket.io server, and chatters are clients from several addresses that begin by polling, which works only when every
// request of a client comes to the worker that knows it.
const (
	chat = `
const server = require('http').createServer()
new (require('socket.io').Server)(server).on('connection', (s) => s.on('who', (reply) => reply(process.pid)))
server.listen(Number(process.env.PORT))`
	chatters = `
const { io } = require('socket.io-client'), http = require('http')
async function one(i) {
  const s = io('http://127.0.0.1:' + process.env.PORT, { agent: new http.Agent({ localAddress: '127.0.1.' + (10 + i), keepAlive: false }), reconnection: false })
  await new Promise((resolve, reject) => { s.on('connect', resolve); s.on('connect_error', reject) })
  const pids = new Set()
  for (let n = 0; n < 10; n++) pids.add(await s.timeout(20000).emitWithAck('who'))
  s.close()
  if (pids.size !== 1) throw new Error('client ' + i + ' was with ' + [...pids])
  return [...pids][0]
}
Promise.all([...Array(12).keys()].map(one)).then((all) => console.log(new Set(all).size), (e) => { console.error(e); process.exit(1) })`
)

func TestSocketIO(t *testing.T) { asUsers(t, frameworks(t), testSocketIO) }

func testSocketIO(t *testing.T, h *home, modules string) {
	port := freePort(t)
	h.write("chat.js", chat, 0o644)
	clients := h.write("chatters.js", chatters, 0o644)
	h.must("start", "chat.js", "--listen-timeout", "60s", "-i", "3", "--sticky", "ip", "--env", "PORT="+port, "--env", "NODE_PATH="+modules)
	h.until("it answers", hang, func() bool { return h.polls(port) })
	talk := func() {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "node", clients)
		cmd.Env = append(cmd.Environ(), "PORT="+port, "NODE_PATH="+modules)
		out, err := cmd.CombinedOutput()
		if used, _ := strconv.Atoi(strings.TrimSpace(string(out))); err != nil || used < 2 {
			t.Errorf("12 clients: %v\n%s", err, out)
		}
	}
	talk()
	h.must("reload", "chat")
	talk()
}

func (h *home) polls(port string) bool {
	out, err := ask(h.t.Context(), fresh, port, "/socket.io/?EIO=4&transport=polling")
	return err == nil && strings.Contains(out, "sid")
}

// lasting keeps connections open: WebSockets, and streams of HTTP/2.
const lasting = `
const server = require('http').createServer((req, res) => res.end(String(process.pid))).listen(Number(process.env.PORT))
new (require('ws').WebSocketServer)({ server }).on('connection', (ws) => ws.on('message', () => ws.send(String(process.pid))))
require('http2').createServer().on('stream', (stream) => {
  stream.respond({ ':status': 200 })
  const beat = setInterval(() => stream.write(process.pid + '\n'), 100)
  stream.on('close', () => clearInterval(beat)).on('error', () => {})
}).listen(Number(process.env.PORT2))`

// holders keep one connection of each kind and print when it ended, in milliseconds after the start.
const holders = `
const began = Date.now(), over = {}
const end = (kind) => { if (over[kind]) return; over[kind] = Date.now(); console.log(kind, Date.now() - heard[kind], Date.now() - began) ; if (Object.keys(over).length == 2) process.exit(0) }
const heard = {}, ready = (kind) => { const first = !heard[kind]; heard[kind] = Date.now(); if (first) console.log('open', kind) }
const ws = new (require('ws'))('ws://127.0.0.1:' + process.env.PORT)
ws.on('open', () => setInterval(() => { if (ws.readyState === 1) ws.send('?') }, 100)).on('message', () => ready('ws')).on('close', () => end('ws')).on('error', () => end('ws'))
const session = require('http2').connect('http://127.0.0.1:' + process.env.PORT2)
const stream = session.request({ ':path': '/' })
stream.on('data', () => ready('h2')).on('close', () => end('h2')).on('error', () => end('h2'))
session.on('error', () => end('h2'))`

// TestLastingConnections: what does not end by itself is ended at the grace limit of the old process, not before.
func TestLastingConnections(t *testing.T) {
	modules := frameworks(t)
	h := newHome(t)
	port, port2 := freePort(t), freePort(t)
	h.write("web.js", lasting, 0o644)
	script := h.write("holders.js", holders, 0o644)
	const grace = 3 * time.Second
	h.must("start", "web.js", "--listen-timeout", "60s", "-i", "1", "--kill-timeout", grace.String(), "--env", "PORT="+port, "--env", "PORT2="+port2, "--env", "NODE_PATH="+modules)
	h.until("it answers", hang, func() bool { return len(h.servers8(port)) == 1 })
	said := filepath.Join(h.cwd, "said")
	out, err := os.Create(said)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd := exec.CommandContext(t.Context(), "node", script)
	cmd.Env = append(cmd.Environ(), "PORT="+port, "PORT2="+port2, "NODE_PATH="+modules)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	read := func() string { b, _ := os.ReadFile(said); return string(b) }
	h.until("both are open", hang, func() bool { return strings.Count(read(), "open") == 2 })
	began := time.Now()
	h.must("reload", "web")
	took := time.Since(began)
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, read())
	}
	if took < grace {
		t.Errorf("the reload took %s: the connections ended before the grace limit of %s", took, grace)
	}
	ended := 0
	for _, line := range lines(read()) {
		var kind string
		var silence, age int
		if n, _ := fmt.Sscanf(line, "%s %d %d", &kind, &silence, &age); n < 3 {
			continue
		}
		if ended++; silence > 1500 || age < int(grace.Milliseconds()) {
			t.Errorf("%s: heard last %d ms before its end, %d ms after its start", kind, silence, age)
		}
	}
	if ended != 2 {
		t.Errorf("%d connections ended:\n%s", ended, read())
	}
}

// TestHTTPSTickets: a session that one worker began is resumed by every other, also by those of after a reload.
func TestHTTPSTickets(t *testing.T) {
	needNode(t)
	asUsers(t, "", testHTTPSTickets)
}

func testHTTPSTickets(t *testing.T, h *home, _ string) {
	port := freePort(t)
	h.write("web.js", `
const fs = require('fs')
require('https').createServer({ key: fs.readFileSync('key.pem'), cert: fs.readFileSync('cert.pem') },
  (req, res) => res.end(String(process.pid))).listen(Number(process.env.PORT))`, 0o644)
	h.writeCertificate("key.pem", "cert.pem")
	h.must("start", "web.js", "--listen-timeout", "60s", "-i", "2", "--env", "PORT="+port)
	transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{
		InsecureSkipVerify: true, // it is the resumption that matters here
		ClientSessionCache: tls.NewLRUClientSessionCache(1),
	}}
	client := &http.Client{Transport: transport, Timeout: 30 * time.Second}
	askTLS := func() (pid string, resumed bool, err error) { return askHTTPS(t.Context(), client, port) }
	up := map[string]bool{}
	h.until("both answer", hang, func() bool {
		if pid, _, err := askTLS(); err == nil {
			up[pid] = true
		}
		return len(up) == 2
	})
	for _, between := range []func(){func() {}, func() { h.must("reload", "web") }, func() { kill(t, h.daemon().PID); h.must("reload", "web") }} {
		between()
		pids := map[string]bool{}
		for range 12 {
			pid, resumed, err := askTLS()
			if err != nil || !resumed {
				t.Errorf("worker %s: resumed %v, %v", pid, resumed, err)
			}
			pids[pid] = true
		}
		if len(pids) != 2 {
			t.Errorf("12 connections came to %d workers", len(pids))
		}
	}
}

func askHTTPS(ctx context.Context, client *http.Client, port string) (pid string, resumed bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://127.0.0.1:"+port+"/", nil)
	if err != nil {
		return "", false, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", false, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), resp.TLS.DidResume, err
}

// writeCertificate writes one that nobody trusts.
func (h *home) writeCertificate(key, cert string) {
	h.t.Helper()
	server := httptest.NewTLSServer(nil)
	server.Close()
	pair := server.TLS.Certificates[0]
	private, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		h.t.Fatal(err)
	}
	h.write(key, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})), 0o600)
	h.write(cert, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]})), 0o600)
}
