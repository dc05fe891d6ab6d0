// Package boot knows what the init systems want of a service: the file that describes it and the commands that enable
// it. It is pure; who installs a plan writes and runs what it says.
package boot

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Service is what is to be started with the machine.
type Service struct {
	Name    string // of the service, such as gpm-deploy
	Program string // absolute path of gpm
	Home    string
	User    string // who it runs as
	UserDir string // that user's own directory
	Path    string // $PATH for it
	OfUser  bool   // a service of the user's own session manager, not of the machine
	AsPM2   bool   // gpm was called as pm2
	WaitIP  bool   // start once the network has addresses
	Harden  bool   // take away what few apps need
	Stop    time.Duration
}

// Plan is how one init system takes it.
type Plan struct {
	Platform string
	File     string // path of the description; "" = none
	Mode     uint32
	Text     string
	Enable   [][]string // commands, in order
	Linger   []string   // has a user's service started without a login; nil = not needed
	Lingers  string     // the file that is there when that is so already
	Start    [][]string
	Active   []string // succeeds when the service runs; nil = cannot be asked
	Disable  [][]string

	Exists []string // succeeds when the service is there, for a system without files; nil = the file tells
	End    []string // ends the service before it is disabled, and all apps with it; may fail when it does not run; nil = they go on
	Notice string   // what the user is to know, once it is enabled
}

// Marks in the environment of a master.
const (
	// Variable says which init system looks after the master, and starts it again.
	Variable = "GPM_SERVICE"
	// DropIn says that it was started as pm2.
	DropIn = "GPM_AS_PM2"
)

// system is a row of the table of init systems.
type system struct {
	name  string
	tool  string   // its presence tells that the machine has it
	names []string // what else pm2's users call it
	plan  func(Service) Plan
}

func systems() []system {
	return []system{
		{"systemd", "systemctl", []string{"ubuntu", "centos", "arch", "oracle", "debian", "fedora"}, systemd},
		{"systemv", "chkconfig", []string{"amazon", "centos6", "upstart", "ubuntu14", "ubuntu12"}, systemv},
		{"openrc", "rc-update", []string{"gentoo", "alpine"}, openrc},
		{"launchd", "launchctl", []string{"macos", "darwin"}, launchd},
		{"rcd", "sysrc", []string{"freebsd"}, rcd},
		{"windows", "sc.exe", []string{"win32"}, windows},
	}
}

// Platforms are the names of the init systems.
func Platforms() []string {
	var names []string
	for _, s := range systems() {
		names = append(names, s.name)
	}
	return names
}

// Detect finds the init system of a machine by the tools that it has; "" when none is known.
func Detect(has func(tool string) bool) string {
	for _, s := range systems() {
		if has(s.tool) {
			return s.name
		}
	}
	return ""
}

// For makes the plan for an init system, by any of its names.
func For(platform string, s Service) (Plan, error) {
	for _, sys := range systems() {
		if sys.name == platform || slices.Contains(sys.names, platform) {
			if err := s.check(); err != nil {
				return Plan{}, err
			}
			p := sys.plan(s)
			p.Platform = sys.name
			return p, nil
		}
	}
	return Plan{}, fmt.Errorf("%q is not an init system that gpm knows (it knows %s)", platform, strings.Join(Platforms(), ", "))
}

// check refuses what no description can hold.
func (s Service) check() error {
	for what, text := range map[string]string{"name": s.Name, "home": s.Home, "user": s.User, "program": s.Program, "PATH": s.Path} {
		if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' }) {
			return fmt.Errorf("the %s %q holds a control character", what, text)
		}
	}
	if s.Name == "" || strings.ContainsAny(s.Name, "/ \t@%") {
		return fmt.Errorf("%q cannot be the name of a service", s.Name)
	}
	return nil
}

// variable is one of a service's environment.
type variable struct{ name, value string }

// environment is what the master is started with.
func (s Service) environment(platform string) []variable {
	env := []variable{{"PATH", s.Path}, {"GPM_HOME", s.Home}, {Variable, platform}}
	if s.UserDir != "" {
		env = append(env, variable{"HOME", s.UserDir})
	}
	if s.AsPM2 {
		env = append(env, variable{DropIn, "1"}, variable{"PM2_HOME", s.Home})
	}
	return env
}

// quote puts a word for a shell into single quotes.
func quote(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }
