package metrics

import (
	"cmp"
	"errors"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// share is how many processes are worth another reader: below that, starting it
// costs more than it saves.
const share = 500

// scan reads /proc/*/stat in one pass into procs. It works with raw descriptors: files
// of package os would cost a registration with the poller and several allocations each.
func scan(procs []proc) (table, error) {
	dir, err := unix.Open("/proc", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return table{}, os.NewSyscallError("open /proc", err)
	}
	defer unix.Close(dir)
	pids, err := listPIDs(dir)
	if err != nil {
		return table{}, err
	}
	procs = slices.Grow(procs[:0], len(pids))[:len(pids)]
	clear(procs)
	readAll(dir, pids, procs)
	procs = slices.DeleteFunc(procs, func(p proc) bool { return p.pid == 0 })
	// The kernel lists pids in order, but promises nothing.
	slices.SortFunc(procs, func(a, b proc) int { return cmp.Compare(a.pid, b.pid) })
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		return table{}, os.NewSyscallError("clock_gettime", err)
	}
	return table{procs: procs, now: time.Duration(now.Nano())}, nil
}

// listPIDs returns the names in /proc that are numbers.
func listPIDs(dir int) (pids []string, err error) {
	buf := make([]byte, 64<<10)
	for {
		n, err := unix.ReadDirent(dir, buf)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n <= 0 {
			isName := func(s string) bool { _, err := strconv.Atoi(s); return err != nil }
			return slices.DeleteFunc(pids, isName), os.NewSyscallError("getdents /proc", err)
		}
		_, _, pids = unix.ParseDirent(buf[:n], -1, pids)
	}
}

// readAll fills procs, one for each pid, on as many processors as it is worth.
// Those that vanish meanwhile stay zero.
func readAll(dir int, pids []string, procs []proc) {
	readers := min(runtime.GOMAXPROCS(0), 1+len(pids)/share)
	size := (len(pids) + readers - 1) / readers
	var wg sync.WaitGroup
	for from := 0; from < len(pids); from += size {
		to := min(from+size, len(pids))
		wg.Go(func() { readSome(dir, pids[from:to], procs[from:to]) })
	}
	wg.Wait()
}

func readSome(dir int, pids []string, procs []proc) {
	page := int64(os.Getpagesize())
	buf := make([]byte, 4096) // a line is below 1 KiB even with every field at its widest
	for i, pid := range pids {
		n, err := readStat(dir, pid, buf)
		if err != nil {
			continue
		}
		if p, err := parseStat(buf[:n], page); err == nil {
			procs[i] = p
		}
	}
}

func readStat(dir int, pid string, buf []byte) (int, error) {
	fd, err := unix.Openat(dir, pid+"/stat", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	return unix.Read(fd, buf)
}
