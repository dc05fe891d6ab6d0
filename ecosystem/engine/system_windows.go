package engine

// What Node calls this system.
const (
	platform   = "win32"
	lineEnd    = "\r\n"
	systemType = "Windows_NT"
)
