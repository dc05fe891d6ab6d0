package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gpm/app"
	"gpm/boot"
	"gpm/ipc"
)

// startupOptions are those of startup and unstartup.
type startupOptions struct {
	user     string
	service  string
	userUnit bool
	waitIP   bool
	harden   bool
	print    bool
}

func newStartupCommand(c *cli) *cobra.Command {
	var o startupOptions
	cmd := &cobra.Command{
		Use:   "startup [" + strings.Join(boot.Platforms(), "|") + "]",
		Short: "Have gpm started with the machine, and what should be up with it",
		Long: `Have gpm started with the machine by its init system, which is found out unless it is named. Nothing has to be saved:
what should be up is started again, in the order of the list. A gpm that runs already is taken over, and no app restarts.

Without the rights for that it prints the command to run as root. --user-unit makes a service of the user's own session
manager (systemd, launchd), which needs no root.`,
		Args: arguments(0, 1, "an init system"),
		RunE: func(cmd *cobra.Command, args []string) error { return startupFunc(c, cmd, args, o) },
	}
	o.addFlags(cmd)
	f := cmd.Flags()
	f.BoolVar(&o.waitIP, "wait-ip", false, "start once the network has addresses")
	f.BoolVar(&o.harden, "harden", false, "apps cannot gain rights by sudo or setuid, or change the system")
	f.BoolVar(&o.print, "print", false, "print the file and the commands, and do nothing")
	return cmd
}

func newUnstartupCommand(c *cli) *cobra.Command {
	var o startupOptions
	cmd := &cobra.Command{
		Use:   "unstartup [" + strings.Join(boot.Platforms(), "|") + "]",
		Short: "Undo startup; what runs goes on",
		Args:  arguments(0, 1, "an init system"),
		RunE:  func(cmd *cobra.Command, args []string) error { return unstartupFunc(c, cmd, args, o) },
	}
	o.addFlags(cmd)
	return cmd
}

func (o *startupOptions) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVarP(&o.user, "user", "u", "", "the `name` of the user whose apps they are (default you)")
	f.StringVar(&o.service, "service-name", "", "`name` of the service (default gpm-<user>)")
	f.BoolVar(&o.userUnit, "user-unit", false, "a service of the user's own session manager")
}

// errNeedsRoot says that the command to run as root was printed.
var errNeedsRoot = reported{}

func startupFunc(c *cli, cmd *cobra.Command, args []string, o startupOptions) error {
	ctx := cmd.Context()
	p, s, err := c.plan(ctx, cmd, args, o)
	if err != nil {
		return err
	}
	if o.print {
		return c.printPlan(p)
	}
	if !o.userUnit && !mayAdminister() {
		return c.printSudo(cmd, p, s, o)
	}
	if exe := s.Program; isTemporary(exe) {
		c.warn("%s may be gone after a reboot; put gpm in a lasting place first", exe)
	}
	before := runningPIDs(ctx, s.Home)
	if err := c.mayEnable(ctx, p, s); err != nil {
		return err
	}
	if err := c.install(ctx, p); err != nil {
		return err
	}
	if err := c.runAll(ctx, append(p.Enable[:len(p.Enable):len(p.Enable)], p.Start...)); err != nil {
		return err
	}
	c.linger(ctx, p)
	return c.verify(ctx, p, s, before)
}

// linger has the service of a user started with the machine, for which a user may lack the right.
func (c *cli) linger(ctx context.Context, p boot.Plan) {
	if p.Linger == nil || exists(p.Lingers) {
		return
	}
	if err := c.runAll(ctx, [][]string{p.Linger}); err != nil {
		c.warn("the service starts when you log in, and ends when you log out: %s; as root: %s", app.AsError(err), strings.Join(p.Linger, " "))
	}
}

func unstartupFunc(c *cli, cmd *cobra.Command, args []string, o startupOptions) error {
	p, s, err := c.plan(cmd.Context(), cmd, args, o)
	if err != nil {
		return err
	}
	if !o.userUnit && !mayAdminister() {
		return c.printSudo(cmd, p, s, o)
	}
	if p.File != "" && !exists(p.File) {
		return app.Errorf(app.CodeNotFound, "cannot undo the startup: there is no %s", p.File).WithHint("gpm startup makes one")
	}
	if p.Exists != nil && !succeeds(cmd.Context(), p.Exists) {
		return app.Errorf(app.CodeNotFound, "cannot undo the startup: there is no service %s", s.Name).WithHint("gpm startup makes one")
	}
	if p.End != nil {
		c.say("%s", strings.Join(p.End, " "))
		if succeeds(cmd.Context(), p.End) {
			if err := awaitEnd(cmd.Context(), s.Home); err != nil {
				return err
			}
		}
	}
	if err := c.runAll(cmd.Context(), p.Disable); err != nil {
		return err
	}
	if p.File != "" {
		if err := os.Remove(p.File); err != nil {
			return app.Errorf(app.CodeInternal, "cannot remove the service: %w", err)
		}
		c.say("Removed %s", p.File)
	}
	if p.End != nil {
		c.say("gpm is not started with the machine any more; its apps are stopped, and the next gpm starts again what should be up")
		return nil
	}
	c.say("gpm is not started with the machine any more; what runs goes on until it is stopped")
	return nil
}

// plan finds out for whom, for which init system and with what a service is made.
func (c *cli) plan(ctx context.Context, cmd *cobra.Command, args []string, o startupOptions) (boot.Plan, boot.Service, error) {
	who, err := c.serviceUser(o.user)
	if err != nil {
		return boot.Plan{}, boot.Service{}, err
	}
	home, err := c.serviceHome(cmd, who, o.user != "")
	if err != nil {
		return boot.Plan{}, boot.Service{}, err
	}
	exe, err := os.Executable()
	if err != nil {
		return boot.Plan{}, boot.Service{}, err
	}
	s := boot.Service{
		Name: o.service, Program: exe, Home: home, User: who.Username, UserDir: who.HomeDir, Path: os.Getenv("PATH"),
		OfUser: o.userUnit, AsPM2: c.role == asPM2, WaitIP: o.waitIP, Harden: o.harden, Stop: longestStop(ctx, home),
	}
	if s.Name == "" {
		s.Name = strings.ToLower(string(c.role)) + "-" + who.Username[strings.LastIndex(who.Username, `\`)+1:] // Windows puts the domain before
	}
	platform := boot.Detect(hasTool)
	if len(args) > 0 {
		platform = args[0]
	}
	if platform == "" {
		return boot.Plan{}, s, app.Errorf(app.CodeInvalid, "cannot find the init system of this machine").
			WithHint("name it: gpm startup %s", strings.Join(boot.Platforms(), "|"))
	}
	p, err := boot.For(platform, s)
	if err == nil && s.OfUser && p.Platform != "systemd" && p.Platform != "launchd" {
		err = fmt.Errorf("%s has no services of users", p.Platform)
	}
	if err != nil {
		return p, s, app.Errorf(app.CodeInvalid, "cannot make a service: %w", err)
	}
	return p, s, nil
}

func (c *cli) serviceUser(name string) (*user.User, error) {
	if name == "" {
		who, err := user.Current()
		if err != nil {
			return nil, app.Errorf(app.CodeInvalid, "cannot find out who you are: %w", err).WithHint("name the user with -u")
		}
		return who, nil
	}
	who, err := user.Lookup(name)
	if err != nil {
		return nil, app.Errorf(app.CodeNotFound, "cannot make a service of user %q: there is no such user", name)
	}
	return who, nil
}

// serviceHome is the home of gpm. pm2's --hp names the user's own directory instead.
func (c *cli) serviceHome(cmd *cobra.Command, who *user.User, named bool) (string, error) {
	folder := "." + strings.ToLower(string(c.role))
	if hp := cmd.Flags().Lookup("hp"); hp != nil && hp.Changed && !strings.HasPrefix(filepath.Base(c.homeFlag), ".") {
		return filepath.Abs(filepath.Join(c.homeFlag, folder))
	}
	if named && c.homeFlag == "" {
		return filepath.Join(who.HomeDir, folder), nil
	}
	return c.home()
}

func hasTool(name string) bool {
	_, err := exec.LookPath(name)
	return err == nil
}

// isTemporary says that a place may not survive a reboot.
func isTemporary(path string) bool {
	for _, dir := range []string{os.TempDir(), "/tmp", "/var/tmp", "/dev/shm", "/run"} {
		if strings.HasPrefix(path, dir+string(filepath.Separator)) {
			return true
		}
	}
	return false
}

// longestStop is how long the slowest app may take to stop; 0 where no daemon can be asked.
func longestStop(ctx context.Context, home string) time.Duration {
	client := ipc.New(home)
	defer client.Close()
	list, err := client.BriefDetails(ctx)
	if err != nil {
		return 0
	}
	var most time.Duration
	for _, d := range list {
		most = max(most, d.Spec.Policy.KillTimeout)
	}
	return most
}

// runningPIDs are the processes that are online, by id; none where no daemon runs.
func runningPIDs(ctx context.Context, home string) map[int]int {
	client := ipc.New(home)
	defer client.Close()
	list, err := client.Processes(ctx, ipc.ListQuery{})
	if err != nil {
		return nil
	}
	pids := map[int]int{}
	for _, st := range list {
		if st.State == app.Online {
			pids[st.ID] = st.PID
		}
	}
	return pids
}

// printSudo prints the command that does it, as pm2 does.
func (c *cli) printSudo(cmd *cobra.Command, p boot.Plan, s boot.Service, o startupOptions) error {
	words := []string{"sudo", "env", "PATH=$PATH", s.Program, cmd.Name(), p.Platform, "-u", s.User, "--home", s.Home}
	if c.role == asPM2 {
		words[3] = os.Args[0]
		if path, err := exec.LookPath(os.Args[0]); err == nil {
			words[3] = path
		}
	}
	for name, on := range map[string]bool{"--wait-ip": o.waitIP, "--harden": o.harden} {
		if on {
			words = append(words, name)
		}
	}
	if o.service != "" {
		words = append(words, "--service-name", o.service)
	}
	c.say("Init System found: %s", p.Platform)
	c.say("To %s the Startup Script, copy/paste the following command:", map[string]string{"startup": "setup", "unstartup": "unsetup"}[cmd.Name()])
	fmt.Fprintln(c.out, strings.Join(words, " "))
	return errNeedsRoot
}

func (c *cli) printPlan(p boot.Plan) error {
	if p.File != "" {
		fmt.Fprintf(c.out, "# %s\n%s\n", p.File, p.Text)
	}
	commands := append(p.Enable[:len(p.Enable):len(p.Enable)], p.Start...)
	if p.Linger != nil {
		commands = append(commands, p.Linger)
	}
	for _, words := range commands {
		fmt.Fprintln(c.out, "$ "+strings.Join(words, " "))
	}
	return nil
}

// install writes the file of a plan.
func (c *cli) install(ctx context.Context, p boot.Plan) error {
	c.say("Init System found: %s", p.Platform)
	if p.File == "" {
		return nil
	}
	err := os.MkdirAll(filepath.Dir(p.File), 0o755)
	if err == nil {
		err = os.WriteFile(p.File, []byte(p.Text), fs.FileMode(p.Mode))
	}
	if err == nil {
		err = os.Chmod(p.File, fs.FileMode(p.Mode))
	}
	if err != nil {
		return app.Errorf(app.CodeInternal, "cannot write the service: %w", err)
	}
	c.say("Wrote %s", p.File)
	return ctx.Err()
}

func (c *cli) runAll(ctx context.Context, commands [][]string) error {
	for _, words := range commands {
		c.say("%s", strings.Join(words, " "))
		out, err := exec.CommandContext(ctx, words[0], words[1:]...).CombinedOutput()
		if err != nil {
			why := strings.TrimSpace(string(out))
			if why == "" {
				why = err.Error()
			}
			return app.Errorf(app.CodeInternal, "cannot run %q: %s", strings.Join(words, " "), clean(why)).
				WithHint("gpm doctor looks for the cause; run the command again when it is mended")
		}
	}
	return nil
}

// verifyLimit is how long everything may take to be as it was.
const verifyLimit = 30 * time.Second

// verify makes sure that the service runs, that its daemon answers, and that nothing was restarted.
func (c *cli) verify(ctx context.Context, p boot.Plan, s boot.Service, before map[int]int) error {
	if p.Active != nil && !succeeds(ctx, p.Active) {
		return app.Errorf(app.CodeInternal, "cannot start the service %s: it is not active", s.Name).WithHint("%s tells why", "journalctl -u "+s.Name)
	}
	ctx, cancel := context.WithTimeout(ctx, verifyLimit)
	defer cancel()
	client := ipc.New(s.Home)
	defer client.Close()
	for {
		status, err := client.Daemon(ctx)
		if err == nil {
			return c.sayVerified(ctx, p, s, status, before)
		}
		if pause(ctx) != nil {
			return app.Errorf(app.CodeTimeout, "cannot reach the daemon of the service %s: %w", s.Name, err).
				WithHint("%s may say why", filepath.Join(s.Home, daemonLog))
		}
	}
}

func (c *cli) sayVerified(ctx context.Context, p boot.Plan, s boot.Service, status app.DaemonStatus, before map[int]int) error {
	after := runningPIDs(ctx, s.Home)
	for id, pid := range before {
		if after[id] != pid {
			return app.Errorf(app.CodeInternal, "process %d had pid %d and now has %d", id, pid, after[id]).WithHint("gpm why %d tells what happened", id)
		}
	}
	what := "its master is process %d"
	if len(before) > 0 {
		what = fmt.Sprintf("%s with the same pids as before; the master is process %%d", plural(len(before), "process goes on", "processes go on"))
	}
	c.say("Verified: %s is active and enabled; "+what, s.Name, status.MasterPID)
	c.say("What should be up is started with the machine; there is nothing to save")
	if p.Notice != "" {
		c.say("%s", p.Notice)
	}
	c.say("Undo it with: %s", c.command("gpm unstartup "+p.Platform))
	return nil
}
