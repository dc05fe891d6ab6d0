package main

import (
	"regexp"
	"strings"
	"sync"
)

// harmless takes out of a line what could do more to a terminal than show text (ECMA-48): sequences that move the
// cursor, set titles, ask for answers or switch modes, and lone control characters. Colours (SGR) stay.
func harmless(s string) string {
	if strings.IndexFunc(s, disturbs) < 0 {
		return s
	}
	var b strings.Builder
	for s != "" {
		at := strings.IndexFunc(s, disturbs)
		if at < 0 {
			break
		}
		b.WriteString(s[:at])
		s = s[at:]
		if colour := colours().FindString(s); colour != "" {
			b.WriteString(colour)
			s = s[len(colour):]
			continue
		}
		if sequence := escapes().FindString(s); sequence != "" {
			s = s[len(sequence):]
		} else {
			s = s[len(firstRune(s)):]
		}
		b.WriteString("·")
	}
	return b.String() + s
}

func firstRune(s string) string {
	for i := range s {
		if i > 0 {
			return s[:i]
		}
	}
	return s
}

// colours matches one SGR sequence at the beginning; escapes any other: CSI, OSC and its kin up to their end,
// two-character ones. Both are made when they are first needed.
var (
	colours = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^\x1b\[[0-9;:]*m`) })
	escapes = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^(?:\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~])`)
	})
)
