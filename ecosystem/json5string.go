package ecosystem

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// quoted consumes a string and its quotes.
func (p *json5) quoted(quote byte) (string, error) {
	start := p.at
	p.at++
	var b strings.Builder
	for p.at < len(p.src) {
		c := p.src[p.at]
		switch {
		case c == quote:
			p.at++
			return strings.ToValidUTF8(b.String(), "\ufffd"), nil
		case c == '\n':
			return "", bad(p.place(start), "a string is not closed on its line")
		case c == '\\':
			p.at++
			if err := p.escape(&b); err != nil {
				return "", err
			}
		default:
			b.WriteByte(c)
			p.at++
		}
	}
	return "", bad(p.place(start), "a string is not closed")
}

var simpleEscapes = map[byte]byte{'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', 'v': '\v', '0': 0}

// escape consumes what follows a backslash.
func (p *json5) escape(b *strings.Builder) error {
	start := p.at - 1
	c := p.peek()
	if p.at++; p.at > len(p.src) {
		return nil // the caller sees that the string is not closed
	}
	switch {
	case c == 'u' || c == 'x':
		r, err := p.hex(c, start)
		b.WriteRune(r)
		return err
	case c == '\r' || c == '\n': // the line goes on
		if c == '\r' && p.peek() == '\n' {
			p.at++
		}
	case c >= utf8.RuneSelf:
		b.WriteByte(c)
	default:
		if plain, ok := simpleEscapes[c]; ok {
			c = plain
		}
		b.WriteByte(c)
	}
	return nil
}

// hex reads \xHH, \uHHHH, \u{H…} and a pair of surrogates.
func (p *json5) hex(c byte, start int) (rune, error) {
	digits, end := 4, p.at+4
	if c == 'x' {
		digits, end = 2, p.at+2
	} else if p.peek() == '{' {
		p.at++
		digits = strings.IndexByte(p.src[p.at:], '}')
		end = p.at + digits + 1
	}
	if digits < 1 || end > len(p.src) {
		return 0, bad(p.place(start), "an escape of a character is not complete")
	}
	n, err := strconv.ParseUint(p.src[p.at:p.at+digits], 16, 21)
	if err != nil {
		return 0, bad(p.place(start), "%s is no character", quote(p.src[start:end]))
	}
	p.at = end
	r := rune(n)
	if utf16.IsSurrogate(r) && strings.HasPrefix(p.src[p.at:], `\u`) && p.at+6 <= len(p.src) {
		if low, err := strconv.ParseUint(p.src[p.at+2:p.at+6], 16, 16); err == nil {
			if pair := utf16.DecodeRune(r, rune(low)); pair != utf8.RuneError {
				p.at += 6
				r = pair
			}
		}
	}
	return r, nil
}
