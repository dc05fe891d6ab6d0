package boot

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// odd is a service whose words need quoting everywhere.
func odd() Service {
	return Service{Name: "gpm-deploy", Program: "/opt/my apps/gpm", Home: `/srv/100% "real" $HOME`, User: "deploy", UserDir: "/home/deploy", Path: "/usr/bin:/opt/it's"}
}

func TestSystemdUnit(t *testing.T) {
	s := odd()
	s.WaitIP, s.Stop = true, 200*time.Second
	p, err := For("ubuntu", s)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`ExecStart="/opt/my apps/gpm" master --home "/srv/100%% \"real\" $$HOME"`, "Type=notify", "KillMode=process", "TimeoutStopSec=230",
		"Delegate=yes", "After=network-online.target", "User=deploy", "WatchdogSec=60", "Environment=GPM_SERVICE=systemd",
	} {
		if !strings.Contains(p.Text, want+"\n") {
			t.Errorf("the unit does not say %s:\n%s", want, p.Text)
		}
	}
	if strings.Contains(p.Text, "PIDFile") || strings.Contains(p.Text, "NoNewPrivileges") {
		t.Errorf("the unit says too much:\n%s", p.Text)
	}
}

// TestSystemdAccepts asks systemd itself.
func TestSystemdAccepts(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	for name, change := range map[string]func(*Service){
		"plain": func(*Service) {}, "hardened": func(s *Service) { s.Harden = true }, "user": func(s *Service) { s.OfUser = true }, "pm2": func(s *Service) { s.AsPM2 = true },
	} {
		s := odd()
		s.Program, s.User = "/bin/true", "root"
		change(&s)
		p, err := For("systemd", s)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "gpm-deploy.service")
		if err := os.WriteFile(file, []byte(p.Text), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("systemd-analyze", "verify", "--man=no", file)
		cmd.Env = append(os.Environ(), "SYSTEMD_LOG_LEVEL=warning")
		if out, err := cmd.CombinedOutput(); err != nil || strings.Contains(string(out), "gpm-deploy.service:") {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

func TestScriptsAreShell(t *testing.T) {
	for _, platform := range []string{"openrc", "systemv", "rcd"} {
		p, err := For(platform, odd())
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("sh", "-n")
		cmd.Stdin = strings.NewReader(p.Text)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v %s\n%s", platform, err, out, p.Text)
		}
	}
}

func TestLaunchdIsXML(t *testing.T) {
	s := odd()
	s.Home, s.OfUser = "/Users/a & <b>", true
	p, err := For("macos", s)
	if err != nil {
		t.Fatal(err)
	}
	if p.File != "/home/deploy/Library/LaunchAgents/gpm-deploy.plist" || !strings.Contains(p.Text, "/Users/a &amp; &lt;b&gt;") {
		t.Errorf("%s\n%s", p.File, p.Text)
	}
	for dec := xml.NewDecoder(strings.NewReader(p.Text)); ; {
		if _, err := dec.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

func TestWhatCannotBeDescribed(t *testing.T) {
	for what, change := range map[string]func(*Service){
		"a line": func(s *Service) { s.Home = "/srv/a\nExecStartPre=/bin/evil" }, "a path": func(s *Service) { s.Name = "../../etc/passwd" },
		"no name": func(s *Service) { s.Name = "" },
	} {
		s := odd()
		change(&s)
		for _, platform := range Platforms() {
			if _, err := For(platform, s); err == nil {
				t.Errorf("%s takes %s", platform, what)
			}
		}
	}
	if _, err := For("inittab", odd()); err == nil || !strings.Contains(err.Error(), "systemd") {
		t.Errorf("unknown: %v", err)
	}
}

func TestDetect(t *testing.T) {
	if got := Detect(func(tool string) bool { return tool == "rc-update" || tool == "launchctl" }); got != "openrc" {
		t.Errorf("found %q", got)
	}
	if got := Detect(func(string) bool { return false }); got != "" {
		t.Errorf("found %q", got)
	}
}
