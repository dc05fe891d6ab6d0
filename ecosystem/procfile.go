package ecosystem

import (
	"strings"
	"unicode"
)

// parseProcfile reads lines of "name: command" (foreman's format; # begins a comment line) into the tree that a
// list of apps makes.
func parseProcfile(src string) (*node, error) {
	apps := &node{kind: list}
	line := 0
	for full := range strings.Lines(strings.TrimPrefix(src, "\ufeff")) {
		line++
		trimmed := strings.TrimSpace(full)
		if trimmed == "" || strings.HasPrefix(trimmed, "#") {
			continue
		}
		app, err := processLine(trimmed, pos{line, indent(full) + 1})
		if err != nil {
			return nil, err
		}
		if apps.items = append(apps.items, app); len(apps.items) > maxApps {
			return nil, bad(pos{line: line}, "it declares more than %d apps", maxApps)
		}
	}
	if len(apps.items) == 0 {
		return nil, bad(pos{}, "it declares no processes").withHint("each line is like web: node server.js")
	}
	return apps, nil
}

func indent(line string) int {
	return len([]rune(line)) - len([]rune(strings.TrimLeftFunc(line, unicode.IsSpace)))
}

func processLine(line string, at pos) (*node, error) {
	name, command, ok := strings.Cut(line, ":")
	if !ok {
		return nil, bad(at, "a line must be a name, a colon and a command")
	}
	if name == "" || strings.ContainsFunc(name, func(r rune) bool { return !isProcessName(r) }) {
		return nil, bad(at, "%s is no name of a process", quote(name)).withHint("names are letters, digits, dashes and underscores")
	}
	value := strings.TrimLeftFunc(command, unicode.IsSpace)
	commandPos := pos{at.line, at.col + len([]rune(line)) - len([]rune(value))}
	if value == "" {
		return nil, bad(at, "the process %s has no command", quote(name))
	}
	if strings.ContainsRune(value, 0) {
		return nil, bad(commandPos, "the command holds a zero byte")
	}
	return &node{kind: object, pos: at, members: []member{
		{"name", at, &node{kind: text, text: name, pos: at}},
		{"script", commandPos, &node{kind: text, text: value, pos: commandPos}},
	}}, nil
}

func isProcessName(r rune) bool {
	return r == '-' || r == '_' || r == '.' || unicode.IsLetter(r) || unicode.IsDigit(r)
}
