package testprog

import (
	"fmt"
	"math/rand/v2"
	"net"
)

// Linux takes the ports of outgoing connections from 32768 up, ip(7): below them no test's connection is in the way of
// another's server.
const firstPort, lastPort = 12000, 31999

// Port returns the first of n TCP ports in a row that are free at all addresses, for programs that want a number.
func Port(n int) (int, error) {
	var err error
	for range 100 {
		port := firstPort + rand.IntN(lastPort-firstPort-n)
		if err = portsFree(port, n); err == nil {
			return port, nil
		}
	}
	return 0, fmt.Errorf("cannot find a free port: %w", err)
}

func portsFree(first, n int) error {
	for port := first; port < first+n; port++ {
		l, err := net.Listen("tcp", fmt.Sprintf(":%d", port))
		if err != nil {
			return err
		}
		if err := l.Close(); err != nil {
			return err
		}
	}
	return nil
}
