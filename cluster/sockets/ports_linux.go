package sockets

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// ListeningPorts are the TCP ports that anybody in our network namespace listens on.
func ListeningPorts() []int {
	var out []int
	for _, port := range listening() {
		out = append(out, port)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// listening are the ports of the TCP sockets that listen, by inode. A table that is missing (no IPv6) has none.
func listening() map[uint64]int {
	out := map[uint64]int{}
	for _, name := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		table, _ := os.ReadFile(name)
		for _, e := range parseInet(table, stateListen) {
			out[e.inode] = int(e.at.Port())
		}
	}
	return out
}

// Ports is a look at which processes listen on TCP ports.
type Ports struct {
	sockets  map[uint64]int // the port, by inode
	children map[int][]int  // of each process
}

// LookAtPorts takes it; ok is false where that cannot be seen.
func LookAtPorts() (p Ports, ok bool) {
	p = Ports{sockets: listening(), children: map[int][]int{}}
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

// Of are the ports of one process. One that we may not look into seems to have none.
func (p Ports) Of(pid int) (ports []int) {
	links, _ := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/fd/*") // the pattern is right
	for _, link := range links {
		inode, ok := socketInode(link)
		if port, listens := p.sockets[inode]; ok && listens {
			ports = append(ports, port)
		}
	}
	return ports
}

// OfTree are the ports of a process and of all below it.
func (p Ports) OfTree(pid int) []int {
	ports := p.Of(pid)
	for _, child := range p.children[pid] {
		ports = append(ports, p.OfTree(child)...)
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}
