//go:build unix

package master

import (
	"errors"
	"fmt"
	"time"
)

const (
	backoffFirst = 50 * time.Millisecond
	backoffMax   = 200 * time.Millisecond // whoever lists after a crash should not wait a second
	backoffLate  = 2 * time.Second        // bound once a daemon has died very often
	oftenDead    = 30
	stableAfter  = 5 * time.Second // a daemon that lived so long starts afresh
	refusals     = 3               // in a row, and nothing to look after: give up
)

// daemonEnd is how one daemon ended.
type daemonEnd struct {
	exit Exit
	err  error // it could not be started
	up   time.Duration
	late bool // it was killed, for it did not come to serve
}

// facts are what else matters for what comes next.
type facts struct {
	children int
	stopping bool // the master was asked to end
	shutdown bool // the daemon said that it is the last
}

// step is what the master does after a daemon's end.
type step uint8

const (
	startAgain  step = iota
	finish           // end, with an error or none
	endChildren      // no daemon comes up to do it; then end
)

// restarts decides whether and when the next daemon is started. Its zero value is
// that of a master whose first daemon has not ended yet.
type restarts struct {
	quick   int // ends in a row without a stable run
	refused int // of them, refusals to start in a row
	asked   int // ends since the master was asked to stop
}

// next decides after one end: what to do, after which delay, and the error to finish with.
func (r *restarts) next(end daemonEnd, f facts) (step, time.Duration, error) {
	r.count(end, f)
	switch {
	case f.shutdown, f.stopping && f.children == 0:
		return finish, 0, nil
	case f.stopping && r.asked >= refusals:
		return endChildren, 0, nil
	case f.children > 0:
		return startAgain, r.delay(), nil
	case end.err == nil && end.exit.Code == ExitAlreadyRunning:
		return finish, 0, ErrAlreadyRunning
	case r.refused >= refusals:
		return finish, 0, end.reason()
	}
	return startAgain, r.delay(), nil
}

func (r *restarts) count(end daemonEnd, f facts) {
	if end.up >= stableAfter {
		*r = restarts{asked: r.asked}
	}
	r.quick++
	if end.err != nil || end.exit.Code == ExitRefused {
		r.refused++
	} else {
		r.refused = 0
	}
	if f.stopping {
		r.asked++
	}
}

// delay doubles from the second restart in a row on; the first is immediate.
func (r *restarts) delay() time.Duration {
	switch {
	case r.quick <= 1:
		return 0
	case r.quick > oftenDead:
		return backoffLate
	}
	return min(backoffMax, backoffFirst<<(r.quick-2))
}

func (end daemonEnd) reason() error {
	if end.err != nil {
		return fmt.Errorf("cannot start the daemon: %w", end.err)
	}
	return errors.New("cannot keep a daemon: it refuses to start; its log says why")
}
