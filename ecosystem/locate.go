package ecosystem

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// locate gives the keys of an evaluated config their places in its source. Keys are matched by their spelling
// and order; one that the source does not write exactly as often as the config exports it was computed,
// and keeps no place: none is better than a wrong one.
func locate(tree *node, source string) {
	if len(source) > maxFile {
		return
	}
	written := sourceKeys(source)
	exported := map[string][]*member{}
	collect(tree, exported)
	for key, members := range exported {
		places := written[key]
		if len(places) != len(members) {
			continue
		}
		for i, m := range members {
			m.pos, m.value.pos = places[i], places[i]
		}
	}
}

func collect(n *node, into map[string][]*member) {
	for _, item := range n.items {
		collect(item, into)
	}
	for i := range n.members {
		m := &n.members[i]
		into[m.key] = append(into[m.key], m)
		collect(m.value, into)
	}
}

// sourceKeys finds what looks like a key of an object literal: a name or a string before a
// colon. Comments, strings and templates hold none.
func sourceKeys(source string) map[string][]pos {
	s := &keyScanner{json5: json5{src: source, line: 1, col: 1}, keys: map[string][]pos{}}
	for s.at < len(s.src) {
		s.step()
	}
	return s.keys
}

type keyScanner struct {
	json5
	keys map[string][]pos
}

func (s *keyScanner) step() {
	start := s.at
	if s.space() != nil { // an open comment: nothing follows
		s.at = len(s.src)
		return
	}
	switch c := s.peek(); {
	case s.at > start:
	case c == '"' || c == '\'':
		s.key(func() (string, bool) {
			key, err := s.quoted(c)
			return key, err == nil
		})
	case c == '`':
		s.template()
	case c == '_' || c == '$' || unicode.IsLetter(s.rune()):
		s.key(func() (string, bool) { return s.identifier(), true })
	case c >= '0' && c <= '9':
		s.identifier() // so that a letter in 0x1f or 5n begins no name
	default:
		_, size := utf8.DecodeRuneInString(s.src[s.at:])
		s.at += max(1, size)
	}
}

func (s *keyScanner) rune() rune {
	r, _ := utf8.DecodeRuneInString(s.src[s.at:])
	return r
}

// key reads a name and notes it if a colon follows; a name after ? is a branch, not a key.
func (s *keyScanner) key(read func() (string, bool)) {
	start := s.at
	key, ok := read()
	if !ok {
		s.at = start + 1
		return
	}
	end := s.at
	if s.space() == nil && s.peek() == ':' && !strings.HasSuffix(strings.TrimRight(s.src[:start], " \t\r\n"), "?") {
		s.keys[key] = append(s.keys[key], s.place(start))
	}
	s.at = end
}

// template skips a template string; what ${} holds is not looked at.
func (s *keyScanner) template() {
	for s.at++; s.at < len(s.src) && s.src[s.at] != '`'; s.at++ {
		if s.src[s.at] == '\\' {
			s.at++
		}
	}
	s.at++
}
