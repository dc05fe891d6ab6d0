//go:build !linux

package sockets

// ListeningPorts knows none.
func ListeningPorts() []int { return nil }

// Ports is a look at which processes listen on TCP ports, which there is none of here.
type Ports struct{}

// LookAtPorts takes it; ok is false where that cannot be seen.
func LookAtPorts() (p Ports, ok bool) { return p, false }

// Of are the ports of one process.
func (Ports) Of(int) (ports []int) { return nil }

// OfTree are the ports of a process and of all below it.
func (Ports) OfTree(int) []int { return nil }
