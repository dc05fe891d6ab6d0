package ecosystem

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// kind is what a node holds.
type kind uint8

const (
	null kind = iota
	boolean
	number
	text
	list
	object
	alien // a JavaScript value that data cannot hold, such as a function
)

var kindNames = [...]string{"null", "a boolean", "a number", "a string", "a list", "an object", ""}

// pos is a place in a file; the zero value is unknown. Columns count characters.
type pos struct{ line, col int }

// or returns p, or q where p is unknown.
func (p pos) or(q pos) pos {
	if p.line == 0 {
		return q
	}
	return p
}

// node is one value of any format.
type node struct {
	kind    kind
	text    string // a string; a number as JavaScript prints it; what an alien is
	yes     bool
	items   []*node
	members []member
	pos     pos
}

// member is one key of an object, in the order of the file.
type member struct {
	key   string
	pos   pos // of the key
	value *node
}

// describe says in a message what stands there.
func (n *node) describe() string {
	switch n.kind {
	case boolean:
		return strconv.FormatBool(n.yes)
	case number, alien:
		return n.text
	case text:
		return quote(n.text)
	}
	return kindNames[n.kind]
}

// quote shows a string, cut when it is long: a message is one line.
func quote(s string) string {
	const most = 40
	if r := []rune(s[:min(len(s), 4*most)]); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return strconv.Quote(s)
}

// get returns the last member of that key, which is the one that counts in JavaScript.
func (n *node) get(key string) (member, bool) {
	for i := len(n.members) - 1; i >= 0; i-- {
		if n.members[i].key == key {
			return n.members[i], true
		}
	}
	return member{}, false
}

// plain is the value as encoding/json would have it, but for integers, which are int64 where they fit.
func (n *node) plain() any {
	switch n.kind {
	case boolean:
		return n.yes
	case number:
		return plainNumber(n.text)
	case text, alien:
		return n.text
	case list:
		out := make([]any, len(n.items))
		for i, item := range n.items {
			out[i] = item.plain()
		}
		return out
	case object:
		out := make(map[string]any, len(n.members))
		for _, m := range n.members {
			out[m.key] = m.value.plain()
		}
		return out
	}
	return nil
}

func plainNumber(s string) any {
	if i, err := strconv.ParseInt(s, 10, 64); err == nil {
		return i
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return s
	}
	return f
}

// variable is the value as an environment holds it: strings as they are, all else as
// JSON.stringify prints it, members in the order of the file.
func (n *node) variable() string {
	if n.kind == text {
		return n.text
	}
	var b strings.Builder
	n.writeJSON(&b)
	return b.String()
}

func (n *node) writeJSON(b *strings.Builder) {
	switch n.kind {
	case null:
		b.WriteString("null")
	case text, alien:
		writeString(b, n.text)
	case list:
		b.WriteByte('[')
		for i, item := range n.items {
			separate(b, i)
			item.writeJSON(b)
		}
		b.WriteByte(']')
	case object:
		b.WriteByte('{')
		for i, m := range n.members {
			separate(b, i)
			writeString(b, m.key)
			b.WriteByte(':')
			m.value.writeJSON(b)
		}
		b.WriteByte('}')
	default:
		b.WriteString(n.describe())
	}
}

func separate(b *strings.Builder, i int) {
	if i > 0 {
		b.WriteByte(',')
	}
}

func writeString(b *strings.Builder, s string) {
	var line strings.Builder
	enc := json.NewEncoder(&line)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string cannot fail
	b.WriteString(strings.TrimSuffix(line.String(), "\n"))
}

// numberText is how JavaScript prints a number; integers written out keep all their digits.
func numberText(f float64) string {
	if math.IsInf(f, 0) {
		return signed(f < 0, "Infinity")
	}
	format := byte('f')
	if abs := max(f, -f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	s := strconv.FormatFloat(f, format, -1, 64)
	if format == 'e' { // Go writes 1e+09 and 1e-07, JavaScript 1e+9 and 1e-7
		s = strings.Replace(strings.Replace(s, "e+0", "e+", 1), "e-0", "e-", 1)
	}
	return s
}

func integerText(v any) string { return fmt.Sprint(v) }
