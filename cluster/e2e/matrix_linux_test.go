package e2e

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"gpm/testprog"
)

// startTwo starts two workers and returns them with the first's port. The second starts when
// the first listens.
func startTwo(t *testing.T, a *app) (w [2]*worker, port int) {
	t.Helper()
	for slot := range w {
		w[slot] = a.start(slot)
		p := w[slot].port(t)
		if slot == 1 && p != port {
			t.Fatalf("ports %d and %d", port, p)
		}
		port = p
	}
	return w, port
}

// reached asks until both workers have answered; ask returns the pid that did.
func reached(t *testing.T, w [2]*worker, ask func() (string, error)) {
	t.Helper()
	seen := map[string]int{}
	for range 400 {
		pid, err := ask()
		if err != nil {
			t.Fatal(err)
		}
		seen[pid]++
		if seen[strconv.Itoa(w[0].cmd.Process.Pid)] > 2 && seen[strconv.Itoa(w[1].cmd.Process.Pid)] > 2 {
			return
		}
	}
	t.Fatalf("answers came from %v", seen)
}

func get(c *http.Client, url string) (string, error) {
	r, err := c.Get(url)
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	return string(body), err
}

// fresh is a client that makes a connection for every request.
func fresh(tr *http.Transport) *http.Client {
	tr.DisableKeepAlives = true
	return &http.Client{Transport: tr, Timeout: patience}
}

func netAsk(network, addr string) func() (string, error) {
	return func() (string, error) {
		c, err := net.Dial(network, addr)
		if err != nil {
			return "", err
		}
		defer c.Close()
		b, err := io.ReadAll(c)
		return string(b), err
	}
}

func TestAWorkerIsAClusterWorker(t *testing.T) {
	a := newApp(t, `
		const c = require('cluster')
		process.send([c.isWorker, c.isPrimary, c.isMaster, c.worker.id, process.connected,
			process.env.NODE_CHANNEL_FD, process.env.NODE_UNIQUE_ID])
		process.on('message', m => process.send(m))`)
	w := a.start(0)
	if got := w.message(t); got != "[true,false,false,1,true,null,null]" {
		t.Errorf("got %s", got)
	}
	if err := w.ch.Send([]byte(`"hello"`)); err != nil {
		t.Fatal(err)
	}
	if got := w.message(t); got != `"hello"` {
		t.Errorf("got %s", got)
	}
}

const netServer = `
	const s = require('net').createServer(c => c.end(String(process.pid)))
	s.on('error', e => process.send({code: e.code, syscall: e.syscall, port: e.port}))
	s.listen(%s, () => process.send(s.address()))`

func TestListenAddresses(t *testing.T) {
	for name, c := range map[string]struct {
		listen string
		v4, v6 bool
		want   string // in address()
	}{
		"none":      {`0`, true, true, `"address":"::"`},
		"127.0.0.1": {`0, '127.0.0.1'`, true, false, `"family":"IPv4"`},
		"localhost": {`0, 'localhost'`, true, false, `"port"`},
		"::1":       {`0, '::1'`, false, true, `"family":"IPv6"`},
		"::":        {`0, '::'`, true, true, `"family":"IPv6"`},
		"ipv6Only":  {`{port: 0, host: '::', ipv6Only: true}`, false, true, `"family":"IPv6"`},
		"0.0.0.0":   {`0, '0.0.0.0'`, true, false, `"family":"IPv4"`},
	} {
		t.Run(name, func(t *testing.T) {
			a := newApp(t, fmt.Sprintf(netServer, c.listen))
			w, port := startTwo(t, a)
			got := w[0].message(t)
			if !strings.Contains(got, c.want) {
				t.Errorf("address %s", got)
			}
			hosts := map[string]bool{"127.0.0.1": c.v4, "::1": c.v6}
			if name == "localhost" && strings.Contains(got, "IPv6") {
				hosts = map[string]bool{"127.0.0.1": false, "::1": true}
			}
			for host, want := range hosts {
				ask := netAsk("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
				if _, err := ask(); (err == nil) != want {
					t.Errorf("by %s: %v", host, err)
				} else if want {
					reached(t, w, ask)
				}
			}
		})
	}
}

func TestUnixPath(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	a := newApp(t, fmt.Sprintf(netServer, `{path: process.argv[2], readableAll: true}`), path)
	w, _ := startTwo(t, a)
	// One queue: whoever wakes first takes all, so only that it works is asked for.
	if pid, err := netAsk("unix", path)(); err != nil || pid == "" {
		t.Errorf("%q %v", pid, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o444 != 0o444 {
		t.Errorf("%v %v", info, err)
	}
	for _, w := range w {
		a.stop(w)
		if err := w.exits(t); err != nil {
			t.Error(err)
		}
	}
}

func TestListenOnAnyPortTwice(t *testing.T) {
	a := newApp(t, `
		const net = require('net'); const ports = []
		for (const i of [0, 1]) { const s = net.createServer(c => c.end(String(process.pid)))
			s.listen(0, '127.0.0.1', () => { ports[i] = s.address().port; if (ports[0] && ports[1]) process.send(ports) }) }`)
	var ports [2][]int
	var w [2]*worker
	for slot := range w {
		w[slot] = a.start(slot)
		w[slot].into(t, &ports[slot])
		w[slot].port(t)
		w[slot].port(t)
	}
	if fmt.Sprint(ports[0]) != fmt.Sprint(ports[1]) || ports[0][0] == ports[0][1] {
		t.Fatalf("ports %v", ports)
	}
	for _, port := range ports[0] {
		reached(t, w, netAsk("tcp", fmt.Sprintf("127.0.0.1:%d", port)))
	}
}

// freePort is one that nobody listens on at the moment.
func freePort(t *testing.T) int {
	t.Helper()
	port, err := testprog.Port(1)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func TestExclusiveListensAreTheWorkersOwn(t *testing.T) {
	a := newApp(t, fmt.Sprintf(netServer, `{port: +process.argv[2], host: '127.0.0.1', exclusive: true}`), strconv.Itoa(freePort(t)))
	if got := a.start(0).message(t); !strings.Contains(got, `"address"`) {
		t.Errorf("first: %s", got)
	}
	if got := a.start(1).message(t); !strings.Contains(got, `"code":"EADDRINUSE"`) {
		t.Errorf("second: %s", got)
	}
}

func TestBindErrorsAreNodesOwn(t *testing.T) {
	foreign, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer foreign.Close()
	port := strconv.Itoa(foreign.Addr().(*net.TCPAddr).Port)
	for listen, want := range map[string]string{
		`+process.argv[2], '127.0.0.1'`: `{"code":"EADDRINUSE","syscall":"bind","port":` + port + `}`,
		`+process.argv[2]`:              `{"code":"EADDRINUSE","syscall":"bind","port":` + port + `}`,
		`0, '192.0.2.1'`:                `{"code":"EADDRNOTAVAIL","syscall":"bind"}`,
		`{path: '/nonexistent/s'}`:      `{"code":"ENOENT","syscall":"bind","port":-1}`,
		`{fd: 99}`:                      `{"code":"EINVAL","syscall":"bind"}`,
	} {
		a := newApp(t, fmt.Sprintf(netServer, listen), port)
		if got := a.start(0).message(t); !strings.HasPrefix(got, want[:len(want)-1]) {
			t.Errorf("%s: %s, want %s", listen, got, want)
		}
	}
}

func TestTheSamePortTwiceInOneWorker(t *testing.T) {
	a := newApp(t, `
		const net = require('net'); const port = +process.argv[2]
		net.createServer().listen(port, () => net.createServer().on('error', e => process.send(e.code)).listen(port))`, strconv.Itoa(freePort(t)))
	for slot := range 2 {
		if got := a.start(slot).message(t); got != `"EADDRINUSE"` {
			t.Errorf("got %s", got)
		}
	}
}

func TestCloseAndListenAgain(t *testing.T) {
	a := newApp(t, `
		const s = require('net').createServer(c => c.end(String(process.pid)))
		const port = +process.argv[2]
		s.listen(port, '127.0.0.1')
		process.on('message', () => s.close(() => s.listen(port, '127.0.0.1', () => process.send('again'))))`, strconv.Itoa(freePort(t)))
	w, port := startTwo(t, a)
	ask := netAsk("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	for range 3 {
		for _, w := range w {
			if err := w.ch.Send([]byte(`1`)); err != nil {
				t.Fatal(err)
			}
			if got := w.message(t); got != `"again"` {
				t.Errorf("got %s", got)
			}
			w.port(t)
		}
		reached(t, w, ask)
	}
}

func TestUDP(t *testing.T) {
	for typ, host := range map[string]string{"udp4": "127.0.0.1", "udp6": "::1"} {
		a := newApp(t, `
			const s = require('dgram').createSocket(process.argv[2])
			s.on('message', (m, from) => s.send(m + '!', from.port, from.address)); s.bind(0, process.argv[3])`, typ, host)
		_, port := startTwo(t, a)
		c, err := net.Dial("udp", net.JoinHostPort(host, strconv.Itoa(port)))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(patience))
		buf := make([]byte, 10)
		fmt.Fprint(c, "hi")
		if n, err := c.Read(buf); err != nil || string(buf[:n]) != "hi!" {
			t.Errorf("%s: %q %v", typ, buf[:n], err)
		}
	}
}

const httpServer = `
	const s = require('http').createServer((q, r) => r.end(String(process.pid)))
	s.on('upgrade', (q, c) => { c.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n'); c.pipe(c) })
	s.listen(0, '127.0.0.1')`

func TestHTTP(t *testing.T) {
	a := newApp(t, httpServer)
	w, port := startTwo(t, a)
	client := fresh(&http.Transport{})
	reached(t, w, func() (string, error) { return get(client, url(port)) })
}

func TestUpgrade(t *testing.T) {
	a := newApp(t, httpServer)
	_, port := startTwo(t, a)
	c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	in := bufio.NewReader(c)
	r, err := http.ReadResponse(in, nil)
	if err != nil || r.StatusCode != 101 {
		t.Fatalf("%v %v", r, err)
	}
	fmt.Fprint(c, "ping\n")
	if got, err := in.ReadString('\n'); got != "ping\n" {
		t.Errorf("%q %v", got, err)
	}
}

// certificate writes a self-signed one and returns the paths and a pool that trusts it.
func certificate(t *testing.T) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	pool.AddCert(parsed)
	dir := t.TempDir()
	cert, key = dir+"/cert.pem", dir+"/key.pem"
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key, pool
}

// TestHTTPSSharesTickets: a session made with one worker is resumed by the other.
func TestHTTPSSharesTickets(t *testing.T) {
	cert, key, pool := certificate(t)
	a := newApp(t, `
		const fs = require('fs'); const [cert, key] = process.argv.slice(2).map(f => fs.readFileSync(f))
		const s = require('https').createServer({cert, key, maxVersion: 'TLSv1.2'}, (q, r) => r.end(String(process.pid)))
		s.listen(0, '127.0.0.1')`, cert, key)
	w, port := startTwo(t, a)
	config := &tls.Config{RootCAs: pool, ClientSessionCache: tls.NewLRUClientSessionCache(8)}
	client := fresh(&http.Transport{TLSClientConfig: config})
	first := true
	reached(t, w, func() (string, error) {
		r, err := client.Get(fmt.Sprintf("https://127.0.0.1:%d/", port))
		if err != nil {
			return "", err
		}
		defer r.Body.Close()
		if !first && !r.TLS.DidResume {
			t.Error("a session was not resumed")
		}
		first = false
		body, err := io.ReadAll(r.Body)
		return string(body), err
	})
}

func TestHTTP2(t *testing.T) {
	cert, key, pool := certificate(t)
	const app = `
		const h = require('http2'), fs = require('fs'); const [cert, key] = process.argv.slice(2).map(f => fs.readFileSync(f))
		const s = %s
		s.on('stream', st => { st.respond({':status': 200}); st.end(String(process.pid)) }); s.listen(0, '127.0.0.1')`
	for scheme, create := range map[string]string{"http": `h.createServer()`, "https": `h.createSecureServer({cert, key})`} {
		a := newApp(t, fmt.Sprintf(app, create), cert, key)
		w, port := startTwo(t, a)
		reached(t, w, func() (string, error) {
			var p http.Protocols
			p.SetHTTP2(scheme == "https")
			p.SetUnencryptedHTTP2(scheme == "http")
			tr := &http.Transport{Protocols: &p, TLSClientConfig: &tls.Config{RootCAs: pool}}
			defer tr.CloseIdleConnections()
			return get(&http.Client{Transport: tr, Timeout: patience}, fmt.Sprintf("%s://127.0.0.1:%d/", scheme, port))
		})
	}
}
