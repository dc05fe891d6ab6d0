package metrics

import (
	"bytes"
	"errors"
	"time"
)

// errStat marks text that is no /proc/PID/stat.
var errStat = errors.New("cannot parse process status")

// userHZ is the unit of times in /proc, in ticks a second: 100 on every
// architecture that Go supports, whatever the kernel's own rate.
const userHZ = 100

// The fields of /proc/PID/stat after the command name, counted from the state;
// proc(5) numbers them from 1 with the state as third.
const (
	fieldPPID    = 4 - 3
	fieldUtime   = 14 - 3
	fieldStime   = 15 - 3
	fieldThreads = 20 - 3
	fieldStart   = 22 - 3
	fieldRSS     = 24 - 3
)

// parseStat reads a line of /proc/PID/stat. The command name stands in parentheses
// and may itself hold spaces, parentheses and line ends, so the last ")" ends it.
func parseStat(line []byte, pageSize int64) (proc, error) {
	open, end := bytes.IndexByte(line, '('), bytes.LastIndexByte(line, ')')
	if open < 1 || end < open {
		return proc{}, errStat
	}
	pid, ok := parseInt(bytes.TrimSpace(line[:open]))
	if !ok || pid < 1 {
		return proc{}, errStat
	}
	var f [fieldRSS + 1]int64
	if !parseFields(line[end+1:], f[:]) {
		return proc{}, errStat
	}
	return proc{
		pid: int(pid), ppid: int(f[fieldPPID]),
		born:    ticks(f[fieldStart]),
		cpu:     ticks(f[fieldUtime]) + ticks(f[fieldStime]),
		rss:     f[fieldRSS] * pageSize,
		threads: int(f[fieldThreads]),
	}, nil
}

// parseFields fills f with the numbers of a line; the first field is a letter
// and stays 0.
func parseFields(line []byte, f []int64) bool {
	for i := range f {
		line = bytes.TrimLeft(line, " ")
		end := bytes.IndexAny(line, " \n")
		if end < 0 {
			end = len(line)
		}
		n, ok := parseInt(line[:end])
		if i > 0 && !ok {
			return false
		}
		f[i], line = n, line[end:]
	}
	return true
}

// parseInt is strconv.ParseInt for bytes and without an error to build: it runs
// a hundred thousand times in a look at 5,000 processes. What does not fit is cut off.
func parseInt(b []byte) (n int64, ok bool) {
	negative := len(b) > 0 && b[0] == '-'
	if negative {
		b = b[1:]
	}
	const most = 1<<63 - 1
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		if digit := int64(c - '0'); n > (most-digit)/10 {
			n = most
		} else {
			n = n*10 + digit
		}
	}
	if negative {
		n = -n
	}
	return n, len(b) > 0
}

func ticks(n int64) time.Duration {
	const most = int64(1<<63-1) / int64(time.Second/userHZ) / 2
	return time.Duration(min(max(n, 0), most)) * (time.Second / userHZ)
}
