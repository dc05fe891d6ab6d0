package logs

import (
	"sync"
	"time"
)

// The grids on which rests end: a busy stream's on the fine one, all others together on a coarse one, so that a hundred
// quiet streams are one wake-up. Of a crowd each is looked at less often: what a look costs is the same for few lines
// and for many.
const (
	fineTick  = time.Millisecond
	slowTick  = 20 * fineTick
	crowdTick = 50 * fineTick
	crowd     = 32  // streams
	slots     = 128 // more than the longest rest, rounded up, in fine ticks
)

// wheel holds the streams that rest: their pipes may fill for a few milliseconds
// before the next look, which costs two system calls instead of five and moves many
// lines at once.
type wheel struct {
	start time.Time // set once

	mu      sync.Mutex // guards the rest
	slots   [slots][]*Stream
	resting int   // in all slots
	done    int64 // last tick collected
	armed   int64 // tick the timer is set to; 0 = not set
	due     []*Stream
}

// dueTick rounds the end of a rest to its grid: up on the fine one, to the nearest on a coarse one. resting is how many
// others rest.
func dueTick(now, d time.Duration, resting int) int64 {
	grid := fineTick
	switch {
	case d >= crowdTick && resting >= crowd:
		grid, d = crowdTick, crowdTick/2
	case d >= slowTick:
		grid, d = slowTick, slowTick/2
	}
	return int64((now+d+grid-1)/grid) * int64(grid/fineTick)
}

// rest puts a stream aside for about d, at most one and a half ticks of its grid.
func (w *wheel) rest(s *Stream, now time.Time, d time.Duration, set func(time.Duration)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	due := max(dueTick(now.Sub(w.start), d, w.resting), w.done+1)
	due = min(due, w.done+slots-1) // collect may lag behind; a slot must not be lapped
	w.slots[due%slots] = append(w.slots[due%slots], s)
	w.resting++
	if w.armed == 0 || due < w.armed {
		w.arm(due, set)
	}
}

func (w *wheel) arm(tick int64, set func(time.Duration)) {
	w.armed = tick
	set(time.Until(w.start.Add(time.Duration(tick) * fineTick)))
}

// collect moves what is due at now to the queue of pop and sets the timer for the
// next; while the queue is not empty, that is soon, to find it other hands.
func (w *wheel) collect(now time.Time, set func(time.Duration)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	tick := int64(now.Sub(w.start) / fineTick)
	for t := w.done + 1; t <= min(tick, w.done+slots); t++ {
		w.due = append(w.due, w.slots[t%slots]...)
		w.resting -= len(w.slots[t%slots])
		clear(w.slots[t%slots])
		w.slots[t%slots] = w.slots[t%slots][:0]
	}
	w.done = max(w.done, tick)
	w.armed = 0
	if len(w.due) > 0 {
		w.arm(w.done+int64(slowTick/fineTick), set)
	}
	for t := w.done + 1; t < w.done+slots; t++ {
		if len(w.slots[t%slots]) > 0 {
			if w.armed == 0 || t < w.armed {
				w.arm(t, set)
			}
			return
		}
	}
}

func (w *wheel) pop() *Stream {
	w.mu.Lock()
	defer w.mu.Unlock()
	last := len(w.due) - 1
	if last < 0 {
		return nil
	}
	s := w.due[last]
	w.due[last] = nil
	w.due = w.due[:last]
	return s
}
