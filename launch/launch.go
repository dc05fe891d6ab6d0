// Package launch turns a Spec into what to execute. It looks at the disk afresh at
// each start, so that a deployed file, a moved link or a new interpreter counts at
// once, and says in one sentence why something cannot be started.
package launch

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strings"
	"syscall"

	"gpm/app"
	"gpm/master"
)

// Instance is what of one process is not in its Spec.
type Instance struct {
	ID       int
	Slot     int    // 0-based instance number within the app
	Seq      uint64 // counts the children of this instance
	Home     string // absolute
	HomeHash string // stands for Home in the marker of a process
}

// Plan is what to execute.
type Plan struct {
	Spawn       master.Spawn // without Key, Cgroup and Files
	Program     string       // the file that the user named, absolute; or the command line
	Interpreter string       // absolute, or "none"
	Runtime     string       // "node", "bun" or "deno" when that is what executes the script; else ""
	Version     string       // of the nearest package.json, "" when there is none
	User        string       // name of the user it runs as
}

// Resolver resolves specs. It remembers the versions it read while the files that
// hold them stay the same. The zero value is ready; it is safe for concurrent use.
type Resolver struct {
	packages cache // versions in package.json
	nodes    cache // versions of node; its own, for asking takes time
	wishes   cache // versions of node that files ask for
}

// Resolve is [Resolver.Resolve] for a single use.
func Resolve(spec app.Spec, inst Instance) (Plan, error) {
	return new(Resolver).Resolve(spec, inst)
}

// Resolve says what to execute for an instance. Its errors are *app.Error;
// [Permanent] tells which of them a retry cannot mend.
func (r *Resolver) Resolve(spec app.Spec, inst Instance) (Plan, error) {
	plan, err := r.resolve(spec, inst)
	return plan, startError(spec, err)
}

func (r *Resolver) resolve(spec app.Spec, inst Instance) (Plan, error) {
	var err error
	if spec.Env, err = declaredEnv(spec); err != nil {
		return Plan{}, err
	}
	cmd, err := r.command(spec)
	if err != nil {
		return Plan{}, err
	}
	who, err := identify(spec.User, spec.Group)
	if err != nil {
		return Plan{}, err
	}
	limits, err := rlimits(spec.Rlimits)
	if err != nil {
		return Plan{}, err
	}
	env, err := environment(spec, inst, cmd, who)
	if err != nil {
		return Plan{}, err
	}
	list := envList(env)
	if err := checkArgs(cmd.argv, list); err != nil {
		return Plan{}, err
	}
	plan := Plan{Program: cmd.program, Interpreter: cmd.interpreter, Runtime: cmd.javascript(), Version: r.packageVersion(cmd.dir), User: who.name}
	plan.Spawn = master.Spawn{
		Stdin: spec.Stdin,
		Path:  cmd.argv[0], Argv: cmd.argv, Env: list, Dir: spec.Cwd,
		Credential: who.credential, Rlimits: limits,
		Nice: spec.Nice, CPUs: cpusFor(spec, inst.Slot, allowedCPUs), OOMScoreAdj: spec.OOMScoreAdj,
	}
	return plan, nil
}

// envList is an environment as execve(2) takes it, sorted.
func envList(env map[string]string) []string {
	list := make([]string, 0, len(env))
	for _, name := range slices.Sorted(maps.Keys(env)) {
		list = append(list, name+"="+env[name])
	}
	return list
}

// startError puts the name of what cannot be started before a reason.
func startError(spec app.Spec, err error) error {
	if err == nil {
		return nil
	}
	e := app.AsError(err)
	return app.Errorf(e.Code, "cannot start %q: %w", short(cmp.Or(spec.Script, spec.Name)), err).
		WithHint("%s", cmp.Or(e.Hint, "gpm start --help shows the options"))
}

// short cuts what goes into a sentence: a script may be a command line of megabytes.
func short(s string) string {
	const most = 200
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// Permanent says whether a start that failed with err would fail again just the
// same: a missing or unfit file, directory, user or limit, whether found here or by
// execve(2). Short memory, processes or descriptors pass.
func Permanent(err error) bool {
	for _, target := range []error{
		app.ErrInvalid, app.ErrNotFound, app.ErrForbidden,
		syscall.ENOENT, syscall.EACCES, syscall.EPERM, syscall.ENOEXEC, syscall.ENOTDIR, syscall.EISDIR,
		syscall.ELOOP, syscall.ENAMETOOLONG, syscall.E2BIG, syscall.EINVAL,
	} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}
