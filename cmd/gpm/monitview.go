package main

import (
	"fmt"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"gpm/app"
)

// The least that the monitor can be drawn in.
const (
	monitLeastWidth  = 50
	monitLeastHeight = 10
)

// View draws the list with the figures of the selected process below, its output beside them, and the keys at the end.
func (m monitor) View() tea.View {
	v := tea.NewView(m.draw(time.Now()))
	v.AltScreen = true
	return v
}

func (m monitor) draw(now time.Time) string {
	if m.width < monitLeastWidth || m.height < monitLeastHeight {
		return cut("too small", max(0, m.width))
	}
	left, rows := max(28, m.width*2/5), m.height-2
	right := m.width - left
	upper := max(4, rows/2)
	column := append(m.pane("Process list", left, upper, m.processLines(upper-2, left-2)),
		m.pane("Figures and settings", left, rows-upper, m.figureLines(now))...)
	output := m.pane(m.outputTitle(), right, rows, m.outputLines(rows-2))
	var b strings.Builder
	for i := range rows {
		b.WriteString(column[i] + output[i] + "\n")
	}
	b.WriteString(hostLine(m.paint, m.host, m.width) + "\n")
	b.WriteString(pad(cut("↑↓ select  PgUp PgDn scroll  r restart  l reload  s stop  q quit   "+m.note, m.width), m.width))
	return b.String()
}

// line is a text of the monitor in one style.
type monitLine struct {
	text  string
	style style
}

// pane frames lines in a box of exactly this size.
func (m monitor) pane(title string, width, height int, lines []monitLine) []string {
	inner := width - 2
	top := "─ " + cut(clean(title), max(1, inner-4)) + " "
	out := []string{"┌" + m.paint.paint(head, top) + strings.Repeat("─", max(0, inner-textWidth(top))) + "┐"}
	for i := range height - 2 {
		var l monitLine
		if i < len(lines) {
			l = lines[i]
		}
		out = append(out, "│"+m.paint.paint(l.style, pad(cut(l.text, inner), inner))+"│")
	}
	return append(out, "└"+strings.Repeat("─", inner)+"┘")
}

// processLines are as many of the list as fit, with the selected one among them.
func (m monitor) processLines(rows, width int) []monitLine {
	first := max(0, min(m.index()-rows/2, len(m.list)-rows))
	var out []monitLine
	for i := first; i < min(len(m.list), first+rows); i++ {
		s, u := m.list[i], usageOf(m.list[i])
		figures := fmt.Sprintf(" %8s %6s %s", size(u.RSS), percent(u.CPU), s.State)
		mark := "  "
		if s.ID == m.selected {
			mark = "▸ "
		}
		name := fmt.Sprintf("%s[%d] %s", mark, s.ID, clean(s.Name))
		room := max(8, width-textWidth(figures))
		l := monitLine{pad(cut(name, room), room) + figures, stateStyle(s.State)}
		if s.ID == m.selected {
			l.style = inverse
		}
		out = append(out, l)
	}
	if len(m.list) == 0 {
		out = append(out, monitLine{"nothing runs: gpm start app.js", grey})
	}
	return out
}

func (m monitor) figureLines(now time.Time) []monitLine {
	at := m.index()
	if at < 0 {
		return nil
	}
	s := m.list[at]
	rows := [][2]string{
		{"name", s.Name}, {"namespace", s.Namespace}, {"version", orNA(s.Version)}, {"restarts", fmt.Sprint(s.Restarts)},
		{"uptime", shownUptime(s, now)}, {"pid", fmt.Sprint(s.PID)}, {"mode", string(s.Mode)}, {"reason", s.Reason},
	}
	if d := m.detail; d.ID == s.ID && d.Name == s.Name {
		rows = append(rows, [2]string{"script", d.Spec.Script}, [2]string{"interpreter", d.Interpreter()})
		rows = append(append(rows, metricRows(d.Metrics)...), usageRows(d.Status)...)
	}
	var out []monitLine
	for _, r := range rows {
		if r[1] != "" {
			out = append(out, monitLine{pad(clean(r[0]), 16) + " " + clean(r[1]), plain})
		}
	}
	return out
}

func (m monitor) outputTitle() string {
	at := m.index()
	if at < 0 {
		return "Output"
	}
	title := "Output of " + m.list[at].Name
	if m.back > 0 {
		title += fmt.Sprintf(" (%d lines back)", m.back)
	}
	return title
}

func (m monitor) outputLines(rows int) []monitLine {
	all := m.lines[m.selected]
	end := max(0, len(all)-m.back)
	var out []monitLine
	for _, l := range all[max(0, end-rows):end] {
		style := plain
		if l.Stream == app.Stderr {
			style = red
		}
		out = append(out, monitLine{strings.ReplaceAll(clean(l.Text), "\t", "    "), style})
	}
	return out
}
