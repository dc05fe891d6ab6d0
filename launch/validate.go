package launch

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"gpm/app"
)

// maxName is so that log and pid files fit a file name's 255 bytes.
const maxName = 128

// MaxInstances is how many one app can have.
const MaxInstances = 10_000

// Validate makes the checks of a start before anything is committed: what Spec
// says makes sense, and its first instance could be started now.
func Validate(spec app.Spec) error {
	_, err := new(Resolver).Validate(spec, Instance{})
	return err
}

// Validate is the function of that name with the resolver's memory. It tells what it found for an instance.
func (r *Resolver) Validate(spec app.Spec, inst Instance) (Plan, error) {
	for _, check := range []func(app.Spec) error{checkNames, checkNumbers, checkPolicy} {
		if err := check(spec); err != nil {
			return Plan{}, startError(spec, err)
		}
	}
	return r.Resolve(spec, inst)
}

func checkNames(spec app.Spec) error {
	if err := checkName("name", spec.Name); err != nil {
		return err
	}
	if spec.Name == "all" {
		return app.Errorf(app.CodeInvalid, "the name %q means every process in a command", spec.Name)
	}
	if spec.Namespace != "" {
		return checkName("namespace", spec.Namespace)
	}
	return nil
}

// checkName refuses what cannot be shown in a table or typed as a selector.
func checkName(what, name string) error {
	switch {
	case name == "":
		return app.Errorf(app.CodeInvalid, "it has no %s", what).WithHint("give one with --%s", what)
	case len(name) > maxName:
		return app.Errorf(app.CodeInvalid, "its %s has %d bytes, and at most %d are allowed", what, len(name), maxName)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return app.Errorf(app.CodeInvalid, "its %s %q holds characters that cannot be printed", what, name)
	case name != strings.TrimSpace(name):
		return app.Errorf(app.CodeInvalid, "its %s %q begins or ends with a space", what, name)
	case strings.HasPrefix(name, "-"):
		return app.Errorf(app.CodeInvalid, "its %s %q begins with a dash, as options do", what, name)
	case len(name) > 1 && strings.HasPrefix(name, "/") && strings.HasSuffix(name, "/"):
		return app.Errorf(app.CodeInvalid, "its %s %q looks like a regular expression", what, name)
	}
	return nil
}

func checkNumbers(spec app.Spec) error {
	if spec.Instances < 1 || spec.Instances > MaxInstances {
		return app.Errorf(app.CodeInvalid, "%d instances: there can be 1 to %d", spec.Instances, MaxInstances)
	}
	if spec.ExecMode != "" && spec.ExecMode != app.Fork && spec.ExecMode != app.Cluster {
		return app.Errorf(app.CodeInvalid, "its exec_mode is %q", spec.ExecMode).WithHint("modes are fork and cluster")
	}
	if n := spec.Nice; n != nil && (*n < -20 || *n > 19) {
		return app.Errorf(app.CodeInvalid, "its nice value is %d: it can be -20 to 19", *n)
	}
	if n := spec.OOMScoreAdj; n != nil && (*n < -1000 || *n > 1000) {
		return app.Errorf(app.CodeInvalid, "its oom_score_adj is %d: it can be -1000 to 1000", *n)
	}
	for _, cpu := range spec.CPUs {
		if cpu < 0 || cpu >= 1024 {
			return app.Errorf(app.CodeInvalid, "there is no CPU %d", cpu)
		}
	}
	return nil
}

func checkPolicy(spec app.Spec) error {
	p := spec.Policy
	if !isSignal(p.KillSignal) {
		return app.Errorf(app.CodeInvalid, "its kill_signal %q is no signal", p.KillSignal).WithHint("signals are like SIGINT, SIGTERM, SIGQUIT")
	}
	if p.MaxRestarts < 0 {
		return app.Errorf(app.CodeInvalid, "its max_restarts is %d", p.MaxRestarts)
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"min_uptime", p.MinUptime}, {"restart_delay", p.RestartDelay}, {"backoff_first", p.BackoffFirst},
		{"backoff_max", p.BackoffMax}, {"stable_after", p.StableAfter}, {"kill_timeout", p.KillTimeout},
		{"listen_timeout", p.ListenTimeout}, {"hang_limit", p.HangLimit},
	} {
		if d.value < 0 {
			return app.Errorf(app.CodeInvalid, "its %s is negative: %s", d.name, d.value)
		}
	}
	return nil
}
