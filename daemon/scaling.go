package daemon

import (
	"fmt"
	"time"

	"gpm/app"
)

const (
	// scalePause is the time between two looks at how busy an app is.
	scalePause = time.Second
	// upLooks is how many looks in a row must find an app too busy.
	upLooks = 3
	// idleEnough is the share of the target that the instances which remain may be busy. Between that and tooBusy nothing changes:
	// a number of instances that was just reached is not left again for the same load.
	idleEnough = 0.8
)

// tooBusy is how busy an instance must be for another one to come: a tenth more than wanted, or half of what is left.
func tooBusy(target int) float64 { return min(1.1*float64(target), float64(target+100)/2) }

// scaling is what is remembered of an app between two looks at it. It is a value; next makes the following one.
type scaling struct {
	instances int       // at the last look
	changed   time.Time // when that number changed, or the app was first looked at
	busy      []look    // since then, at most a cooldown old
}

// look is how busy the instances of an app were together: 100 is one that does nothing else.
type look struct {
	at    time.Time
	total float64
}

// next takes a look and says how many instances there should be, and why, if not as many as there are.
func (s scaling) next(now look, instances int, a app.Autoscale) (after scaling, wanted int, why string) {
	if instances != s.instances {
		s = scaling{instances: instances, changed: now.at}
	}
	s.busy = append(since(s.busy, now.at.Add(-a.Cooldown)), now)
	switch {
	case instances < a.Min:
		return s, a.Min, fmt.Sprintf("at least %d", a.Min)
	case instances > a.Max:
		return s, a.Max, fmt.Sprintf("at most %d", a.Max)
	}
	if wanted = s.more(a); wanted > instances && now.at.Sub(s.changed) >= min(a.Cooldown, upLooks*scalePause) {
		return s, wanted, s.because(now.total, a)
	}
	if now.at.Sub(s.changed) >= a.Cooldown && s.fewer(a) {
		return s, instances - 1, s.because(now.total, a)
	}
	return s, instances, ""
}

// since drops the looks before an instant.
func since(busy []look, t time.Time) []look {
	var out []look
	for _, l := range busy {
		if !l.at.Before(t) {
			out = append(out, l)
		}
	}
	return out
}

// more is the number that the last looks ask for, at most twice as many as there are: a busy instance cannot say how
// much more there is to do.
func (s scaling) more(a app.Autoscale) int {
	if len(s.busy) < upLooks {
		return s.instances
	}
	var sum, least float64
	for i, l := range s.busy[len(s.busy)-upLooks:] {
		sum += l.total
		if i == 0 || l.total < least {
			least = l.total
		}
	}
	if least <= tooBusy(a.Target)*float64(s.instances) {
		return s.instances
	}
	enough := int(sum/upLooks)/a.Target + 1
	return min(enough, 2*s.instances, a.Max)
}

// fewer says that one less would have been enough all the time.
func (s scaling) fewer(a app.Autoscale) bool {
	if s.instances <= a.Min {
		return false
	}
	most := 0.0
	for _, l := range s.busy {
		most = max(most, l.total)
	}
	return most < idleEnough*float64(a.Target*(s.instances-1))
}

func (s scaling) because(total float64, a app.Autoscale) string {
	what := "CPU"
	if a.Metric == app.ScaleByLoop {
		what = "event loop"
	}
	return fmt.Sprintf("%s busy %.0f%%, target %d%%", what, total/float64(max(1, s.instances)), a.Target)
}
