package main

import (
	"slices"

	tea "charm.land/bubbletea/v2"

	"gpm/app"
)

// monitor is what the full-screen monitor knows. Update is its only change, View its only output.
type monitor struct {
	ask   questions
	paint painter

	width, height int
	list          []app.Status
	host          app.Host
	detail        app.Detail // of the selected one, when it has come
	selected      int        // id
	lines         map[int][]app.LogLine
	back          int    // lines scrolled back in the output
	note          string // what was done last, or went wrong
}

// keptLines bounds the output that is kept of one process.
const keptLines = 500

func (m monitor) Init() tea.Cmd { return m.ask.list }

func (m monitor) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case tea.KeyPressMsg:
		return m.key(msg.String())
	case app.LogLine:
		m = m.heard(msg)
	case monitList:
		m = m.listed(msg)
		if len(m.list) > 0 {
			return m, tea.Batch(m.ask.detail(m.selected), later())
		}
		return m, later()
	case monitDetail:
		if msg.ID == m.selected {
			m.detail = msg.Detail
		}
	case monitDone:
		m.note = msg.text
		return m, m.ask.list
	case monitTick:
		return m, m.ask.list
	}
	return m, nil
}

// listed keeps the selection on its process, wherever that stands now.
func (m monitor) listed(l monitList) monitor {
	if l.err != nil {
		m.note = app.AsError(l.err).Message
		return m
	}
	m.list, m.host = l.processes, l.host
	if len(m.list) > 0 && m.index() < 0 {
		m.selected = m.list[0].ID
	}
	return m
}

// heard appends to a copy: the older model may still be drawn.
func (m monitor) heard(l app.LogLine) monitor {
	if l.File != "" {
		return m
	}
	kept := m.lines[l.ID]
	kept = append(kept[max(0, len(kept)-keptLines+1):], l)
	m.lines[l.ID] = kept
	if m.back > 0 && l.ID == m.selected {
		m.back = min(m.back+1, len(kept)-1) // what is read stays where it is
	}
	return m
}

func (m monitor) key(name string) (tea.Model, tea.Cmd) {
	here := m.index()
	switch name {
	case "q", "esc", "ctrl+c":
		return m, tea.Quit
	case "up", "k":
		return m.choose(here - 1)
	case "down", "j":
		return m.choose(here + 1)
	case "home", "g":
		return m.choose(0)
	case "end", "G":
		return m.choose(len(m.list) - 1)
	case "pgup":
		m.back = min(m.back+m.height/2, max(0, len(m.lines[m.selected])-1))
	case "pgdown":
		m.back = max(0, m.back-m.height/2)
	case "r", "s", "l":
		action := map[string]app.Action{"r": app.ActionRestart, "s": app.ActionStop, "l": app.ActionReload}[name]
		if here >= 0 {
			m.note = string(action) + " …"
			return m, m.ask.do(action, m.list[here])
		}
	}
	return m, nil
}

func (m monitor) choose(at int) (tea.Model, tea.Cmd) {
	if len(m.list) == 0 {
		return m, nil
	}
	at = min(max(0, at), len(m.list)-1)
	m.selected, m.back, m.detail = m.list[at].ID, 0, app.Detail{}
	return m, m.ask.detail(m.selected)
}

// index is where the selected process stands, -1 without one.
func (m monitor) index() int {
	return slices.IndexFunc(m.list, func(s app.Status) bool { return s.ID == m.selected })
}
