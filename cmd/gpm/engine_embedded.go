//go:build embedjs

package main

import (
	"gpm/ecosystem"
	"gpm/ecosystem/engine"
)

// engineHere evaluates a JavaScript file where no Node, Bun or Deno is on PATH.
func engineHere() ecosystem.Engine { return engine.Engine{} }
