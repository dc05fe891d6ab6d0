package sockets

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// FindHolders names who listens on an address, one process for each socket: for the sentence after EADDRINUSE. It
// reads the descriptors of every process until it has them, which takes a moment where there are thousands.
func FindHolders(a Address) ([]Holder, error) {
	entries, err := listeners(a)
	if err != nil || len(entries) == 0 {
		return nil, err
	}
	places := find(entries)
	var holders []Holder
	for _, e := range entries {
		if at, ok := places[e.inode]; ok {
			holders = append(holders, holderOf(at.pid, e))
		} else {
			holders = append(holders, Holder{UID: e.uid, Address: e.String()})
		}
	}
	slices.SortFunc(holders, func(a, b Holder) int {
		return cmp.Or(cmp.Compare(a.PID, b.PID), cmp.Compare(a.Address, b.Address))
	})
	return slices.Compact(holders), nil
}

// listeners are the sockets in the way of a. A table that is missing (no IPv6) has none.
func listeners(a Address) (out []entry, err error) {
	names, state := []string{"tcp", "tcp6"}, stateListen
	switch a.Network {
	case Unix:
		names = []string{"unix"}
	case UDP:
		names, state = []string{"udp", "udp6"}, stateClose
	}
	for _, name := range names {
		table, err := os.ReadFile("/proc/net/" + name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		found := parseInet(table, state)
		if a.Network == Unix {
			found = parseUnix(table)
		}
		for _, e := range found {
			if e.inTheWay(a) {
				out = append(out, e)
			}
		}
	}
	return out, nil
}

// place is a descriptor of a process.
type place struct{ pid, fd int }

// find looks for the sockets among the descriptors of all processes that may be read, until each was seen. The key is
// the inode.
func find(entries []entry) map[uint64]place {
	missing, places := map[uint64]bool{}, map[uint64]place{}
	for _, e := range entries {
		missing[e.inode] = true
	}
	dirs, err := filepath.Glob("/proc/[0-9]*/fd")
	if err != nil {
		return nil // the pattern is right
	}
	for _, dir := range keepersLast(dirs) {
		if len(missing) == 0 {
			break
		}
		fds, err := os.ReadDir(dir)
		if err != nil {
			continue // of another user, or ended meanwhile
		}
		for _, name := range fds {
			inode, ok := socketInode(dir + "/" + name.Name())
			if !ok || !missing[inode] {
				continue
			}
			pid, err1 := strconv.Atoi(strings.Split(dir, "/")[2])
			fd, err2 := strconv.Atoi(name.Name())
			if err1 == nil && err2 == nil {
				places[inode] = place{pid, fd}
				delete(missing, inode)
			}
		}
	}
	return places
}

// keepersLast is the order to look in: daemon and master have copies of sockets that are their apps'.
func keepersLast(dirs []string) []string {
	isKeeper := func(dir string) bool {
		pid, err := strconv.Atoi(strings.Split(dir, "/")[2])
		return err == nil && (pid == os.Getpid() || pid == os.Getppid())
	}
	keepers := slices.DeleteFunc(slices.Clone(dirs), func(dir string) bool { return !isKeeper(dir) })
	return append(slices.DeleteFunc(dirs, isKeeper), keepers...)
}

func socketInode(link string) (uint64, bool) {
	target, err := os.Readlink(link)
	if err != nil {
		return 0, false // closed, or ended meanwhile
	}
	number, ok := strings.CutPrefix(target, "socket:[")
	inode, err := strconv.ParseUint(strings.TrimSuffix(number, "]"), 10, 64)
	return inode, ok && err == nil
}

// holderOf describes a process; one that ends meanwhile has no command.
func holderOf(pid int, e entry) Holder {
	dir := "/proc/" + strconv.Itoa(pid)
	cmdline, err := os.ReadFile(dir + "/cmdline")
	if err != nil {
		cmdline = nil
	}
	comm, err := os.ReadFile(dir + "/comm")
	if err != nil {
		comm = nil
	}
	return Holder{PID: pid, Command: commandLine(cmdline, comm), UID: e.uid, Address: e.String()}
}
