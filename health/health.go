// Package health judges a process by the answers of its health check. It decides when to ask and what an answer
// means; it neither asks nor acts.
package health

import (
	"time"

	"gpm/app"
)

// Monitor is what is known about the health of one instance. The zero value knows of no process.
type Monitor struct {
	Seq      uint64    // the process that is asked; 0 = none
	Since    time.Time // its start
	Judged   Judgement
	Failures int       // in a row, that count
	Asking   bool      // an answer is awaited
	AskAt    time.Time // when to ask next; zero while an answer is awaited
	EndAt    time.Time // when to replace a process that is ill; zero = not
	Streak   int       // replacements since an instance of this was well
	Why      string    // the last failure
}

// Judgement is what is thought of a process.
type Judgement uint8

// The judgements.
const (
	Unknown Judgement = iota // it has not passed yet, and need not have
	Well
	Ill
)

// Event is something that a Monitor takes notice of.
type Event interface{ isEvent() }

// Began says that a process is there that can be asked.
type Began struct {
	Seq   uint64
	Since time.Time // its start
}

// Ended says that there is no process to be asked.
type Ended struct{}

// Answer is what came of asking the process of this Seq: nil, or what is wrong.
type Answer struct {
	Seq   uint64
	Wrong error
}

// Tick says that time has passed.
type Tick struct{}

func (Began) isEvent()  {}
func (Ended) isEvent()  {}
func (Answer) isEvent() {}
func (Tick) isEvent()   {}

// Effect is what is to be done after a step.
type Effect uint8

// The effects.
const (
	None    Effect = iota
	Ask            // put the question; its Answer must come
	Passed         // it is well now
	Failed         // it is ill now
	Replace        // replace the process
)

// quick is the pace at which a process is asked that has not passed yet: others may wait for it.
const quick = time.Second

// The pauses between replacements that did not help.
const (
	pauseFirst = 10 * time.Second
	pauseMost  = 5 * time.Minute
)

// Deadline is when the next Tick is needed; zero = never.
func (m Monitor) Deadline() time.Time {
	if m.EndAt.IsZero() || !m.AskAt.IsZero() && m.AskAt.Before(m.EndAt) {
		return m.AskAt
	}
	return m.EndAt
}

// Step says what follows from an event: the next value and at most one effect. It is pure.
func Step(m Monitor, ev Event, now time.Time, h app.Health) (Monitor, Effect) {
	switch ev := ev.(type) {
	case Began:
		if ev.Seq == m.Seq {
			return m, None
		}
		return Monitor{Seq: ev.Seq, Since: ev.Since, AskAt: now.Add(min(quick, h.Interval)), Streak: m.Streak}, None
	case Ended:
		return Monitor{Streak: m.Streak}, None
	case Answer:
		if ev.Seq != m.Seq || !m.Asking {
			return m, None // of a process that is gone
		}
		m.Asking = false
		if ev.Wrong == nil {
			return m.passed(now, h)
		}
		return m.failed(ev.Wrong.Error(), now, h)
	case Tick:
		return m.tick(now)
	}
	return m, None
}

func (m Monitor) passed(now time.Time, h app.Health) (Monitor, Effect) {
	before := m.Judged
	m.Judged, m.Failures, m.Streak, m.Why = Well, 0, 0, ""
	m.AskAt, m.EndAt = now.Add(h.Interval), time.Time{}
	if before == Well {
		return m, None
	}
	return m, Passed
}

// failed leaves a process in peace that is still starting.
func (m Monitor) failed(why string, now time.Time, h app.Health) (Monitor, Effect) {
	m.Why = why
	if m.Judged == Unknown && now.Before(m.Since.Add(h.StartPeriod)) {
		m.AskAt = now.Add(min(quick, h.Interval))
		return m, None
	}
	m.Failures++
	m.AskAt = now.Add(h.Interval)
	if m.Failures < h.Retries || m.Judged == Ill {
		return m, None
	}
	m.Judged, m.EndAt = Ill, now.Add(pause(m.Streak))
	return m, Failed
}

func (m Monitor) tick(now time.Time) (Monitor, Effect) {
	switch {
	case m.Seq == 0:
	case !m.EndAt.IsZero() && !now.Before(m.EndAt):
		m.Streak++
		m.EndAt = now.Add(pause(m.Streak)) // should the replacement fail, the process goes on
		return m, Replace
	case !m.AskAt.IsZero() && !now.Before(m.AskAt):
		m.Asking, m.AskAt = true, time.Time{}
		return m, Ask
	}
	return m, None
}

// pause before the next replacement, after so many that did not help.
func pause(streak int) time.Duration {
	if streak == 0 {
		return 0
	}
	return min(pauseFirst<<min(streak-1, 10), pauseMost)
}
