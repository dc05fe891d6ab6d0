package schedule

import (
	"encoding"
	"fmt"
	"slices"
	"time"
)

// Overlap says what happens when a run is due while the one before still goes on.
type Overlap uint8

// The overlap policies.
const (
	Skip    Overlap = iota // leave the new one out
	Queue                  // run it afterwards; several that wait become one
	Replace                // end the old one first
)

// Missed says what happens to runs whose time passed unseen: the machine slept, was
// off, or its clock was set forward.
type Missed uint8

// The missed-run policies.
const (
	Forget Missed = iota // leave them out
	Once                 // one run makes up for all of them
)

var (
	overlapNames = []string{"skip", "queue", "replace"}
	missedNames  = []string{"skip", "once"}
)

var (
	_ encoding.TextUnmarshaler = new(Overlap)
	_ encoding.TextUnmarshaler = new(Missed)
)

// String returns "skip", "queue" or "replace".
func (o Overlap) String() string { return name(overlapNames, int(o)) }

// MarshalText implements encoding.TextMarshaler.
func (o Overlap) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler; empty text is Skip.
func (o *Overlap) UnmarshalText(b []byte) error {
	i, err := index("overlap policy", overlapNames, string(b))
	*o = Overlap(i)
	return err
}

// String returns "skip" or "once".
func (m Missed) String() string { return name(missedNames, int(m)) }

// MarshalText implements encoding.TextMarshaler.
func (m Missed) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler; empty text is Forget.
func (m *Missed) UnmarshalText(b []byte) error {
	i, err := index("missed-run policy", missedNames, string(b))
	*m = Missed(i)
	return err
}

func name(names []string, i int) string {
	if i < len(names) {
		return names[i]
	}
	return fmt.Sprintf("policy(%d)", i)
}

func index(what string, names []string, text string) (int, error) {
	if text == "" {
		return 0, nil
	}
	i := slices.Index(names, text)
	if i < 0 {
		return 0, fmt.Errorf("cannot read %s %q: it is one of %q", what, text, names)
	}
	return i, nil
}

// tolerance is how late a run may begin and still count as on time.
const tolerance = time.Minute

// verdict says what to do at now about a moment that was due.
type verdict uint8

const (
	notYet verdict = iota
	onTime
	makeUp // late, and the policy wants it all the same
	tooLate
)

func judge(due, now time.Time, m Missed) verdict {
	switch {
	case due.IsZero() || due.After(now):
		return notYet
	case now.Sub(due) <= tolerance:
		return onTime
	case m == Once:
		return makeUp
	}
	return tooLate
}

// step is what a due run does while state says what goes on.
type step uint8

const (
	start      step = iota // begin at once
	leaveOut               // not at all
	wait                   // when the present one has ended
	endPresent             // end the present one, then begin
)

func decide(o Overlap, running, waiting bool) step {
	switch {
	case !running:
		return start
	case o == Queue && !waiting:
		return wait
	case o == Replace && !waiting:
		return endPresent
	}
	return leaveOut
}

// setBack says whether the clock was turned back so far that the next moment was
// computed in a wrong future.
func setBack(before, now time.Time) bool { return before.Sub(now) > tolerance }
