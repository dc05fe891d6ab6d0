//go:build linux

package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"gpm/app"
)

// guest is a machine with a systemd of its own, in which gpm is the service gpm-deploy of the user deploy.
type guest struct {
	t        *testing.T
	exec     func(user string, words []string) result
	patience time.Duration // for anything to happen
}

// run runs a command, as a user if one is given.
func (g *guest) run(user string, words ...string) result {
	g.t.Helper()
	return g.exec(user, words)
}

func (g *guest) must(words ...string) string {
	g.t.Helper()
	return g.mustAs("", words...)
}

func (g *guest) mustAs(user string, words ...string) string {
	g.t.Helper()
	r := g.run(user, words...)
	if r.code != 0 {
		g.t.Fatalf("%v: exit %d\n%s%s", words, r.code, r.out, r.err)
	}
	return r.out
}

func (g *guest) until(what string, ok func() bool) {
	g.t.Helper()
	deadline := time.After(g.patience)
	for !ok() {
		select {
		case <-deadline:
			g.t.Fatalf("not within %s: %s\n%s", g.patience, what, g.run("", "systemctl", "status", "--no-pager", "gpm-deploy").out)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// property is what systemd says of a service.
func (g *guest) property(unit, name string) string {
	g.t.Helper()
	return strings.TrimSpace(g.must("systemctl", "show", "--value", "-p", name, unit))
}

// gpm runs gpm as the user of the service.
func (g *guest) gpm(args ...string) string {
	g.t.Helper()
	return g.mustAs("deploy", append([]string{"gpm"}, args...)...)
}

// online lists the processes that are up, by id, as "name pid".
func (g *guest) online() map[int]string {
	g.t.Helper()
	var list []app.Status
	r := g.run("deploy", "gpm", "list", "--json")
	if json.Unmarshal([]byte(r.out), &list) != nil {
		return nil
	}
	up := map[int]string{}
	for _, st := range list {
		if st.State == app.Online {
			up[st.ID] = fmt.Sprintf("%s %d", st.Name, st.PID)
		}
	}
	return up
}

func (g *guest) untilOnline(what string, n int) map[int]string {
	g.t.Helper()
	g.until(what, func() bool { return len(g.online()) == n })
	return g.online()
}

func (g *guest) same(what string, before map[int]string) {
	g.t.Helper()
	if now := g.online(); fmt.Sprint(now) != fmt.Sprint(before) {
		g.t.Errorf("%s: was %v, is %v", what, before, now)
	}
}
