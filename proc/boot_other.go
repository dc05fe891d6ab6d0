//go:build !linux

package proc

// BootID is the same for every boot: start times are absolute here and tell processes apart.
func BootID() (string, error) { return "any", nil }
