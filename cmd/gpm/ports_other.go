//go:build !linux

package main

// listeningPorts knows none: what was moved is judged by its processes alone.
func listeningPorts() []int { return nil }

// portsBy is a look at who listens, which there is none of here.
type portsBy struct{}

func processPorts() (portsBy, bool)  { return portsBy{}, false }
func (portsBy) of(int) (ports []int) { return nil }
func (portsBy) ofTree(int) []int     { return nil }
