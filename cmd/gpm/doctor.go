package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gpm/app"
	"gpm/boot"
	"gpm/ipc"
)

// finding is what one look has shown.
type finding struct {
	About  string `json:"about"`
	Grade  grade  `json:"grade"`
	Text   string `json:"text"`
	Advice string `json:"advice,omitempty"`
}

// grade is how good a finding is.
type grade string

// The grades.
const (
	fine    grade = "ok"
	dubious grade = "warn"
	broken  grade = "fail"
)

func newDoctorCommand(c *cli) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look for what could keep gpm and its apps from working, and say what to do",
		Long: `Look at home, daemon, service, limits, interpreters, disk and clock, and say what to do about what is not right.
It starts no daemon and changes nothing. The exit code is 1 if something is broken.`,
		Args: arguments(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error { return doctorFunc(c, cmd.Context(), asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func doctorFunc(c *cli, ctx context.Context, asJSON bool) error {
	home, err := c.home()
	if err != nil {
		return err
	}
	all := c.examine(ctx, home)
	if asJSON {
		if err := c.printJSON(all); err != nil {
			return err
		}
	}
	bad := false
	for _, f := range all {
		bad = bad || f.Grade == broken
		if !asJSON {
			c.printFinding(f)
		}
	}
	if bad {
		return reported{}
	}
	return nil
}

func (c *cli) printFinding(f finding) {
	colour := map[grade]style{fine: green, dubious: yellow, broken: red}[f.Grade]
	fmt.Fprintf(c.out, "%s %-12s %s\n", c.paint().paint(colour, fmt.Sprintf("%-4s", f.Grade)), f.About, clean(f.Text))
	if f.Advice != "" {
		fmt.Fprintf(c.out, "     %-12s %s\n", "", c.paint().paint(cyan, "→ "+c.command(f.Advice)))
	}
}

// examine makes all looks.
func (c *cli) examine(ctx context.Context, home string) []finding {
	all := []finding{examineHome(home)}
	status, list, err := ask(ctx, home)
	all = append(all, examineDaemon(status, err), c.examineService(home))
	all = append(all, examineApps(list)...)
	all = append(all, examineInterpreters(list)...)
	all = append(all, examineMachine(home, status.PID)...)
	return append(all, examineClock(home))
}

// ask asks a daemon if there is one.
func ask(ctx context.Context, home string) (status app.DaemonStatus, list []app.Detail, err error) {
	client := ipc.New(home)
	defer client.Close()
	if status, err = client.Daemon(ctx); err != nil {
		return status, nil, err
	}
	list, err = client.BriefDetails(ctx)
	return status, list, err
}

// errOpenToAll is why a home that everybody can write to is not used.
var errOpenToAll = errors.New("everybody can write to it")

func examineHome(home string) finding {
	f := finding{About: "home", Grade: fine, Text: home + " is ours alone"}
	info, err := os.Stat(home)
	if errors.Is(err, fs.ErrNotExist) {
		f.Text = home + " will be made by the first command"
		return f
	}
	if err == nil && !info.IsDir() {
		err = errors.New("it is a file")
	}
	if err == nil {
		err = checkHome(home, info)
	}
	switch {
	case err != nil && errors.Is(err, errOpenToAll):
		f.Grade, f.Text, f.Advice = broken, fmt.Sprintf("cannot use %s: %v", home, err), "chmod 700 "+home
	case err != nil:
		f.Grade, f.Text, f.Advice = broken, fmt.Sprintf("cannot use %s: %v", home, err), "give it to the user who runs gpm (chown), or set GPM_HOME to a directory of your own"
	case info.Mode().Perm()&0o077 != 0 && !worldless(info):
		f.Grade, f.Text, f.Advice = dubious, home+" can be read by others, and holds environments", "chmod 700 "+home
	}
	return f
}

func examineDaemon(status app.DaemonStatus, err error) finding {
	f := finding{About: "daemon", Grade: fine}
	switch {
	case errors.Is(err, ipc.ErrNotRunning):
		f.Text = "none is running; the next command starts one"
	case err != nil:
		f.Grade, f.Text, f.Advice = broken, app.AsError(err).Message, app.AsError(err).Hint
	case len(status.Warnings) > 0:
		f.Grade, f.Text, f.Advice = broken, strings.Join(status.Warnings, "; "), "gpm daemon status"
	case status.Version != app.Version:
		f.Grade, f.Text, f.Advice = dubious, fmt.Sprintf("it is of version %s, this command of %s", status.Version, app.Version), "gpm update, which restarts nothing"
	default:
		f.Text = fmt.Sprintf("version %s answers; process %d, its master %d", status.Version, status.PID, status.MasterPID)
		if status.Cgroup == "" && hasCgroups {
			f.Text += "; without control groups of its own"
		}
	}
	return f
}

// examineService looks whether gpm is started with the machine, by this program and for this home.
func (c *cli) examineService(home string) finding {
	f := finding{About: "service", Grade: fine}
	who, err := c.serviceUser("")
	if err != nil {
		return finding{"service", dubious, err.Error(), ""}
	}
	exe := executable()
	s := boot.Service{Name: strings.ToLower(string(c.role)) + "-" + who.Username, Program: exe, Home: home, User: who.Username, UserDir: who.HomeDir, Path: os.Getenv("PATH")}
	platform := boot.Detect(hasTool)
	if platform == "" {
		f.Text = "this machine has no init system that gpm knows; in a container use gpm runtime"
		return f
	}
	for _, ofUser := range []bool{false, true} {
		s.OfUser = ofUser
		p, err := boot.For(platform, s)
		if err != nil || p.File == "" {
			continue
		}
		text, err := os.ReadFile(p.File)
		if err != nil {
			continue
		}
		f.Text = p.File + " starts this gpm with the machine"
		if !strings.Contains(string(text), home) || !strings.Contains(string(text), exe) {
			f.Grade, f.Text, f.Advice = dubious, p.File+" starts another program, or another home", "gpm startup, which writes it anew"
		} else if p.Active != nil && exec.Command(p.Active[0], p.Active[1:]...).Run() != nil {
			f.Grade, f.Text, f.Advice = dubious, p.File+" is there, but the service does not run", "systemctl status "+s.Name+", or start it"
		}
		return f
	}
	f.Grade, f.Text, f.Advice = dubious, "gpm is not started with the machine", "gpm startup"
	return f
}

// examineApps names what is given up.
func examineApps(list []app.Detail) []finding {
	var out []finding
	for _, d := range list {
		if d.State == app.Errored {
			out = append(out, finding{"app", dubious, fmt.Sprintf("%s (%d) is given up", d.Name, d.ID), fmt.Sprintf("gpm why %d", d.ID)})
		}
	}
	return out
}

// examineInterpreters looks for what the apps are run by, or for the usual ones.
func examineInterpreters(list []app.Detail) []finding {
	var out []finding
	seen := map[string]bool{}
	for _, d := range list {
		program := d.Program
		if program == "" && seen[d.Name] || seen[program] {
			continue
		}
		if program == "" {
			seen[d.Name] = true
			out = append(out, finding{"interpreter", broken, d.Name + " cannot be started again: what runs it, or a file that it needs, is not there any more", "look for what gpm describe " + d.Name + " names, and install it again"})
			continue
		}
		seen[program] = true
		if info, err := os.Stat(program); err != nil || info.IsDir() {
			out = append(out, finding{"interpreter", broken, fmt.Sprintf("%s, which runs %s, is not there any more", program, d.Name), "install it again, or gpm restart " + d.Name + " with another --interpreter"})
		}
	}
	if len(list) > 0 && len(out) == 0 {
		return []finding{{"interpreter", fine, "what runs the apps is there: " + plural(len(seen), "program", "programs"), ""}}
	}
	if len(list) > 0 {
		return out
	}
	var found []string
	for _, name := range []string{"node", "python3", "bun", "deno", "ruby", "php", "perl"} {
		if path, err := exec.LookPath(name); err == nil {
			found = append(found, path)
		}
	}
	if len(found) == 0 {
		return []finding{{"interpreter", dubious, "none of node, python3, bun, deno, ruby, php, perl is in PATH", "only programs that need none can be started"}}
	}
	return []finding{{"interpreter", fine, strings.Join(found, ", "), ""}}
}

// examineClock compares the clock with the times of files: one that went back confuses schedules and logs.
func examineClock(home string) finding {
	now := time.Now()
	f := finding{About: "clock", Grade: fine, Text: now.Format("2006-01-02 15:04:05 MST")}
	if info, err := os.Stat(executable()); err == nil && now.Before(info.ModTime().Add(-time.Hour)) {
		f.Grade, f.Text, f.Advice = broken, f.Text+" is before this program was written", "set the clock (timedatectl set-ntp true)"
		return f
	}
	if info, err := os.Stat(filepath.Join(home, databaseName)); err == nil && now.Before(info.ModTime().Add(-time.Minute)) {
		f.Grade, f.Text, f.Advice = dubious, f.Text+" is before the database was written last", "set the clock (timedatectl set-ntp true)"
		return f
	}
	if synced, known := clockSynced(); known && !synced {
		f.Grade, f.Text, f.Advice = dubious, f.Text+", and nothing keeps it right", "timedatectl set-ntp true, unless the host keeps the clock"
	}
	return f
}
