//go:build !unix

package main

import "os"

// reopenSignal: there is no such signal here.
func reopenSignal() <-chan os.Signal { return nil }
