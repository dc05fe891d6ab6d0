package proc

import (
	"slices"
	"strings"
	"time"

	"gpm/app"
)

// row is one kind of input of the transition table.
type row struct {
	name   string
	ev     Event
	policy func(*app.Policy)
}

var tableStates = [...]app.State{app.Stopped, app.Launching, app.Online, app.Stopping, app.Killing, app.Waiting, app.Errored, app.Unhealthy}

var stateHeads = [...]string{"Stopped", "Launching", "Online", "Stopping", "Killing", "Waiting", "Errored", "Unhealthy"}

// tableRows are the events, and the cases of those whose outcome depends on
// more than the state.
func tableRows() []row {
	ran := app.Exit{Code: 1}
	failed := app.Exit{Code: -1, SpawnError: "why"}
	return []row{
		{name: "Start (goal := Up)", ev: Event{Kind: Start}},
		{name: "Restart (goal := Up)", ev: Event{Kind: Restart}},
		{name: "Stop (goal := Down)", ev: Event{Kind: Stop}},
		{name: "Delete (goal := Gone)", ev: Event{Kind: Delete}},
		{name: "Hold (goal := Up)", ev: Event{Kind: Hold}},
		{name: "Spawned", ev: Event{Kind: Spawned}},
		{name: "Spawned, readiness is awaited", ev: Event{Kind: Spawned}, policy: func(p *app.Policy) { p.WaitReady = true }},
		{name: "Ready", ev: Event{Kind: Ready}},
		{name: "Unwell", ev: Event{Kind: Unwell}},
		{name: "Well", ev: Event{Kind: Well}},
		{name: "SpawnFailed, for good", ev: Event{Kind: SpawnFailed, Exit: failed, Permanent: true}},
		{name: "SpawnFailed", ev: Event{Kind: SpawnFailed, Exit: failed}, policy: delayed},
		{name: "Exited, restarts off or a final code", ev: Event{Kind: Exited, Exit: ran}, policy: func(p *app.Policy) { p.StopExitCodes = []int{1} }},
		{name: "Exited, unstable too often", ev: Event{Kind: Exited, Exit: ran}, policy: func(p *app.Policy) { p.MaxRestarts = 1 }},
		{name: "Exited, without a delay", ev: Event{Kind: Exited, Exit: ran}},
		{name: "Exited, with a delay", ev: Event{Kind: Exited, Exit: ran}, policy: delayed},
		{name: "Tick (at the deadline)", ev: Event{Kind: Tick}},
	}
}

func delayed(p *app.Policy) { p.RestartDelay = time.Second }

// Table prints the transitions as markdown. Each cell is found by trying Step,
// so the page that holds the table cannot differ from the code.
func Table() string {
	var b strings.Builder
	b.WriteString("| event ↓ | " + strings.Join(stateHeads[:], " | ") + " |\n")
	b.WriteString(strings.Repeat("|---", 1+len(stateHeads)) + "|\n")
	var notes []string
	for _, r := range tableRows() {
		b.WriteString("| " + r.name)
		for _, s := range tableStates {
			text, note := cell(s, r)
			b.WriteString(" | " + text)
			notes = append(notes, note)
		}
		b.WriteString(" |\n")
	}
	slices.Sort(notes)
	for _, note := range slices.Compact(notes) {
		b.WriteString(note)
	}
	return b.String()
}

// cell tries one event in one state, under every goal that the state can have;
// what depends on the goal goes into a note.
func cell(s app.State, r row) (text, note string) {
	var texts, byGoal []string
	for _, goal := range goalsIn(s) {
		text := outcome(s, goal, r)
		texts = append(texts, text)
		byGoal = append(byGoal, goal.String()+" → "+text)
	}
	if len(slices.Compact(texts)) == 1 {
		return texts[0], ""
	}
	return "*by goal*", "\n*by goal*: " + strings.Join(byGoal, "; ") + "\n"
}

func goalsIn(s app.State) []app.Goal {
	switch s {
	case app.Stopped:
		return []app.Goal{app.Down}
	case app.Stopping, app.Killing:
		return []app.Goal{app.Up, app.Down, app.Gone}
	}
	return []app.Goal{app.Up}
}

func outcome(s app.State, goal app.Goal, r row) string {
	now := time.Unix(1e9, 0)
	p := app.DefaultPolicy()
	if r.policy != nil {
		r.policy(&p)
	}
	before := Machine{State: s, Goal: goal, Since: now, Deadline: now, Unstable: 1, Seq: 1}
	after, effect := Step(before, r.ev, now, p)
	return describe(before, after, effect, r.ev)
}

// describe is "new state / effect", the change that a step makes without
// leaving the state, or nothing.
func describe(before, after Machine, effect Effect, ev Event) string {
	to := stateHeads[after.State]
	switch {
	case effect == Release:
		return "– / Release"
	case effect != None:
		return to + " / " + effect.String()
	case after.State != before.State:
		return to
	case after.isStuck() && !before.isStuck():
		return "stuck"
	case ev.Kind == Tick && after.Unstable < before.Unstable:
		return "streak := 0"
	}
	return ""
}
