//go:build !packed

package main

import (
	"gpm/ecosystem"
	"gpm/ecosystem/engine"
)

// engine evaluates JavaScript files where no Node, Bun or Deno can. A plain go build links it; make build packs it.
func (*cli) engine() ecosystem.Engine { return engine.Engine{} }
