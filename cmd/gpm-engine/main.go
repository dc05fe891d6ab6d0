// Command gpm-engine evaluates one JavaScript or TypeScript file for gpm, which carries this program packed and
// runs it where no Node, Bun or Deno can. It is a program of its own because what its libraries prepare at
// start-up would cost each command of gpm milliseconds and its daemon megabytes.
package main

import (
	"context"
	"fmt"
	"os"

	"gpm/ecosystem"
	"gpm/ecosystem/engine"
)

func main() {
	if err := ecosystem.ServeEngine(context.Background(), engine.Engine{}, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
