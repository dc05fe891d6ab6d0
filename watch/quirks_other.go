//go:build !unix

package watch

// movedIsRemoved: ReadDirectoryChangesW calls a directory that is moved elsewhere removed.
const movedIsRemoved = true

// touched: elsewhere a new modification time is reported as a write.
func touched(string) bool { return false }
