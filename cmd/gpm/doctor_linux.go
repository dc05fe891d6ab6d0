package main

import (
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// hasCgroups says that this system has control groups.
const hasCgroups = true

// worldless is false here: the mode of a file says who may read it.
func worldless(fs.FileInfo) bool { return false }

// clockSynced asks the kernel whether something keeps the clock right, adjtimex(2).
func clockSynced() (synced, known bool) {
	var t unix.Timex
	if _, err := unix.Adjtimex(&t); err != nil {
		return false, false
	}
	return t.Status&unix.STA_UNSYNC == 0, true
}

// Least values that leave room for a usual machine.
const (
	leastFiles   = 4096
	leastTasks   = 1024
	leastWatches = 8192
	leastDisk    = 100 << 20
	leastInodes  = 1000
)

// examineMachine looks at the disk and at the limits of the daemon, 0 for those of the one that this user would start.
func examineMachine(home string, daemon int) []finding {
	return []finding{examineDisk(home), examineFiles(daemon), examineTasks(daemon), examineInotify(), examineOvercommit()}
}

func examineDisk(home string) finding {
	dir := home
	for {
		if _, err := os.Stat(dir); err == nil || dir == "/" {
			break
		}
		dir = filepath.Dir(dir)
	}
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return finding{"disk", broken, fmt.Sprintf("cannot look at the disk of %s: %v", dir, err), ""}
	}
	free := s.Bavail * uint64(s.Bsize)
	f := finding{"disk", fine, size(int64(min(free, math.MaxInt64))) + " are free for " + home, ""}
	switch {
	case s.Flags&unix.ST_RDONLY != 0:
		f.Grade, f.Text, f.Advice = broken, home+" is on a disk that is read-only", "set GPM_HOME to a place that can be written to"
	case free < leastDisk:
		f.Grade, f.Advice = broken, "free some space: without it no log line and no change of the list can be kept"
	case s.Files > 0 && s.Ffree < leastInodes:
		f.Grade, f.Text, f.Advice = broken, fmt.Sprintf("only %d more files can be made for %s", s.Ffree, home), "remove some files"
	}
	return f
}

func examineFiles(daemon int) finding {
	var r unix.Rlimit
	if err := unix.Prlimit(daemon, unix.RLIMIT_NOFILE, nil, &r); err != nil {
		return finding{"files", dubious, err.Error(), ""}
	}
	f := finding{"files", fine, fmt.Sprintf("%s may be open in a process", count(r.Max)), ""}
	if r.Max < leastFiles && os.Geteuid() != 0 {
		f.Grade, f.Advice = dubious, "raise the limit (LimitNOFILE= of the unit, or /etc/security/limits.conf): gpm needs about three for each process"
	}
	return f
}

func examineTasks(daemon int) finding {
	most, why := uint64(math.MaxUint64), ""
	var r unix.Rlimit
	if err := unix.Prlimit(daemon, unix.RLIMIT_NPROC, nil, &r); err == nil && os.Geteuid() != 0 {
		most, why = r.Max, "ulimit -u"
	}
	if n := groupTasks(daemon); n < most {
		most, why = n, "TasksMax= or pids.max of the control group"
	}
	f := finding{"processes", fine, fmt.Sprintf("%s may run at once", count(most)), ""}
	if most < leastTasks {
		f.Grade, f.Advice = dubious, "raise "+why+": each thread of each app counts"
	}
	return f
}

// groupTasks is the bound of the control group that a process is in, 0 for this one.
func groupTasks(pid int) uint64 {
	name := "self"
	if pid != 0 {
		name = strconv.Itoa(pid)
	}
	text, _ := os.ReadFile(filepath.Join("/proc", name, "cgroup"))
	for line := range strings.Lines(string(text)) {
		if path, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			return numberIn(filepath.Join("/sys/fs/cgroup", path, "pids.max"), math.MaxUint64)
		}
	}
	return math.MaxUint64
}

func examineInotify() finding {
	watches := numberIn("/proc/sys/fs/inotify/max_user_watches", math.MaxUint64)
	f := finding{"watch", fine, count(watches) + " folders can be watched", ""}
	if watches < leastWatches {
		f.Grade, f.Advice = dubious, "sysctl fs.inotify.max_user_watches=524288, if apps are to be watched"
	}
	return f
}

// examineOvercommit looks at what makes big programs fail to start children.
func examineOvercommit() finding {
	f := finding{"memory", fine, "the kernel grants memory as usual", ""}
	if numberIn("/proc/sys/vm/overcommit_memory", 0) == 2 {
		f.Grade, f.Text, f.Advice = dubious, "the kernel grants no more memory than there is (vm.overcommit_memory=2)", "apps may fail to start although memory is free; sysctl vm.overcommit_memory=0"
	}
	return f
}

func numberIn(path string, otherwise uint64) uint64 {
	text, err := os.ReadFile(path)
	if err != nil {
		return otherwise
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return otherwise
	}
	return n
}

func count(n uint64) string {
	if n > math.MaxInt64 {
		return "any number"
	}
	return strconv.FormatUint(n, 10)
}
