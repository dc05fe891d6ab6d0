//go:build linux

package e2e

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gpm/app"
	"gpm/testprog"
)

// realProjects has the tests of this file build and run the frameworks themselves, see make projects.
const realProjects = "GPM_REAL_PROJECTS"

// newProject lays a project out: the ecosystem file as its framework's documentation leads to it, with a free port in
// the place of its own, and beside it what a build leaves: small programs of the same layout, or the real thing.
func newProject(t *testing.T, name, file, port string, build func(dir string)) *home {
	t.Helper()
	h := newHome(t)
	root, err := testprog.Root()
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv(realProjects) == "" || build == nil {
		if err := os.CopyFS(h.cwd, os.DirFS(filepath.Join(root, "e2e/testdata/projects", name))); err != nil {
			t.Fatal(err)
		}
	} else {
		build(h.cwd)
	}
	text, err := os.ReadFile(filepath.Join(root, "ecosystem/testdata/good", name, file))
	if err != nil {
		t.Fatal(err)
	}
	own, _, _ := strings.Cut(port, "=")
	h.write(file, strings.ReplaceAll(string(text), own, strings.TrimPrefix(port, own+"=")), 0o644)
	h.env = append(h.env, "PWD="+h.cwd)
	return h
}

// page fetches what a project serves.
func page(t *testing.T, port string) string {
	t.Helper()
	resp, err := http.Get("http://127.0.0.1:" + port + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status, err)
	}
	return string(body)
}

// TestNextStandalone: a cluster of the server that next build leaves, and a release of it that comes by a link.
func TestNextStandalone(t *testing.T) {
	port := freePort(t)
	h := newProject(t, "nextjs", "ecosystem.config.js", "3000="+port, buildNext)
	h.must("start", "ecosystem.config.js")
	h.until("the site answers", 30*time.Second, func() bool { return get(t.Context(), port) == nil })
	for _, st := range h.instances("shop") {
		if st.Mode != app.Cluster || st.State != app.Online {
			t.Errorf("%+v", st)
		}
	}
	if body := page(t, port); !strings.Contains(body, "shop") {
		t.Error(body)
	}
	build := filepath.Join(h.cwd, ".next/standalone/.next/BUILD_ID")
	if os.Getenv(realProjects) == "" {
		if err := os.WriteFile(build, []byte("two\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	h.must("startOrReload", "ecosystem.config.js")
	if body := page(t, port); os.Getenv(realProjects) == "" && !strings.Contains(body, "shop two") {
		t.Error(body)
	}
	if log, err := os.ReadFile(filepath.Join(h.cwd, "logs", "shop.log")); err != nil || !strings.Contains(string(log), "http://127.0.0.1:"+port) {
		t.Errorf("%s %v", log, err)
	}
}

// TestNestMonorepo: an API that says when it is ready, a microservice, and a file in TypeScript.
func TestNestMonorepo(t *testing.T) {
	port := freePort(t)
	h := newProject(t, "nestjs", "ecosystem.config.ts", "3000="+port, buildNest)
	h.must("start", "--env", "production")
	if body := page(t, port); body != `{"env":"production","levels":["warn","error"]}` { // it was ready when start returned
		t.Error(body)
	}
	h.untilState("mailer", app.Online)
	h.until("the mailer works", 30*time.Second, func() bool { return strings.Contains(h.outLog("mailer"), "mailer consumes") })
	h.must("reload", "api")
	if body := page(t, port); !strings.Contains(body, "production") {
		t.Error(body)
	}
	h.must("stop", "mailer")
	if st := h.status("mailer"); st.Exit == nil || st.Exit.Signal != "" && os.Getenv(realProjects) == "" {
		t.Errorf("it did not end by itself: %+v", st.Exit)
	}
}

// TestPythonFleet: a site and its workers, all commands of a virtual environment, in a release that a link names.
func TestPythonFleet(t *testing.T) {
	port := freePort(t)
	h := newProject(t, "workers", "ecosystem.yaml", "8000="+port, buildFleet)
	fileOf := filepath.Join(h.cwd, "ecosystem.yaml")
	text, err := os.ReadFile(fileOf)
	if err != nil {
		t.Fatal(err)
	}
	h.write("ecosystem.yaml", strings.ReplaceAll(string(text), "cpus: [2, 3]", "cpus: [0]"), 0o644)
	releases := filepath.Dir(h.cwd)
	link := filepath.Join(releases, "current")
	relink := func(to string) {
		if err := os.Symlink(to, link+".new"); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(link+".new", link); err != nil {
			t.Fatal(err)
		}
	}
	relink(h.cwd)
	first := h.cwd
	h.cwd, h.env = link, append(h.env, "PWD="+link, "AWS_KEY=hidden", "MY_SECRET=hidden")
	h.must("start", "ecosystem.yaml")
	h.until("the site answers", 30*time.Second, func() bool { return get(t.Context(), port) == nil })
	if body := page(t, port); body != "one fleet.settings 3 []" {
		t.Error(body)
	}
	for i, st := range h.instances("worker-mail") {
		want := fmt.Sprintf("number %d", 10+i)
		h.until(want, 30*time.Second, func() bool { return strings.Contains(h.outLog(fmt.Sprintf("worker-mail-out-%d.log", st.ID)), want) })
	}
	if st := h.status("beat"); st.State != app.Stopped || st.PID != 0 {
		t.Errorf("%+v", st)
	}
	h.must("start", "beat")
	h.untilState("beat", app.Online)

	// The next release: the link moves, and a restart runs what it names now.
	second := filepath.Join(releases, "second")
	if out, err := exec.Command("cp", "-a", first, second).CombinedOutput(); err != nil {
		t.Fatal(string(out), err)
	}
	wsgi := filepath.Join(second, "fleet", "wsgi.py")
	source, err := os.ReadFile(wsgi)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(wsgi, []byte(strings.Replace(string(source), `"one"`, `"two"`, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	relink(second)
	h.must("restart", "site")
	h.until("the second release answers", 30*time.Second, func() bool { return get(t.Context(), port) == nil })
	if body := page(t, port); body != "two fleet.settings 3 []" {
		t.Error(body)
	}
}
