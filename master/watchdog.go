package master

import "time"

const (
	missedBeats = 2  // pings in a row that may stay unanswered
	lenientFor  = 10 // as many more, while the daemon gets no processor to answer with
)

// watchdog tells a daemon that hangs from one that starves: on a machine whose processors others have taken, its threads
// could run and wait for most of the time. To replace it then would help nobody, the next one would have more to do.
type watchdog struct {
	delay   func() time.Duration // how long the daemon's threads have waited for a processor, in all
	looked  time.Time            // the last look
	before  time.Duration        // delay at that
	excused int                  // looks at which it starved
}

// pulse is what a look at a daemon shows.
type pulse uint8

const (
	beating pulse = iota
	starved       // it has begun to starve
	hung
)

// judge is called for every ping with the number of those without an answer, this one included. Only when one is late, it looks.
func (w *watchdog) judge(missed int, now time.Time) pulse {
	if missed < missedBeats {
		return beating
	}
	if missed == missedBeats {
		w.excused, w.before, w.looked = 0, w.delay(), now
		return beating
	}
	delay := w.delay()
	starves := delay-w.before >= now.Sub(w.looked)/2
	w.before, w.looked = delay, now
	if starves && w.excused < lenientFor {
		w.excused++
	}
	switch {
	case missed > missedBeats+w.excused:
		return hung
	case starves && w.excused == 1:
		return starved
	}
	return beating
}
