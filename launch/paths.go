package launch

import (
	"path/filepath"
	"strconv"
	"strings"

	"gpm/app"
)

// LogPaths returns the log files of an instance, absolute; "" is none. As in pm2,
// each of several instances has its id in the name unless the logs are merged, and
// "/dev/null" or "NULL" as a path means none. Where the lines go somewhere else as well, there is always a file: it is the buffer.
func LogPaths(home string, spec app.Spec, id int) (out, err string) {
	if spec.Log.Driver != "" {
		spec.DisableLogs = false
		for _, path := range []*string{&spec.OutFile, &spec.ErrorFile} {
			if isNull(*path) {
				*path = ""
			}
		}
	}
	if spec.DisableLogs {
		return "", ""
	}
	suffix := logSuffix(spec, id)
	base := filepath.Join(home, "logs", FileName(spec.Name))
	return logPath(spec, spec.OutFile, base+"-out.log", suffix), logPath(spec, spec.ErrorFile, base+"-error.log", suffix)
}

// logSuffix tells the files of several instances apart. A cluster has it from the first on, for it may grow.
func logSuffix(spec app.Spec, id int) string {
	if spec.MergeLogs || spec.Instances <= 1 && spec.ExecMode != app.Cluster {
		return ""
	}
	return "-" + strconv.Itoa(id)
}

// CombinedLogPath returns the log file that gets both streams of an instance; "" is none.
func CombinedLogPath(home string, spec app.Spec, id int) string {
	if spec.DisableLogs || spec.LogFile == "" || spec.LogFile == "false" {
		return ""
	}
	custom, suffix := spec.LogFile, logSuffix(spec, id)
	if custom == "true" {
		custom = ""
	}
	return logPath(spec, custom, filepath.Join(home, "logs", FileName(spec.Name)+".log"), suffix)
}

// logPath puts the suffix before ".log"; a custom path without it stays as it is.
func logPath(spec app.Spec, custom, standard, suffix string) string {
	path := standard
	switch {
	case custom == "":
	case isNull(custom):
		return ""
	default:
		path = lookup{cwd: spec.Cwd}.abs(custom)
	}
	if stem, ok := strings.CutSuffix(path, ".log"); ok {
		return stem + suffix + ".log"
	}
	return path
}

// isNull says that a path means no file.
func isNull(path string) bool { return path == "/dev/null" || path == "NULL" }

// PidPath returns the pid file of an instance; like pm2's it always has the id in its name.
func PidPath(home string, spec app.Spec, id int) string {
	path := filepath.Join(home, "pids", FileName(spec.Name)+".pid")
	if spec.PidFile != "" {
		path = lookup{cwd: spec.Cwd}.abs(spec.PidFile)
	}
	stem, ok := strings.CutSuffix(path, ".pid")
	path = stem + "-" + strconv.Itoa(id)
	if ok {
		path += ".pid"
	}
	return path
}

// FileName makes a name safe as a part of a file's name, by pm2's rule.
func FileName(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '-':
			return r
		}
		return '-'
	}, name)
}
