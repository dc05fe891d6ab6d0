package ipc

import (
	"bytes"
	"encoding/json"
	"strconv"
	"unicode/utf8"

	"gpm/app"
)

// quickLine reads a log line as the daemon writes it, field by field: by encoding/json, the lines would take most of the
// time of `gpm logs`. What looks different in any way, such as that of another version, is not ok and left to that.
func quickLine(line []byte) (l app.LogLine, ok bool) {
	q := quick{rest: line, ok: true}
	q.must(`{"id":`)
	l.ID = q.number()
	q.must(`,"name":`)
	l.Name = q.text()
	q.must(`,"stream":`)
	l.Stream = app.LogStream(q.text())
	if q.has(`,"at":`) {
		q.ok = l.At.UnmarshalJSON(q.token()) == nil && q.ok
	}
	q.must(`,"text":`)
	l.Text = q.text()
	l.Cut = q.has(`,"cut":true`)
	if q.has(`,"file":`) {
		l.File = q.text()
	}
	if q.has(`,"place":`) {
		l.Place = q.text()
	}
	l.Mark = q.has(`,"mark":true`)
	q.must("}")
	if !q.ok || len(q.rest) > 0 {
		return app.LogLine{}, false
	}
	return l, true
}

// quick is what is still to be read of an object.
type quick struct {
	rest []byte
	ok   bool // everything was as expected so far
}

// has goes on behind what is next, if it is that.
func (q *quick) has(next string) bool {
	if len(q.rest) < len(next) || string(q.rest[:len(next)]) != next {
		return false
	}
	q.rest = q.rest[len(next):]
	return true
}

func (q *quick) must(next string) { q.ok = q.has(next) && q.ok }

func (q *quick) number() int {
	digits := len(q.rest) - len(bytes.TrimLeft(q.rest, "0123456789"))
	text := string(q.rest[:digits])
	n, err := strconv.Atoi(text)
	if q.rest = q.rest[digits:]; err != nil || text != strconv.Itoa(n) {
		q.ok = false
	}
	return n
}

// token takes a string with its quotes.
func (q *quick) token() []byte {
	if len(q.rest) == 0 || q.rest[0] != '"' {
		q.ok = false
		return nil
	}
	for end := 1; ; end++ {
		next := bytes.IndexByte(q.rest[end:], '"')
		if next < 0 {
			q.ok = false
			return nil
		}
		end += next
		before := q.rest[1:end]
		if (len(before)-len(bytes.TrimRight(before, `\`)))%2 == 0 { // else the quote is escaped
			t := q.rest[:end+1]
			q.rest = q.rest[end+1:]
			return t
		}
	}
}

// text takes a string. Only one with escapes, or that is no UTF-8, needs more than a copy.
func (q *quick) text() (s string) {
	t := q.token()
	if len(t) < 2 {
		return ""
	}
	inner := t[1 : len(t)-1]
	for _, c := range inner {
		if c == '\\' || c < ' ' {
			q.ok = json.Unmarshal(t, &s) == nil && q.ok
			return s
		}
	}
	q.ok = utf8.Valid(inner) && q.ok
	return string(inner)
}
