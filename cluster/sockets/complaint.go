package sockets

import (
	"net"
	"regexp"
	"strconv"
	"strings"
)

// Complaint is an address that a program says it could not listen on.
type Complaint struct {
	Address
	Forbidden bool // it has not the right; else the address is in use
}

// complaints are the words of runtimes and servers. The first group is the host, host and port, or the path of a Unix
// socket; the second the port where it stands apart.
var complaints = []string{
	`listen (?:EADDRINUSE|EACCES): [a-z ]+ (\S+)$`,                                                 // Node, Deno
	`listen (?:tcp[46]?|unix) (\S+): bind: (?:address already in use|permission denied)`,           // Go
	`bind on address \('([^']*)', (\d+)[^)]*\): (?:\[errno \d+\] )?(?:address|permission|\[errno)`, // Python's asyncio, uvicorn
	`Connection in use: \('([^']*)', (\d+)\)`,                                                      // gunicorn
	`(?:already in use|Permission denied) - bind\(2\) for "?([^" ]+?)"?(?: port (\d+))?(?: |$)`,    // Ruby
	`bind\(\) to (\S+) failed \((?:98|13):`,                                                        // nginx
	`()Port (\d+) is in use by another program`,                                                    // Flask
	`()Is port (\d+) in use\?`,                                                                     // Bun
}

// FindComplaint looks in the last words of a program for one.
func FindComplaint(lines []string) (c Complaint, found bool) {
	for _, line := range lines {
		if !mayComplain(line) {
			continue
		}
		for _, text := range complaints {
			// Compiled when needed: few programs ever end with such words.
			if m := regexp.MustCompile(`(?i)` + text).FindStringSubmatch(line); m != nil {
				if c, found = complaintAbout(append(m, "")[1:3]); found {
					c.Forbidden = mayBeForbidden(line)
					return c, true
				}
			}
		}
	}
	return c, false
}

func mayComplain(line string) bool {
	for _, words := range []string{"in use", "EADDRINUSE", "EACCES", "ermission denied", "bind"} {
		if strings.Contains(line, words) {
			return true
		}
	}
	return false
}

func mayBeForbidden(line string) bool {
	line = strings.ToLower(line)
	return strings.Contains(line, "permission denied") || strings.Contains(line, "(13:")
}

// complaintAbout reads host and port, in one or apart.
func complaintAbout(parts []string) (c Complaint, ok bool) {
	host, port := parts[0], parts[1]
	if strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@") {
		return Complaint{Address: Address{Network: Unix, Path: host}}, true
	}
	if i := strings.LastIndexByte(host, ':'); port == "" && i >= 0 {
		host, port = host[:i], host[i+1:]
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return c, false
	}
	host = strings.Trim(host, "[]")
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "" // a name may be any address
	}
	return Complaint{Address: Address{Host: host, Port: int(n)}}, true
}
