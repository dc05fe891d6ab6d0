//go:build !linux

package launch

// allowedCPUs is not known here: processes are not placed.
func allowedCPUs() []int { return nil }
