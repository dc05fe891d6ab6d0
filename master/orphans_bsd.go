//go:build darwin || freebsd

package master

import "os"

// becomeSubreaper does nothing: orphans go to process 1, which reaps them.
func becomeSubreaper() error { return nil }

func (t *Table) reapOrphans(sigchld <-chan os.Signal, done <-chan struct{}) {
	for {
		select {
		case <-sigchld:
		case <-t.signals.released:
		case <-done:
			return
		}
	}
}
