//go:build !linux

package logs

// lowPriority does nothing where the priority is that of the whole process.
func lowPriority() {}
