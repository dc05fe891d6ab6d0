package main

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// inspect prints a JSON text as Node's util.inspect(value, {depth: null}) prints the value: keys without quotes,
// strings in single quotes, one entry a line but for what is small. Scripts written for pm2 grep it.
func inspect(text []byte) (string, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	p := &inspector{dec: dec}
	s := p.value(0)
	return s, p.err
}

// Node's defaults.
const (
	inspectWidth   = 80 // breakLength of console.log and of inspect
	inspectCompact = 3  // this many levels may share a line
	inspectSplit   = 16 // shorter strings are never broken
)

// inspector reads a JSON text and writes it as JavaScript; err is the first mistake in the text.
type inspector struct {
	dec     *json.Decoder
	indent  int
	deepest int // depth of the object or list that was begun last
	err     error
}

func (p *inspector) token() json.Token {
	if p.err != nil {
		return nil
	}
	t, err := p.dec.Token()
	p.err = err
	return t
}

func (p *inspector) value(depth int) string {
	switch t := p.token().(type) {
	case json.Delim:
		return p.container(t, depth)
	case string:
		return p.text(t)
	case json.Number:
		return t.String()
	case bool:
		if t {
			return "true"
		}
		return "false"
	}
	return "null"
}

func (p *inspector) container(open json.Delim, depth int) string {
	var entries []string
	if p.err == nil && p.dec.More() {
		p.deepest = depth
	}
	p.indent += 2
	for p.err == nil && p.dec.More() {
		key := ""
		if open == '{' {
			name, _ := p.token().(string)
			key = inspectKey(name) + ": "
		}
		entries = append(entries, key+p.value(depth+1))
	}
	p.indent -= 2
	p.token() // the closing bracket
	return p.join(entries, open, depth)
}

// join puts entries on one line when they fit and hold few levels, else each on its own.
func (p *inspector) join(entries []string, open json.Delim, depth int) string {
	begin, end := "{", "}"
	if open == '[' {
		begin, end = "[", "]"
	}
	if len(entries) == 0 {
		return begin + end
	}
	shown := entries
	if open == '[' && len(entries) > inspectGroup {
		shown = inspectColumns(entries, p.indent, allNumbers(entries))
	}
	if p.deepest-depth < inspectCompact && len(shown) == len(entries) {
		length := len(entries)*2 + p.indent + len(begin) + 10
		for _, e := range entries {
			length += utf8.RuneCountInString(e)
		}
		if line := strings.Join(entries, ", "); length <= inspectWidth && !strings.Contains(line, "\n") {
			return begin + " " + line + " " + end
		}
	}
	pad := "\n" + strings.Repeat(" ", p.indent)
	return begin + pad + "  " + strings.Join(shown, ","+pad+"  ") + pad + end
}

func allNumbers(entries []string) bool {
	return !slices.ContainsFunc(entries, func(e string) bool { return !strings.ContainsRune("-0123456789", rune(e[0])) })
}

// text breaks a long string after its newlines.
func (p *inspector) text(s string) string {
	n := utf8.RuneCountInString(s)
	if n <= inspectSplit || n <= inspectWidth-p.indent-4 || !strings.Contains(strings.TrimSuffix(s, "\n"), "\n") {
		return inspectString(s)
	}
	var lines []string
	for _, line := range strings.SplitAfter(s, "\n") {
		if line != "" {
			lines = append(lines, inspectString(line))
		}
	}
	return strings.Join(lines, " +\n"+strings.Repeat(" ", p.indent+2))
}

func inspectKey(name string) string {
	plain := name != "" && !strings.ContainsRune("0123456789", rune(name[0]))
	if plain && strings.IndexFunc(name, func(r rune) bool { return r != '_' && (r > 'z' || !unicode.IsLetter(r) && !unicode.IsDigit(r)) }) < 0 {
		return name
	}
	return inspectString(name)
}

// inspectString quotes as Node does: single quotes unless the text has some and no others.
func inspectString(s string) string {
	quote := '\''
	if strings.ContainsRune(s, '\'') {
		switch {
		case !strings.ContainsRune(s, '"'):
			quote = '"'
		case !strings.ContainsAny(s, "`") && !strings.Contains(s, "${"):
			quote = '`'
		}
	}
	var b strings.Builder
	b.WriteRune(quote)
	for _, r := range s {
		writeInspected(&b, r, quote)
	}
	b.WriteRune(quote)
	return b.String()
}

func writeInspected(b *strings.Builder, r, quote rune) {
	const hex = "0123456789ABCDEF"
	short := map[rune]string{'\b': `\b`, '\t': `\t`, '\n': `\n`, '\f': `\f`, '\r': `\r`, '\\': `\\`}
	switch {
	case short[r] != "":
		b.WriteString(short[r])
	case r == quote && quote == '\'':
		b.WriteString(`\'`)
	case r < 0x20 || r >= 0x7f && r < 0xa0:
		b.WriteString(`\x` + string(hex[r>>4]) + string(hex[r&15]))
	default:
		b.WriteRune(r)
	}
}
