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
	byInode := map[uint64]entry{}
	for _, e := range entries {
		byInode[e.inode] = e
	}
	holders, seen := scan(byInode)
	for inode, e := range byInode {
		if !seen[inode] {
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

// scan looks for the sockets among the descriptors of all processes that may be read, until each was seen.
func scan(byInode map[uint64]entry) (holders []Holder, seen map[uint64]bool) {
	seen = map[uint64]bool{}
	dirs, err := filepath.Glob("/proc/[0-9]*/fd")
	if err != nil {
		return nil, seen // the pattern is right
	}
	for _, dir := range dirs {
		if len(seen) == len(byInode) {
			break
		}
		fds, err := os.ReadDir(dir)
		if err != nil {
			continue // of another user, or ended meanwhile
		}
		for _, fd := range fds {
			inode, ok := socketInode(dir + "/" + fd.Name())
			e, wanted := byInode[inode]
			if !ok || !wanted || seen[inode] {
				continue
			}
			seen[inode] = true
			if pid, err := strconv.Atoi(strings.Split(dir, "/")[2]); err == nil {
				holders = append(holders, holderOf(pid, e))
			}
		}
	}
	return holders, seen
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
