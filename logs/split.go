package logs

import (
	"bytes"
	"unicode/utf8"
)

// End says what follows a [Line] in the file.
type End uint8

// The ends of a line.
const (
	Newline End = iota // a newline: the line is whole
	Cut                // more of the same line: it is longer than the limit and goes on in the next Line
	Open               // nothing yet: the file ends without a newline
)

// Line is one line, or one piece of a very long one. Text has no newline.
type Line struct {
	Text []byte
	End  End
	Off  int64 // where it starts in its file; set by readers of files
}

// Append appends the bytes that the line stands for in its file.
func (l Line) Append(b []byte) []byte {
	b = append(b, l.Text...)
	if l.End == Newline {
		b = append(b, '\n')
	}
	return b
}

// firstLine returns the first line of buf, which starts where a line or a piece
// of one starts, and how many bytes it takes. ok is false when more bytes are
// needed to tell. A line of exactly limit bytes is whole.
func firstLine(buf []byte, limit int) (l Line, size int, ok bool) {
	if i := bytes.IndexByte(buf[:min(len(buf), limit+1)], '\n'); i >= 0 {
		return Line{Text: buf[:i]}, i + 1, true
	}
	if len(buf) <= limit {
		return Line{}, 0, false
	}
	n := wholeRunes(buf[:limit])
	return Line{Text: buf[:n], End: Cut}, n, true
}

// wholeRunes is the length of p without a UTF-8 sequence that p cuts at its end.
// Bytes that are no UTF-8 at all are left alone.
func wholeRunes(p []byte) int {
	for i := len(p) - 1; i > 0 && i >= len(p)-utf8.UTFMax+1; i-- {
		if !utf8.RuneStart(p[i]) {
			continue
		}
		if !utf8.FullRune(p[i:]) {
			return i
		}
		break
	}
	return len(p)
}

// Splitter cuts a stream that arrives in arbitrary writes into lines of at most
// Limit bytes. However the input is split, the lines are the same, and their
// bytes ([Line.Append]) concatenate to the input. Its memory is bounded by Limit.
type Splitter struct {
	Limit int // longest line in bytes, at least utf8.UTFMax; 0 = MaxLine
	rest  []byte
}

func (s *Splitter) limit() int {
	if s.Limit == 0 {
		return MaxLine
	}
	return max(s.Limit, utf8.UTFMax)
}

// Write takes the next bytes and calls emit for each line that is now complete.
// The Line is valid until emit returns.
func (s *Splitter) Write(p []byte, emit func(Line)) {
	for len(s.rest) > 0 && len(p) > 0 {
		// Only as much as can complete one line is added to what is kept, so that
		// rest never grows past the limit.
		n := min(len(p), s.limit()+1-len(s.rest))
		if i := bytes.IndexByte(p[:n], '\n'); i >= 0 {
			n = i + 1
		}
		s.rest = append(s.rest, p[:n]...)
		p = p[n:]
		s.rest = s.rest[:copy(s.rest, s.emit(s.rest, emit))]
	}
	if len(p) > 0 {
		s.rest = append(s.rest, s.emit(p, emit)...)
	}
}

// emit hands out the lines at the head of buf and returns what is left.
func (s *Splitter) emit(buf []byte, emit func(Line)) []byte {
	for {
		l, n, ok := firstLine(buf, s.limit())
		if !ok {
			return buf
		}
		emit(l)
		buf = buf[n:]
	}
}

// Flush hands out what is left without a newline, if anything.
func (s *Splitter) Flush(emit func(Line)) {
	if len(s.rest) > 0 {
		emit(Line{Text: s.rest, End: Open})
	}
	s.rest = s.rest[:0]
}
