package main

import (
	"os"
	"slices"
	"strconv"
	"strings"
)

// listeningPorts are the TCP ports that anybody in our network namespace listens on, proc_net_tcp(5).
func listeningPorts() []int {
	var out []int
	for _, name := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, err := os.ReadFile(name)
		if err != nil { // no IPv6
			continue
		}
		for line := range strings.Lines(string(text)) {
			const listens = "0A"
			f := strings.Fields(line)
			if len(f) < 4 || f[3] != listens {
				continue
			}
			_, hex, _ := strings.Cut(f[1], ":")
			if port, err := strconv.ParseUint(hex, 16, 16); err == nil {
				out = append(out, int(port))
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
