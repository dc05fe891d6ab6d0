package proc

import (
	"fmt"
	"math"
	"slices"
	"time"

	"gpm/app"
)

// spawnRetry is the least delay after a spawn that failed: what failed for want
// of memory or processes needs a moment, and the owner must get back to its inbox.
const spawnRetry = 100 * time.Millisecond

// judgement is what becomes of an app whose child ended unasked.
type judgement uint8

const (
	again  judgement = iota // restart
	final                   // done as intended
	giveUp                  // more restarts would not help
)

// verdict applies the judgement to the machine.
func (m Machine) verdict(ev Event, now time.Time, p app.Policy) (Machine, Effect) {
	exit := *m.Exit
	m.Unstable, m.Backoff = pressure(m.Unstable, m.Backoff, exit, p)
	j, why := judge(exit, m.Unstable, ev.Permanent, p)
	switch j {
	case final:
		m.Goal = app.Down
		return m.rest(app.Stopped, why, now), None
	case giveUp: // keeps its goal: a later start of the daemon may try again
		return m.rest(app.Errored, why, now), None
	}
	return m.again(why, ev.Rand, now, p)
}

// again restarts at once or after a delay.
func (m Machine) again(why string, rand float64, now time.Time, p app.Policy) (Machine, Effect) {
	wait := p.RestartDelay
	if wait <= 0 {
		wait = delay(m.Backoff, rand, p)
		m.Backoff++
	}
	if m.Exit.SpawnError != "" {
		wait = max(wait, spawnRetry)
	}
	if wait <= 0 {
		return m.respawn("restart after "+why, now, p), Spawn
	}
	m = m.rest(app.Waiting, "restart after "+why, now)
	m.Deadline = now.Add(wait)
	return m, None
}

// pressure counts an ended run: a short one adds to the streak, a long one
// breaks it, and a very long one also resets the back-off. The two are apart so that an
// app which always dies just after MinUptime gets growing delays all the same.
func pressure(unstable, backoff int, exit app.Exit, p app.Policy) (int, int) {
	if !isStable(exit, p) {
		return unstable + 1, backoff
	}
	if exit.Uptime >= p.StableAfter {
		backoff = 0
	}
	return 0, backoff
}

func isStable(exit app.Exit, p app.Policy) bool {
	return exit.SpawnError == "" && exit.Uptime >= p.MinUptime
}

// judge decides what becomes of an app after this exit, with so many unstable
// runs in a row, and says why. Restarts that are off end an exit as intended, but
// a child that never ran is a failure all the same.
func judge(exit app.Exit, unstable int, permanent bool, p app.Policy) (judgement, string) {
	switch {
	case permanent:
		return giveUp, exit.String()
	case p.Task && hasCode(exit) && exit.Code == 0:
		return final, "it has completed"
	case p.Task:
		return giveUp, exit.String()
	case p.NoAutorestart && exit.SpawnError != "":
		return giveUp, exit.String()
	case p.NoAutorestart:
		return final, exit.String() + ", restarts are off"
	case hasCode(exit) && slices.Contains(p.StopExitCodes, exit.Code):
		return final, exit.String() + " is final"
	case !isStable(exit, p) && unstable >= p.MaxRestarts:
		return giveUp, fmt.Sprintf("%s; unstable runs in a row: %d", exit, unstable)
	}
	return again, exit.String()
}

// hasCode says that the child itself chose an exit code.
func hasCode(exit app.Exit) bool {
	return exit.Signal == "" && exit.SpawnError == "" && !exit.Unknown
}

// delay is the exponential back-off: nothing at level 0, then BackoffFirst,
// doubled for each level, ±20 % so that a fleet does not restart in step, never
// over BackoffMax.
func delay(level int, rand float64, p app.Policy) time.Duration {
	if level <= 0 || p.BackoffFirst <= 0 {
		return 0
	}
	limit := float64(p.BackoffMax)
	base := min(limit, float64(p.BackoffFirst)*math.Exp2(float64(level-1)))
	if d := base * (0.8 + 0.4*rand); d < limit {
		return time.Duration(d)
	}
	return p.BackoffMax
}
