//go:build linux

package e2e

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gpm/app"
)

// sshServer is a real sshd of the test's own, which lets the test's user in by a key.
type sshServer struct {
	port, clientKey, knownHosts string
}

// startSSHServer needs sshd, which only accepts to be called by its whole path.
func startSSHServer(t *testing.T) sshServer {
	t.Helper()
	daemon, err := exec.LookPath("sshd")
	if err != nil {
		daemon = "/usr/sbin/sshd"
	}
	for _, tool := range []string{daemon, "ssh", "ssh-keygen", "git"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed (.ci/deps installs openssh-server and git on Debian)", tool)
		}
	}
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	for _, key := range []string{"host", "client"} {
		if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", in(key)).CombinedOutput(); err != nil {
			t.Fatalf("ssh-keygen: %v\n%s", err, out)
		}
	}
	s := sshServer{port: freePort(t), clientKey: in("client"), knownHosts: in("known_hosts")}
	public, err := os.ReadFile(in("host.pub"))
	config := fmt.Sprintf("Port %s\nListenAddress 127.0.0.1\nHostKey %s\nAuthorizedKeysFile %s\nPidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n",
		s.port, in("host"), in("client.pub"))
	err = errors.Join(err, os.WriteFile(in("config"), []byte(config), 0o600),
		os.WriteFile(s.knownHosts, fmt.Appendf(nil, "[127.0.0.1]:%s %s", s.port, public), 0o600))
	if os.Geteuid() == 0 {
		err = errors.Join(err, os.MkdirAll("/run/sshd", 0o755)) // where sshd confines itself; Debian makes it with the service
	}
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	cmd := exec.Command(daemon, "-D", "-e", "-f", in("config"))
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		err := cmd.Process.Kill()
		_ = cmd.Wait() // killed
		if t.Failed() {
			t.Logf("sshd, %v:\n%s", err, log.String())
		}
	})
	return s
}

// target is a deploy section's entry for the server. No host of this machine's names is reached by ssh, so the
// server has one of its own.
func (s sshServer) target(h *home, repo, place string) string {
	return fmt.Sprintf(`{
  host: 'server', port: %s, key: %q, ref: 'origin/main', repo: %q, path: %q,
  ssh_options: ['HostName=127.0.0.1', 'StrictHostKeyChecking=yes', 'UserKnownHostsFile=%s', 'IdentitiesOnly=yes', 'BatchMode=yes'],
  'post-setup': 'echo set up > ../shared/note',
  'pre-deploy-local': 'echo local > local.txt',
  'post-deploy': '%s startOrRestart eco.json',
  env: { GPM_HOME: %q },
}`, s.port, s.clientKey, repo, place, s.knownHosts, gpmBin, h.dir)
}

// TestDeployOverSSH puts two commits of a repository onto a server, goes back and forth between them, and starts the app there.
func TestDeployOverSSH(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	server := startSSHServer(t)
	h.until("sshd accepts", hang, func() bool {
		conn, err := net.Dial("tcp", "127.0.0.1:"+server.port)
		return err == nil && conn.Close() == nil
	})
	repo, place := filepath.Join(h.cwd, "repo"), filepath.Join(h.cwd, "place")
	first := h.commit(repo, "one")
	h.write("ecosystem.config.js", "module.exports = { apps: [], deploy: { production: "+server.target(h, repo, place)+" } }", 0o600)

	h.refusedOverSSH("run setup first", "update")
	h.must("deploy", "production", "setup")
	if b, err := os.ReadFile(filepath.Join(place, "shared", "note")); string(b) != "set up\n" {
		t.Errorf("post-setup left %q, %v", b, err)
	}
	h.must("deploy", "production")
	h.untilState("deployed", app.Online)
	if _, err := os.Stat(filepath.Join(h.cwd, "local.txt")); err != nil {
		t.Errorf("pre-deploy-local left %v", err)
	}

	second := h.commit(repo, "two")
	h.must("deploy", "ecosystem.config.js", "production", "update")
	h.tells(second, "curr")
	h.tells(first, "prev")
	h.tells("two", "exec", "cat version")
	h.must("deploy", "production", "revert")
	h.tells("one", "run", "cat version")
	h.must("deploy", "production", "ref", second)
	h.tells("4:"+second, "list")
	h.tells(`"ref":"origin/main"`, "config")
	if st := h.untilState("deployed", app.Online); st.Restarts != 3 {
		t.Errorf("four deployments restarted the app %d times, want 3", st.Restarts)
	}
	h.refusedOverSSH("exit status 7", "exec", "exit 7")
}

// commit makes a commit with an app and a file "version" and returns its hash.
func (h *home) commit(repo, version string) string {
	h.t.Helper()
	err := errors.Join(os.MkdirAll(repo, 0o755), os.WriteFile(filepath.Join(repo, "version"), []byte(version+"\n"), 0o600),
		os.WriteFile(filepath.Join(repo, "eco.json"), fmt.Appendf(nil, `{"name": "deployed", "script": %q, "args": "sleep"}`, progBin), 0o600))
	if err != nil {
		h.t.Fatal(err)
	}
	hash := ""
	for _, args := range [][]string{
		{"init", "-q", "-b", "main"}, {"add", "-A"}, {"-c", "user.name=t", "-c", "user.email=t@example.invalid", "commit", "-q", "-m", version}, {"rev-parse", "HEAD"},
	} {
		out, err := exec.Command("git", append([]string{"-C", repo}, args...)...).CombinedOutput()
		if err != nil {
			h.t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		hash = strings.TrimSpace(string(out))
	}
	return hash
}

// tells checks what a deploy command prints.
func (h *home) tells(words string, command ...string) {
	h.t.Helper()
	if out := h.must(append([]string{"deploy", "production"}, command...)...); !strings.Contains(out, words) {
		h.t.Errorf("deploy %v prints %q, want %q", command, out, words)
	}
}

func (h *home) refusedOverSSH(words string, command ...string) {
	h.t.Helper()
	h.fails(words, append([]string{"deploy", "production"}, command...)...)
}
