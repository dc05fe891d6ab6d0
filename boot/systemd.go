package boot

import (
	"fmt"
	"path"
	"strings"
	"time"
)

// systemd makes a unit. The master is its main process, which tells when it is ready, that it is alive, and how much more time
// an orderly end needs. KillMode=process: the apps get their signals from gpm, each with its own kill timeout, and outlive
// the crash of a master, whose successor adopts them. There is no pid file, and Delegate gives gpm the control groups below.
func systemd(s Service) Plan {
	unit := s.Name + ".service"
	p := Plan{File: "/etc/systemd/system/" + unit, Mode: 0o644, Text: systemdUnit(s)}
	ctl := []string{"systemctl"}
	if s.OfUser {
		p.File = path.Join(s.UserDir, ".config/systemd/user", unit)
		ctl = []string{"systemctl", "--user"}
	}
	run := func(words ...string) []string { return append(ctl[:len(ctl):len(ctl)], words...) }
	p.Enable = [][]string{run("daemon-reload"), run("enable", unit)}
	p.Start = [][]string{run("start", unit)}
	p.Active = run("is-active", "--quiet", unit)
	p.Disable = [][]string{run("disable", unit)}
	if s.OfUser {
		p.Linger, p.Lingers = []string{"loginctl", "enable-linger", s.User}, "/var/lib/systemd/linger/"+s.User
	}
	return p
}

// leastStop is the stop time-out of a unit whose apps all end quickly.
const leastStop = 90 * time.Second

func systemdUnit(s Service) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	network, target := "network.target", "multi-user.target"
	if s.WaitIP {
		network = "network-online.target"
	}
	line("# Written by gpm startup, which replaces it; changes belong into a drop-in (systemctl edit).")
	line("[Unit]")
	line("Description=gpm process manager of %s", unitText(s.User))
	if !s.OfUser {
		line("After=%s", network)
	}
	if s.WaitIP && !s.OfUser {
		line("Wants=%s", network)
	}
	line("StartLimitIntervalSec=60\nStartLimitBurst=20\n")
	line("[Service]\nType=notify\nNotifyAccess=main")
	if s.OfUser {
		target = "default.target"
	} else {
		line("User=%s", unitText(s.User))
	}
	for _, v := range s.environment("systemd") {
		if v.name != "HOME" { // systemd sets it
			line("Environment=%s", unitWord(v.name+"="+v.value))
		}
	}
	program, home := unitWord(s.Program), unitWord(s.Home)
	line("ExecStart=%s master --home %s", program, home)
	line("ExecReload=%s update --home %s", program, home)
	line("ExecStopPost=-%s service-ended --home %s", program, home)
	line("KillMode=process")
	line("TimeoutStartSec=300")
	line("TimeoutStopSec=%d", int((max(leastStop, s.Stop+30*time.Second)+time.Second-1)/time.Second))
	line("WatchdogSec=60\nWatchdogSignal=SIGKILL")
	line("Restart=on-failure\nRestartSec=100ms")
	line("Delegate=yes\nTasksMax=infinity\nLimitNOFILE=1048576\nOOMPolicy=continue")
	if !s.OfUser {
		line("LimitNPROC=infinity\nLimitCORE=infinity\nKeyringMode=private")
	}
	if s.Harden {
		line("# From --harden: no app can gain rights by sudo or setuid, or change the system.")
		line("NoNewPrivileges=yes\nProtectSystem=full\nProtectKernelModules=yes\nProtectKernelTunables=yes\nProtectKernelLogs=yes")
		line("ProtectClock=yes\nProtectHostname=yes\nRestrictSUIDSGID=yes\nLockPersonality=yes")
	}
	line("\n[Install]\nWantedBy=%s", target)
	return b.String()
}

// unitText escapes what systemd would expand, systemd.unit(5).
func unitText(s string) string { return strings.ReplaceAll(s, "%", "%%") }

// unitWord is a word of a command line or of Environment=, systemd.syntax(7).
func unitWord(s string) string {
	s = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "%", "%%", "$", "$$").Replace(s)
	if strings.ContainsAny(s, " \t'\"\\;") || s == "" {
		return `"` + s + `"`
	}
	return s
}
