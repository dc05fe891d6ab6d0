package main

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// listeningPorts are the TCP ports that anybody in our network namespace listens on.
func listeningPorts() []int {
	var out []int
	for _, port := range listeningSockets() {
		out = append(out, port)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// listeningSockets are the ports of the TCP sockets that listen, by inode, proc_net_tcp(5).
func listeningSockets() map[string]int {
	out := map[string]int{}
	for _, name := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, err := os.ReadFile(name)
		if err != nil { // no IPv6
			continue
		}
		for line := range strings.Lines(string(text)) {
			const listens, inode = "0A", 9
			f := strings.Fields(line)
			if len(f) <= inode || f[3] != listens {
				continue
			}
			_, hex, _ := strings.Cut(f[1], ":")
			if port, err := strconv.ParseUint(hex, 16, 16); err == nil {
				out[f[inode]] = int(port)
			}
		}
	}
	return out
}

// processPorts tells which TCP ports processes listen on. ok is false where that cannot be seen.
func processPorts() (p portsBy, ok bool) {
	p = portsBy{sockets: listeningSockets(), children: map[int][]int{}}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range stats {
		text, err := os.ReadFile(file)
		if err != nil { // it has ended
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		after := string(text[strings.LastIndexByte(string(text), ')')+1:]) // the name before may hold anything
		if f := strings.Fields(after); len(f) > 1 {
			parent, _ := strconv.Atoi(f[1])
			p.children[parent] = append(p.children[parent], pid)
		}
	}
	return p, err == nil && len(stats) > 0
}

// portsBy is a look at who listens.
type portsBy struct {
	sockets  map[string]int // port by inode
	children map[int][]int  // by the parent
}

// of are the ports of one process. One that we may not look into seems to have none.
func (p portsBy) of(pid int) (ports []int) {
	open, _ := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/fd/*")
	for _, fd := range open {
		target, _ := os.Readlink(fd)
		inode := strings.TrimSuffix(strings.TrimPrefix(target, "socket:["), "]")
		if port, listens := p.sockets[inode]; listens {
			ports = append(ports, port)
		}
	}
	return ports
}

// ofTree are the ports of a process and of all below it.
func (p portsBy) ofTree(pid int) []int {
	ports := p.of(pid)
	for _, child := range p.children[pid] {
		ports = append(ports, p.ofTree(child)...)
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}
