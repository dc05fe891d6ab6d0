package main

import (
	"errors"
	"fmt"
	"iter"
	"strconv"

	"gpm/app"
)

// follow prints the progress of an action. The error is reported{} when processes failed that were
// named here, and what ended the request otherwise.
func (c *cli) follow(seq iter.Seq2[app.Progress, error]) error {
	return c.followTo(seq, func(*progress) {})
}

// followTo is follow with last words.
func (c *cli) followTo(seq iter.Seq2[app.Progress, error], last func(*progress)) error {
	p := &progress{c: c}
	var ended error
	for item, err := range seq {
		p.clear()
		if err != nil {
			ended = errors.Join(ended, err)
			continue
		}
		p.take(item)
		p.count()
	}
	p.clear()
	if ended != nil {
		return ended
	}
	last(p)
	if p.failed > 0 {
		return reported{}
	}
	return nil
}

// progress is how far an action has come.
type progress struct {
	c                   *cli
	total, done, failed int
	shown               bool // a counter stands on the last line
	fresh               launched
}

func (p *progress) take(item app.Progress) {
	p.total += item.Total
	for _, t := range item.Existing {
		p.c.applying(t.Action, t.App, t.IDs)
	}
	if item.Note != "" {
		p.c.note(item.Note)
	}
	name := ""
	if item.Status != nil {
		p.done++
		p.c.acted = append(p.c.acted, strconv.Itoa(item.Status.ID))
		name = fmt.Sprintf("[%s](%d) ", item.Status.Name, item.Status.ID)
	}
	switch {
	case item.Error != nil:
		p.failed++
		p.c.fail(&app.Error{Code: item.Error.Code, Message: name + item.Error.Message, Hint: item.Error.Hint})
		for _, line := range lastOf(item.Lines, shownLines) {
			fmt.Fprintln(p.c.err, "    "+clean(line))
		}
	case item.Status != nil && item.Status.State == app.Online && item.Status.Reason != "":
		p.c.say("%s✓ %s", name, item.Status.Reason)
		if item.Started && p.c.role == asPM2 {
			p.fresh.add(item.Status.Name)
		}
	case item.Status != nil && item.Started && p.c.role == asPM2:
		p.fresh.add(item.Status.Name) // told at the end
	case item.Status != nil:
		p.c.say("%s✓", name)
	}
}

// count shows a counter on a terminal while there is something to wait for.
func (p *progress) count() {
	if !p.c.screen.terminal || p.c.silent || p.total < 2 || p.done >= p.total {
		return
	}
	fmt.Fprintf(p.c.out, "%d of %s …", p.done, plural(p.total, "process", "processes"))
	p.shown = true
}

func (p *progress) clear() {
	if p.shown {
		fmt.Fprint(p.c.out, "\r\x1b[K")
		p.shown = false
	}
}

// shownLines is how much of the output of a failed process is shown; gpm why has all that was kept.
const shownLines = 30

func lastOf(lines []string, n int) []string { return lines[max(0, len(lines)-n):] }
