package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"gpm/app"
)

// told is a monitor that has got these messages.
func told(t *testing.T, msgs ...tea.Msg) monitor {
	t.Helper()
	var m tea.Model = monitor{lines: map[int][]app.LogLine{}}
	for _, msg := range msgs {
		m, _ = m.Update(msg)
	}
	return m.(monitor)
}

func press(name string) tea.KeyPressMsg {
	for code, word := range map[rune]string{tea.KeyUp: "up", tea.KeyDown: "down", tea.KeyPgUp: "pgup", tea.KeyPgDown: "pgdown", tea.KeyEscape: "esc"} {
		if word == name {
			return tea.KeyPressMsg{Code: code}
		}
	}
	return tea.KeyPressMsg{Code: rune(name[0]), Text: name}
}

func threeProcesses() monitList {
	return monitList{processes: []app.Status{
		{ID: 4, Name: "api", State: app.Online, PID: 40}, {ID: 2, Name: "job", State: app.Errored, Reason: "unstable"}, {ID: 9, Name: "web", State: app.Online},
	}}
}

func TestMonitorSelects(t *testing.T) {
	m := told(t, threeProcesses())
	if m.selected != 4 {
		t.Errorf("at first %d is selected", m.selected)
	}
	m = told(t, threeProcesses(), press("down"), press("down"), press("down"), press("up"))
	if m.selected != 2 {
		t.Errorf("after three down and one up %d is selected", m.selected)
	}
	next := threeProcesses()
	next.processes = next.processes[1:]
	if m = told(t, threeProcesses(), press("j"), next); m.selected != 2 {
		t.Errorf("the selection has left its process for %d", m.selected)
	}
	if m = told(t, threeProcesses(), next); m.selected != 2 {
		t.Errorf("after the selected one is gone %d is selected", m.selected)
	}
	if m = told(t, press("down"), press("r"), press("pgup"), monitList{}); m.selected != 0 || m.note != "" {
		t.Errorf("an empty list selects %d and says %q", m.selected, m.note)
	}
}

func TestMonitorKeepsOutput(t *testing.T) {
	msgs := []tea.Msg{tea.WindowSizeMsg{Width: 100, Height: 24}, threeProcesses()}
	for i := range keptLines + 50 {
		msgs = append(msgs, app.LogLine{ID: 4, Text: fmt.Sprintf("line %d", i)})
	}
	m := told(t, msgs...)
	if n := len(m.lines[4]); n != keptLines {
		t.Errorf("%d lines are kept", n)
	}
	m = told(t, append(msgs, press("pgup"), app.LogLine{ID: 4, Text: "later"})...)
	if m.back != 13 {
		t.Errorf("it is scrolled back by %d lines", m.back)
	}
	screen := m.draw(time.Now())
	if strings.Contains(screen, "later") || !strings.Contains(screen, "line 537") {
		t.Errorf("scrolled back it shows\n%s", screen)
	}
}

func TestMonitorDraws(t *testing.T) {
	for _, size := range []tea.WindowSizeMsg{{Width: 50, Height: 10}, {Width: 80, Height: 24}, {Width: 200, Height: 60}} {
		list := threeProcesses()
		list.processes[0].Name = strings.Repeat("long name 日本 ", 9) + "\x1b[2J"
		m := told(t, size, list, app.LogLine{ID: 4, Text: "bad \x1b[31m text\tand a tab"}, monitDone{"restart api ✓"})
		lines := strings.Split(m.draw(time.Now()), "\n")
		if len(lines) != size.Height {
			t.Errorf("%d lines on a screen of %d", len(lines), size.Height)
		}
		for _, line := range lines[:len(lines)-2] {
			if w := textWidth(line); w != size.Width || strings.Contains(line, "\x1b") {
				t.Errorf("a line of %d columns on a screen of %d: %q", w, size.Width, line)
			}
		}
	}
	if text := told(t, tea.WindowSizeMsg{Width: 20, Height: 5}).draw(time.Now()); text != "too small" {
		t.Errorf("a small screen shows %q", text)
	}
}

func TestMonitorEnds(t *testing.T) {
	for _, name := range []string{"q", "esc"} {
		_, cmd := monitor{}.Update(press(name))
		if _, quits := cmd().(tea.QuitMsg); !quits {
			t.Errorf("%s does not end it", name)
		}
	}
	if m := told(t, threeProcesses(), monitList{err: errors.New("the daemon is gone")}); m.note != "the daemon is gone" || len(m.list) != 3 {
		t.Errorf("without a daemon it says %q of %d processes", m.note, len(m.list))
	}
}
