package sockets

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Holder is a process that has a listening address open. PID is 0 when it belongs to another
// user and cannot be looked at; UID is known even then.
type Holder struct {
	PID     int
	Command string // as ps shows it
	UID     int    // -1: not known
	Address string // what it listens on
}

// String is for a sentence: "process 812 (nginx: master)", or who owns it when that is all there is to know.
func (h Holder) String() string {
	if h.PID == 0 {
		return fmt.Sprintf("a process of user %d", h.UID)
	}
	return fmt.Sprintf("process %d (%s)", h.PID, h.Command)
}

// entry is a listening socket in a table of /proc/net.
type entry struct {
	at    netip.AddrPort // IP sockets
	path  string         // Unix sockets
	uid   int            // -1: the table does not tell
	inode uint64
}

// States of sockets that receive for a port, include/net/tcp_states.h.
const (
	stateListen = "0A"
	stateClose  = "07" // an unconnected UDP socket
)

// parseInet reads /proc/net/tcp, tcp6, udp or udp6 (proc_net(5)): the sockets in one state.
func parseInet(table []byte, state string) (out []entry) {
	for line := range bytes.Lines(table) {
		f := strings.Fields(string(line))
		if len(f) < 10 || f[3] != state {
			continue
		}
		at, ok := parseHexAddr(f[1])
		uid, err1 := strconv.Atoi(f[7])
		inode, err2 := strconv.ParseUint(f[9], 10, 64)
		if ok && err1 == nil && err2 == nil {
			out = append(out, entry{at: at, uid: uid, inode: inode})
		}
	}
	return out
}

// parseHexAddr reads "0100007F:0BB8": words in the byte order of the machine, then the port.
func parseHexAddr(s string) (netip.AddrPort, bool) {
	host, port, _ := strings.Cut(s, ":")
	b, err := hex.DecodeString(host)
	p, err2 := strconv.ParseUint(port, 16, 16)
	if err != nil || err2 != nil || len(b)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(b); i += 4 {
		binary.NativeEndian.PutUint32(b[i:], binary.BigEndian.Uint32(b[i:]))
	}
	ip, ok := netip.AddrFromSlice(b)
	return netip.AddrPortFrom(ip.Unmap(), uint16(p)), ok
}

// acceptsConnections is the flag __SO_ACCEPTCON in /proc/net/unix.
const acceptsConnections = 1 << 16

// parseUnix reads /proc/net/unix: the listening sockets with a path.
func parseUnix(table []byte) (out []entry) {
	for line := range bytes.Lines(table) {
		f := strings.Fields(string(line))
		if len(f) < 8 {
			continue
		}
		flags, err1 := strconv.ParseUint(f[3], 16, 32)
		inode, err2 := strconv.ParseUint(f[6], 10, 64)
		if err1 == nil && err2 == nil && flags&acceptsConnections != 0 {
			_, path, _ := strings.Cut(string(line), f[6])
			out = append(out, entry{path: strings.TrimSpace(path), uid: -1, inode: inode})
		}
	}
	return out
}

// inTheWay says whether a socket keeps others from listening on a.
func (e entry) inTheWay(a Address) bool {
	if a.Network == Unix {
		return e.path == a.Path
	}
	if int(e.at.Port()) != a.Port {
		return false
	}
	ip, err := netip.ParseAddr(a.Host)
	return err != nil || ip.IsUnspecified() || e.at.Addr().IsUnspecified() || ip.Unmap() == e.at.Addr()
}

func (e entry) String() string {
	if e.path != "" {
		return e.path
	}
	return e.at.String()
}

// commandLine makes one line of /proc/PID/cmdline; comm stands in for an empty one.
func commandLine(cmdline, comm []byte) string {
	words := strings.Split(strings.TrimRight(string(cmdline), "\x00"), "\x00")
	if line := strings.TrimSpace(strings.Join(words, " ")); line != "" {
		return line
	}
	return strings.TrimSpace(string(comm))
}
