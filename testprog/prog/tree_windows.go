package main

// unixCommands is empty: no sessions and no signals here.
func unixCommands() map[string]command { return nil }
