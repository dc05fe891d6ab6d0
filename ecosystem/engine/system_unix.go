//go:build unix

package engine

import (
	"runtime"
	"strings"
)

// What Node calls this system.
const (
	platform = runtime.GOOS
	lineEnd  = "\n"
)

var systemType = strings.ToUpper(platform[:1]) + platform[1:]
