package daemon

import (
	"regexp"

	"gpm/app"
	"gpm/launch"
	"gpm/logs"
	"gpm/schedule"
)

// checkLines refuses what can never be done with the lines of an app.
func checkLines(spec app.Spec) error {
	for _, text := range spec.Log.Redact {
		if _, err := regexp.Compile(text); err != nil {
			return app.Errorf(app.CodeInvalid, "cannot redact %q in the log of %q: %w", text, spec.Name, err).
				WithHint("it is a regular expression, like password=(\\S+)")
		}
	}
	if spec.Log.Rate < 0 {
		return app.Errorf(app.CodeInvalid, "cannot log %d lines a second of %q", spec.Log.Rate, spec.Name).WithHint("0 is any number")
	}
	switch spec.Log.Driver {
	case "", app.Journald, app.Syslog, app.DriverOut:
	default:
		return app.Errorf(app.CodeInvalid, "cannot log %q to %q", spec.Name, spec.Log.Driver).WithHint("journald, syslog and stdout are possible")
	}
	if _, _, err := rotateCron(spec); err != nil {
		return app.Errorf(app.CodeInvalid, "cannot rotate the log of %q by cron: %w", spec.Name, err).WithHint("five fields, like \"0 0 * * *\" for every midnight")
	}
	return nil
}

// rotateCron is when the log files of an app are rotated besides their size and age.
func rotateCron(spec app.Spec) (when schedule.Cron, wanted bool, err error) {
	return parseCron(inZone(spec.LogRotate.Cron, spec.Timezone))
}

// lineFilter is nil when every line is written as it is.
func lineFilter(spec app.Spec) *logs.Filter {
	if spec.Log.Rate == 0 && len(spec.Log.Redact) == 0 {
		return nil
	}
	f := &logs.Filter{Rate: spec.Log.Rate}
	for _, text := range spec.Log.Redact {
		if re, err := regexp.Compile(text); err == nil { // see checkLines
			f.Redact = append(f.Redact, re)
		}
	}
	return f
}

// logOwner is whom the log files of an app belong to; nil = us.
func logOwner(spec app.Spec) *logs.Owner {
	uid, gid, other := launch.Owner(spec)
	if !other {
		return nil
	}
	return &logs.Owner{UID: uid, GID: gid}
}
