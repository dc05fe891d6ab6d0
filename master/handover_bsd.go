//go:build darwin || freebsd

package master

import "time"

// probation does not begin here.
const probation = time.Hour

func (*master) turn(daemonEnd) bool { return false }
