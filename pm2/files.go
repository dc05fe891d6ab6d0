package pm2

import (
	"path/filepath"
	"regexp"
)

// Files are the places of pm2's files.
type Files struct {
	Home   string
	Pid    string // pm2.pid: the daemon's process id
	Log    func(name, stream string) string
	PidOf  func(app string) string
	RPC    string // rpc.sock
	Pub    string // pub.sock
	Dump   string // dump.pm2
	Backup string // dump.pm2.bak
	Conf   string // module_conf.json
	Own    string // pm2.log: the daemon's log
	Lock   string // reload.lock
	Touch  string // touch: the banner was shown
	Logs   string // directory of the apps' logs
	Pids   string // and of their pid files
}

// Locate returns where the files of a home stand. getenv is os.Getenv or alike:
// variables override single places.
func Locate(home string, getenv func(string) string) Files {
	at := func(name, variable string) string {
		return orElse(getenv(variable), filepath.Join(home, name))
	}
	logs, pids := at("logs", "PM2_DEFAULT_LOG_PATH"), at("pids", "PM2_DEFAULT_PID_PATH")
	return Files{
		Home:   home,
		Pid:    at("pm2.pid", "PM2_PID_FILE_PATH"),
		Log:    func(name, stream string) string { return filepath.Join(logs, FileName(name)+"-"+stream+".log") },
		PidOf:  func(app string) string { return filepath.Join(pids, FileName(app)+".pid") },
		RPC:    at("rpc.sock", "PM2_DAEMON_RPC_PORT"),
		Pub:    at("pub.sock", "PM2_DAEMON_PUB_PORT"),
		Dump:   at("dump.pm2", "PM2_DUMP_FILE_PATH"),
		Backup: at("dump.pm2.bak", "PM2_DUMP_BACKUP_FILE_PATH"),
		Conf:   at("module_conf.json", "PM2_MODULE_CONF_FILE"),
		Own:    at("pm2.log", "PM2_LOG_FILE_PATH"),
		Lock:   at("reload.lock", "PM2_RELOAD_LOCKFILE"),
		Touch:  filepath.Join(home, "touch"),
		Logs:   logs,
		Pids:   pids,
	}
}

// HomeDir is pm2's home: $PM2_HOME, else .pm2 in the user's home directory, else
// /etc/.pm2.
func HomeDir(getenv func(string) string) string {
	for _, v := range []string{"OVER_HOME", "PM2_HOME"} {
		if dir := getenv(v); dir != "" {
			return dir
		}
	}
	for _, v := range []string{"HOME", "HOMEPATH"} {
		if dir := getenv(v); dir != "" {
			return filepath.Join(dir, ".pm2")
		}
	}
	return filepath.Join(string(filepath.Separator), "etc", ".pm2")
}

// FileName is the part of a file's name that stands for an app.
func FileName(app string) string {
	return regexp.MustCompile(`[^a-zA-Z0-9.\-\\]`).ReplaceAllString(app, "-")
}
