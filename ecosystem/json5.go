package ecosystem

import (
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxDepth bounds the nesting of every format; nobody nests settings deeper.
const maxDepth = 64

// json5 reads JSON with what JavaScript allows in a literal: comments, trailing commas, unquoted keys,
// single quotes, hexadecimal numbers (https://spec.json5.org).
type json5 struct {
	src      string
	at       int
	depth    int
	mark     int // the last offset whose place was asked for
	line     int // of mark, from 1
	col      int // of mark, from 1
	repeated []member
}

// parseJSON5 reads one value; repeated are the keys that an object holds twice.
func parseJSON5(src string) (n *node, repeated []member, err error) {
	p := &json5{src: strings.TrimPrefix(src, "\ufeff"), line: 1, col: 1}
	if err := p.space(); err != nil {
		return nil, nil, err
	}
	if p.at == len(p.src) {
		return nil, nil, bad(pos{}, "it is empty")
	}
	if n, err = p.value(); err != nil {
		return nil, nil, err
	}
	if err := p.space(); err != nil {
		return nil, nil, err
	}
	if p.at < len(p.src) {
		return nil, nil, p.unexpected("the end of the file")
	}
	return n, p.repeated, nil
}

// place counts from the last place asked for, so that all places together cost one pass.
func (p *json5) place(offset int) pos {
	for p.mark < offset {
		r, size := utf8.DecodeRuneInString(p.src[p.mark:])
		p.mark += size
		p.col++
		if r == '\n' {
			p.line, p.col = p.line+1, 1
		}
	}
	return pos{p.line, p.col}
}

func (p *json5) peek() byte {
	if p.at < len(p.src) {
		return p.src[p.at]
	}
	return 0
}

// unexpected names what stands where something else is wanted.
func (p *json5) unexpected(want string) error {
	if p.at >= len(p.src) {
		return bad(p.place(len(p.src)), "the file ends where %s should stand", want)
	}
	r, _ := utf8.DecodeRuneInString(p.src[p.at:])
	return bad(p.place(p.at), "unexpected %q where %s should stand", r, want)
}

// space skips white space and comments.
func (p *json5) space() error {
	for p.at < len(p.src) {
		rest := p.src[p.at:]
		r, size := utf8.DecodeRuneInString(rest)
		switch {
		case unicode.IsSpace(r) || r == '\ufeff':
			p.at += size
		case strings.HasPrefix(rest, "//"):
			end := strings.IndexByte(rest, '\n')
			if end < 0 {
				end = len(rest)
			}
			p.at += end
		case strings.HasPrefix(rest, "/*"):
			end := strings.Index(rest[2:], "*/")
			if end < 0 {
				return bad(p.place(p.at), "a comment is not closed")
			}
			p.at += end + 4
		default:
			return nil
		}
	}
	return nil
}

func (p *json5) value() (*node, error) {
	start := p.place(p.at)
	n := &node{pos: start}
	var err error
	switch c := p.peek(); {
	case c == '{' || c == '[':
		if p.depth++; p.depth > maxDepth {
			return nil, bad(start, "it is nested deeper than %d levels", maxDepth)
		}
		if c == '{' {
			err = p.object(n)
		} else {
			err = p.list(n)
		}
		p.depth--
	case c == '"' || c == '\'':
		n.kind = text
		n.text, err = p.quoted(c)
	case c == '`':
		err = bad(start, "a template string cannot be used in JSON")
	default:
		err = p.word(n)
	}
	return n, err
}

func (p *json5) list(n *node) error {
	n.kind = list
	p.at++
	for {
		if done, err := p.ends(']'); done || err != nil {
			return err
		}
		item, err := p.value()
		if err != nil {
			return err
		}
		n.items = append(n.items, item)
		if err := p.comma(']'); err != nil {
			return err
		}
	}
}

func (p *json5) object(n *node) error {
	n.kind = object
	p.at++
	for {
		if done, err := p.ends('}'); done || err != nil {
			return err
		}
		m, err := p.member()
		if err != nil {
			return err
		}
		if len(n.members) < 200 { // beyond that it is no settings file, and looking is quadratic
			if _, twice := n.get(m.key); twice {
				p.repeated = append(p.repeated, m)
			}
		}
		n.members = append(n.members, m)
		if err := p.comma('}'); err != nil {
			return err
		}
	}
}

// ends consumes the closing bracket if it is next.
func (p *json5) ends(bracket byte) (bool, error) {
	if err := p.space(); err != nil {
		return false, err
	}
	if p.peek() != bracket {
		return false, nil
	}
	p.at++
	return true, nil
}

// comma consumes one, or leaves the closing bracket to the caller.
func (p *json5) comma(bracket byte) error {
	if err := p.space(); err != nil {
		return err
	}
	switch p.peek() {
	case ',':
		p.at++
		return nil
	case bracket:
		return nil
	}
	return p.unexpected("a comma or " + strconv.QuoteRune(rune(bracket)))
}

func (p *json5) member() (m member, err error) {
	m.pos = p.place(p.at)
	if c := p.peek(); c == '"' || c == '\'' {
		m.key, err = p.quoted(c)
	} else if m.key = p.identifier(); m.key == "" {
		err = p.unexpected("a key")
	}
	if err != nil {
		return m, err
	}
	if err := p.space(); err != nil {
		return m, err
	}
	if p.peek() != ':' {
		return m, p.unexpected("a colon")
	}
	p.at++
	if err := p.space(); err != nil {
		return m, err
	}
	m.value, err = p.value()
	return m, err
}

// identifier consumes letters, digits, $ and _; "" when there are none.
func (p *json5) identifier() string {
	rest := p.src[p.at:]
	end := strings.IndexFunc(rest, func(r rune) bool {
		return r != '$' && r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
	if end < 0 {
		end = len(rest)
	}
	p.at += end
	return rest[:end]
}

// word reads a number or one of the names.
func (p *json5) word(n *node) error {
	rest := p.src[p.at:]
	end := strings.IndexFunc(rest, func(r rune) bool {
		return !strings.ContainsRune("+-._$", r) && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
	if end < 0 {
		end = len(rest)
	}
	switch word := rest[:end]; word {
	case "":
		return p.unexpected("a value")
	case "true", "false":
		n.kind, n.yes = boolean, word == "true"
	case "null":
	case "undefined":
		n.kind, n.text = alien, word
	default:
		var ok bool
		if n.text, ok = jsNumber(word); !ok {
			return bad(n.pos, "%s is no value", quote(word)).withHint("a string stands in quotes")
		}
		n.kind = number
	}
	p.at += end
	return nil
}

// jsNumber reads a number of JavaScript and returns it as JavaScript prints it. Whole
// numbers keep all their digits.
func jsNumber(s string) (string, bool) {
	digits := strings.TrimPrefix(strings.TrimPrefix(s, "+"), "-")
	if len(s)-len(digits) > 1 || digits == "" || strings.ContainsRune("+-", rune(digits[0])) || strings.Contains(digits, "_") {
		return "", false
	}
	minus := strings.HasPrefix(s, "-")
	var f float64
	switch lower := strings.ToLower(digits); {
	case strings.HasPrefix(lower, "0x"), strings.HasPrefix(lower, "0o"), strings.HasPrefix(lower, "0b"):
		u, err := strconv.ParseUint(lower, 0, 64)
		if err != nil {
			return "", false
		}
		f = float64(u)
	case digits == "Infinity":
		f = math.Inf(1)
	case digits == "NaN":
		f = math.NaN()
	default:
		if digits[0] != '.' && (digits[0] < '0' || digits[0] > '9') || strings.ContainsAny(lower, "xp") {
			return "", false
		}
		var err error
		if f, err = strconv.ParseFloat(digits, 64); err != nil && !math.IsInf(f, 0) {
			return "", false
		}
		if isDigits(digits) && len(digits) < 400 {
			return signed(minus, cutZeros(digits)), true
		}
	}
	return signed(minus, numberText(f)), true
}

func signed(minus bool, s string) string {
	if minus && s != "0" && s != "NaN" {
		return "-" + s
	}
	return s
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

func cutZeros(s string) string {
	if s = strings.TrimLeft(s, "0"); s == "" {
		return "0"
	}
	return s
}
