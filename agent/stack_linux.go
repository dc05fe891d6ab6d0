package agent

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// lookEvery is how often the new port is looked for; it took under 80 ms.
const lookEvery = 5 * time.Millisecond

// wakeInspector makes the inspector thread of pid, which a hung loop does not
// stop, open its port, and returns the address.
func wakeInspector(ctx context.Context, pid int) (string, error) {
	caught, err := catchesSIGUSR1(pid)
	if err != nil {
		return "", err
	}
	if !caught {
		// Sent all the same, it would end the process.
		return "", fmt.Errorf("%w: it does not catch SIGUSR1", ErrNoInspector)
	}
	before, err := loopbackPorts(pid)
	if err != nil {
		return "", err
	}
	if err := syscall.Kill(pid, syscall.SIGUSR1); err != nil {
		return "", err
	}
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		now, err := loopbackPorts(pid)
		if err != nil {
			return "", err
		}
		for inode, port := range now {
			if _, old := before[inode]; !old {
				return "127.0.0.1:" + strconv.Itoa(port), nil
			}
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("%w: it opened no port", ErrNoInspector)
		case <-ticker.C:
		}
	}
}

// catchesSIGUSR1 reads the mask of caught signals, proc_pid_status(5).
func catchesSIGUSR1(pid int) (bool, error) {
	status, err := os.ReadFile(procPath(pid, "status"))
	if err != nil {
		return false, err
	}
	for line := range strings.Lines(string(status)) {
		if mask, found := strings.CutPrefix(line, "SigCgt:"); found {
			bits, err := strconv.ParseUint(strings.TrimSpace(mask), 16, 64)
			return bits&(1<<(syscall.SIGUSR1-1)) != 0, err
		}
	}
	return false, nil
}

// loopbackPorts returns, by socket inode, the ports that pid listens on at
// 127.0.0.1.
func loopbackPorts(pid int) (map[string]int, error) {
	f, err := os.Open(procPath(pid, "net/tcp"))
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	all, err := listeningPorts(f)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	fds, err := filepath.Glob(procPath(pid, "fd/*"))
	if err != nil {
		return nil, err
	}
	own := map[string]int{}
	for _, fd := range fds {
		target, err := os.Readlink(fd)
		if err != nil {
			continue // closed meanwhile
		}
		inode := strings.TrimSuffix(strings.TrimPrefix(target, "socket:["), "]")
		if port, found := all[inode]; found {
			own[inode] = port
		}
	}
	return own, nil
}

// listeningPorts reads proc_pid_net(5)'s tcp table: local address in host byte order
// and port, both hexadecimal, in the second field, the state (0A = listening) in the
// fourth, the inode in the tenth.
func listeningPorts(table io.Reader) (map[string]int, error) {
	ports := map[string]int{}
	lines := bufio.NewScanner(table)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) < 10 || f[3] != "0A" {
			continue
		}
		host, port, _ := strings.Cut(f[1], ":")
		n, err := strconv.ParseUint(port, 16, 16)
		if err == nil && (host == "0100007F" || host == "7F000001") {
			ports[f[9]] = int(n)
		}
	}
	return ports, lines.Err()
}

func procPath(pid int, name string) string {
	return "/proc/" + strconv.Itoa(pid) + "/" + name
}
