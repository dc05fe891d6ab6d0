//go:build linux

package e2e

import (
	"os"
	"testing"

	"gpm/app"
	"gpm/testprog/install"
)

// module is webApp for those that want ES modules.
const module = `
import http from 'node:http'
import process from 'node:process'
http.createServer((req, res) => setTimeout(() => res.end(String(process.pid)), req.url === '/slow' ? 200 : 0)).listen(Number(process.env.PORT))
`

// typed needs its types stripped.
const typed = `
import http from 'node:http'
import cluster from 'node:cluster'
const port: number = Number(process.env.PORT)
http.createServer((req: http.IncomingMessage, res: http.ServerResponse) => {
  const answer = (): unknown => res.end(String(cluster.isWorker ? process.pid : 'no worker'))
  setTimeout(answer, req.url === '/slow' ? 200 : 0)
}).listen(port)
`

// TestOtherRuntimes shares a port among workers of Deno, of Bun, and of a newer Node that runs TypeScript by itself.
// Deno's connections pass through the daemon, and Bun's servers share by themselves.
func TestOtherRuntimes(t *testing.T) {
	for name, c := range map[string]struct {
		file, code string
		args       []string
		lossless   []string // the kinds of requests of which a reload loses none
	}{
		"deno": {"web.mjs", module, []string{"--interpreter", "deno", "--interpreter-args", "run -A --no-config"}, []string{"new", "slow"}},
		"bun":  {"web.mjs", module, []string{"--interpreter", "bun"}, nil},
		"node": {"web.ts", typed, nil, []string{"new", "kept", "slow"}},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHome(t)
			h.env = append(h.env, "PATH="+install.Program(t, name)+":"+os.Getenv("PATH"))
			port := freePort(t)
			h.write(c.file, c.code, 0o644)
			h.must(append([]string{"start", c.file, "--listen-timeout", "60s", "-i", "2", "--name", "web", "--env", "PORT=" + port}, c.args...)...)
			h.until("both serve", hang, func() bool { return len(h.servers8(port)) == 2 })
			tr := startTraffic(port)
			for range 2 {
				before := pidsOf(h.instances("web"))
				h.must("reload", "web")
				if after := pidsOf(h.instances("web")); after[0] == before[0] || after[1] == before[1] {
					t.Errorf("pids were %v and are %v", before, after)
				}
			}
			tr.checkOnly(t, c.lossless...)
			kill(t, h.daemon().PID)
			h.until("both serve again", hang, func() bool { return len(h.servers8(port)) == 2 })
			kill(t, h.instances("web")[0].PID)
			h.until("the dead one is replaced", hang, func() bool {
				return h.instances("web")[0].State == app.Online && len(h.servers8(port)) == 2
			})
		})
	}
}
