//go:build !embedjs

package main

import "gpm/ecosystem"

// engineHere is none: an engine of our own costs each command milliseconds and each daemon megabytes, and whoever
// writes JavaScript has one. A build with -tags embedjs has it.
func engineHere() ecosystem.Engine { return nil }
