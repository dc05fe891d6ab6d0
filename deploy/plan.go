package deploy

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"gpm/app"
)

// Verb is what to do with a target.
type Verb string

// The verbs. Update is the default; run is exec, curr and prev are short.
const (
	Setup    Verb = "setup"    // make the directories, clone
	Update   Verb = "update"   // to the target's ref
	Ref      Verb = "ref"      // to another ref: Arg
	Revert   Verb = "revert"   // to the deployment Arg before the last, 1 when empty
	Current  Verb = "current"  // print the commit that is deployed
	Previous Verb = "previous" // print the one before
	List     Verb = "list"     // print all deployments
	Exec     Verb = "exec"     // run Arg in current
)

// Command is a verb and its argument.
type Command struct {
	Verb  Verb
	Arg   string
	Force bool // deploy although the local copy has changes that the server will not see
}

// ParseCommand reads the words after the target's name.
func ParseCommand(words []string) (Command, error) {
	c := Command{Verb: Update}
	words = slices.DeleteFunc(slices.Clone(words), func(w string) bool {
		c.Force = c.Force || w == "--force"
		return w == "--force"
	})
	if len(words) > 0 {
		c.Verb = Verb(words[0])
		c.Arg = strings.Join(words[1:], " ")
	}
	if full, ok := map[Verb]Verb{"run": Exec, "curr": Current, "prev": Previous}[c.Verb]; ok {
		c.Verb = full
	}
	switch c.Verb {
	case Setup, Update, Current, Previous, List:
		if c.Arg != "" {
			return c, app.Errorf(app.CodeInvalid, "cannot deploy: %s takes no argument, %q was given", c.Verb, c.Arg)
		}
	case Revert:
		if c.Arg == "" {
			c.Arg = "1"
		}
		if n, err := strconv.Atoi(c.Arg); err != nil || n < 1 {
			return c, app.Errorf(app.CodeInvalid, "cannot revert %q deployments: not a number from 1", c.Arg)
		}
	case Ref, Exec:
		if c.Arg == "" || c.Verb == Ref && strings.HasPrefix(c.Arg, "-") {
			return c, app.Errorf(app.CodeInvalid, "cannot deploy: %s needs an argument", c.Verb)
		}
	default:
		return c, app.Errorf(app.CodeInvalid, "cannot deploy: unknown command %q", c.Verb).
			WithHint("setup, update, revert, ref, current, previous, list, exec or config")
	}
	return c, nil
}

// Step is a script for sh.
type Step struct {
	Title  string   // "deploy origin/main"
	Host   string   // "" = here, in the directory of the ecosystem file
	SSH    []string // arguments of ssh up to and with the host; empty when it runs here
	Script string
}

// Plan returns the steps in order: those here first, then one for each host. The
// first that fails should end it, so that the other hosts stay as they are.
func Plan(t Target, c Command) ([]Step, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	var steps []Step
	if c.Verb == Update || c.Verb == Ref {
		if !c.Force {
			steps = append(steps, Step{Title: "check that everything is committed and pushed", Script: localCheck})
		}
		if t.PreDeployLocal != "" {
			steps = append(steps, Step{Title: "pre-deploy-local", Script: t.PreDeployLocal})
		}
	}
	title, script := t.remote(c)
	for _, host := range t.Hosts {
		steps = append(steps, Step{Title: title, Host: host, SSH: t.ssh(host), Script: script})
	}
	return steps, nil
}

// localCheck runs in the local repository. Without one there is nothing to check.
const localCheck = `git rev-parse --git-dir >/dev/null 2>&1 || exit 0
if [ -n "$(git status --porcelain --untracked-files=no)" ]; then
  echo 'there are changes that are not committed: commit them, or use --force' >&2; exit 1
fi
if git rev-parse -q --verify '@{u}' >/dev/null 2>&1 && [ -n "$(git log --oneline '@{u}..')" ]; then
  echo 'there are commits that are not pushed: push them, or use --force' >&2; exit 1
fi`

func (t Target) remote(c Command) (title, script string) {
	path := place(t.Path)
	head := "set -e\n" + t.exports() + "DIR=" + path + "\nSHARED=\"$DIR/shared\"; export SHARED\n"
	deploys := "[ -s \"$DIR/.deploys\" ] || { echo 'nothing was deployed yet' >&2; exit 1; }\n"
	switch c.Verb {
	case Setup:
		return "setup", head + t.setup()
	case Current:
		return "current", head + deploys + "tail -n 1 \"$DIR/.deploys\""
	case Previous:
		return "previous", head + deploys + nth(1) + "echo \"$ref\""
	case List:
		return "list", head + deploys + "grep -n '' \"$DIR/.deploys\""
	case Exec:
		return "exec", head + "cd \"$DIR/current\"\n" + c.Arg
	case Revert:
		n, _ := strconv.Atoi(c.Arg) // ParseCommand saw to it
		return "revert " + c.Arg, head + deploys + nth(n) + t.update()
	case Ref:
		return "deploy " + c.Arg, head + "ref=" + quote(c.Arg) + "\n" + t.update()
	}
	return "deploy " + t.Ref, head + "ref=" + quote(t.Ref) + "\n" + t.update()
}

// nth sets ref to the deployment n before the last.
func nth(n int) string {
	return fmt.Sprintf(`[ "$(grep -c '' "$DIR/.deploys")" -gt %d ] || { echo 'there are not that many deployments' >&2; exit 1; }
ref=$(tail -n %d "$DIR/.deploys" | head -n 1)
`, n, n+1)
}

func (t Target) exports() string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(t.Env)) {
		fmt.Fprintf(&b, "%s=%s; export %s\n", k, quote(t.Env[k]), k)
	}
	return b.String()
}

// setup clones next to the place and moves the copy there when it is whole.
func (t Target) setup() string {
	depth := ""
	if t.Shallow {
		depth = "--depth 5 --no-single-branch "
	}
	return hook(t.PreSetup, "") + `[ ! -e "$DIR/source" ] || { echo "$DIR/source exists already" >&2; exit 1; }
mkdir -p "$DIR/shared/logs" "$DIR/shared/pids"
rm -rf "$DIR/source.new"
git clone ` + depth + `-- ` + quote(t.Repo) + ` "$DIR/source.new"
mv "$DIR/source.new" "$DIR/source"
ln -sfn "$DIR/source" "$DIR/current"
` + hook(t.PostSetup, "$DIR/source")
}

// update moves the working copy to $ref. A branch of the server's own is never
// meant: it stays where it was when it was cloned.
func (t Target) update() string {
	fetch := "git fetch --tags --force --quiet origin"
	if t.Shallow {
		fetch = "git fetch --depth 5 --tags --force --quiet origin"
	}
	return `[ -d "$DIR/source" ] || { echo "$DIR/source is missing: run setup first" >&2; exit 1; }
cd "$DIR/source"
` + fetch + "\n" + hook(t.PreDeploy, "$DIR/source") + `to=$(git rev-parse -q --verify "refs/remotes/origin/$ref^{commit}" || git rev-parse -q --verify "$ref^{commit}") || {
  echo "there is no $ref in the repository" >&2; exit 1; }
git reset --quiet --hard "$to"
echo "$to" >> "$DIR/.deploys"
` + hook(t.PostDeploy, "$DIR/current")
}

// hook runs the user's commands apart, so that their cd and set do not leak.
func hook(commands, dir string) string {
	switch {
	case commands == "":
		return ""
	case dir == "":
		return "(\n" + commands + "\n)\n"
	}
	return "(\ncd \"" + dir + "\"\n" + commands + "\n)\n"
}

// ssh returns the arguments for a host; none when it is this machine.
func (t Target) ssh(host string) []string {
	if slices.Contains([]string{"localhost", "127.0.0.1", "::1"}, host) {
		return nil
	}
	var args []string
	if t.Port != "" {
		args = append(args, "-p", t.Port)
	}
	if t.Key != "" {
		args = append(args, "-i", t.Key)
	}
	if t.ForwardAgent {
		args = append(args, "-A")
	}
	if t.NeedsTTY {
		args = append(args, "-t")
	}
	for _, o := range t.SSHOptions {
		args = append(args, "-o", o)
	}
	if t.User != "" {
		host = t.User + "@" + host
	}
	return append(args, "--", host)
}

// quote makes one word of the shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// place quotes a path, but for the ~ of the user's home.
func place(path string) string {
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		return `"$HOME"/` + quote(rest)
	}
	return quote(path)
}
