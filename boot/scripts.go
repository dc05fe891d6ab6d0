package boot

import (
	"fmt"
	"path"
	"strings"
	"time"
)

// seconds is a stop time-out for init systems that have no way to be asked for more.
func (s Service) seconds() int { return int(max(leastStop, s.Stop+30*time.Second) / time.Second) }

// exports are the environment as lines of a shell script.
func (s Service) exports(platform string) string {
	var b strings.Builder
	for _, v := range s.environment(platform) {
		fmt.Fprintf(&b, "export %s=%s\n", v.name, quote(v.value))
	}
	return b.String()
}

// openrc uses supervise-daemon(8), which starts a master that died again.
func openrc(s Service) Plan {
	var env []string // not exported: OpenRC finds its own commands by the PATH of the script
	for _, v := range s.environment("openrc") {
		env = append(env, "--env "+quote(v.name+"="+v.value))
	}
	text := fmt.Sprintf(`#!/sbin/openrc-run
# Written by gpm startup, which replaces it.
description="gpm process manager of %s"
supervisor=supervise-daemon
command=%s
command_args=%s
supervise_daemon_args=%s
command_user=%s
respawn_delay=1
respawn_max=0
retry="TERM/%d/KILL/5"
extra_started_commands="reload"

depend() {
	need localmount
	after net firewall
}

reload() {
	ebegin "Updating gpm in place"
	su %s -s /bin/sh -c %s
	eend $?
}
`, s.User, quote(s.Program), quote("master --home "+quote(s.Home)), quote(strings.Join(env, " ")), quote(s.User), s.seconds(),
		quote(s.User), quote(quote(s.Program)+" update --home "+quote(s.Home)))
	return Plan{
		File: "/etc/init.d/" + s.Name, Mode: 0o755, Text: text,
		Enable:  [][]string{{"rc-update", "add", s.Name, "default"}},
		Start:   [][]string{{"rc-service", s.Name, "start"}},
		Active:  []string{"rc-service", "--quiet", s.Name, "status"},
		Disable: [][]string{{"rc-update", "del", s.Name, "default"}},
	}
}

// systemv is a script for the init systems of old. Nothing starts a master that died again there: its daemon does.
func systemv(s Service) Plan {
	text := fmt.Sprintf(`#!/bin/sh
# Written by gpm startup, which replaces it.
# chkconfig: 2345 98 02
### BEGIN INIT INFO
# Provides:          %s
# Required-Start:    $local_fs $remote_fs
# Should-Start:      $network
# Required-Stop:     $local_fs $remote_fs
# Default-Start:     2 3 4 5
# Default-Stop:      0 1 6
# Short-Description: gpm process manager
### END INIT INFO
%s
as_user() { su %s -s /bin/sh -c "$1"; }
gpm=%s

case "$1" in
start) as_user "$gpm ping > /dev/null" ;;
stop) as_user "$gpm daemon stop" ;;
restart) as_user "$gpm daemon stop && $gpm ping > /dev/null" ;;
reload) as_user "$gpm update" ;;
status) as_user "$gpm daemon status" ;;
*) echo "usage: $0 start|stop|restart|reload|status" >&2; exit 2 ;;
esac
`, s.Name, strings.ReplaceAll(s.exports("systemv"), "export "+Variable+"='systemv'\n", ""), quote(s.User), quote(quote(s.Program)))
	return Plan{
		File: "/etc/init.d/" + s.Name, Mode: 0o755, Text: text,
		Enable:  [][]string{{"chkconfig", "--add", s.Name}, {"chkconfig", s.Name, "on"}},
		Start:   [][]string{{"/etc/init.d/" + s.Name, "start"}},
		Active:  []string{"/etc/init.d/" + s.Name, "status"},
		Disable: [][]string{{"chkconfig", "--del", s.Name}},
	}
}

// rcd is for FreeBSD, whose daemon(8) starts a master that died again.
func rcd(s Service) Plan {
	name := strings.ReplaceAll(s.Name, "-", "_")
	text := fmt.Sprintf(`#!/bin/sh
# Written by gpm startup, which replaces it.
# PROVIDE: %[1]s
# REQUIRE: LOGIN NETWORKING
# KEYWORD: shutdown
. /etc/rc.subr
name=%[1]s
rcvar=%[1]s_enable
load_rc_config $name
: ${%[1]s_enable:=NO}
pidfile=/var/run/$name.pid
%[2]s
command=/usr/sbin/daemon
command_args="-r -P $pidfile -u %[3]s %[4]s master --home %[5]s"
run_rc_command "$1"
`, name, s.exports("rcd"), quote(s.User), quote(s.Program), quote(s.Home))
	return Plan{
		File: "/usr/local/etc/rc.d/" + name, Mode: 0o755, Text: text,
		Enable:  [][]string{{"sysrc", name + "_enable=YES"}},
		Start:   [][]string{{"service", name, "start"}},
		Active:  []string{"service", name, "status"},
		Disable: [][]string{{"sysrc", "-x", name + "_enable"}},
	}
}

// launchd keeps a master alive that did not end in good order, launchd.plist(5). The apps are not its process group's business.
func launchd(s Service) Plan {
	var env strings.Builder
	for _, v := range s.environment("launchd") {
		fmt.Fprintf(&env, "\t\t<key>%s</key>\n\t\t<string>%s</string>\n", v.name, xmlText(v.value))
	}
	user := ""
	file := path.Join(s.UserDir, "Library/LaunchAgents", s.Name+".plist")
	if !s.OfUser {
		file = "/Library/LaunchDaemons/" + s.Name + ".plist"
		user = fmt.Sprintf("\t<key>UserName</key>\n\t<string>%s</string>\n", xmlText(s.User))
	}
	text := fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<!-- Written by gpm startup, which replaces it. -->
<plist version="1.0">
<dict>
	<key>Label</key>
	<string>%s</string>
%s	<key>ProgramArguments</key>
	<array>
		<string>%s</string>
		<string>master</string>
		<string>--home</string>
		<string>%s</string>
	</array>
	<key>EnvironmentVariables</key>
	<dict>
%s	</dict>
	<key>RunAtLoad</key>
	<true/>
	<key>KeepAlive</key>
	<dict>
		<key>SuccessfulExit</key>
		<false/>
	</dict>
	<key>AbandonProcessGroup</key>
	<true/>
	<key>ExitTimeOut</key>
	<integer>%d</integer>
	<key>StandardErrorPath</key>
	<string>%s</string>
</dict>
</plist>
`, xmlText(s.Name), user, xmlText(s.Program), xmlText(s.Home), env.String(), s.seconds(), xmlText(path.Join(s.Home, "master.log")))
	return Plan{
		File: file, Mode: 0o644, Text: text,
		Enable:  [][]string{{"launchctl", "load", "-w", file}},
		Active:  []string{"launchctl", "list", s.Name},
		Disable: [][]string{{"launchctl", "unload", "-w", file}},
	}
}

func xmlText(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}
