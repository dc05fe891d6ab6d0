package logs

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"
)

// splitAll feeds input in writes of the given sizes, over and over, and returns
// what came out.
func splitAll(limit int, input, sizes []byte) (lines []Line, joined []byte) {
	s := Splitter{Limit: limit}
	keep := func(l Line) {
		lines = append(lines, Line{Text: bytes.Clone(l.Text), End: l.End})
		joined = l.Append(joined)
	}
	for i := 0; len(input) > 0; i++ {
		n := len(input)
		if len(sizes) > 0 {
			n = min(n, 1+int(sizes[i%len(sizes)]))
		}
		s.Write(input[:n], keep)
		input = input[n:]
	}
	s.Flush(keep)
	return lines, joined
}

func FuzzSplitter(f *testing.F) {
	f.Add(8, []byte("one\ntwo\n\nfour without end"), []byte{1})
	f.Add(4, []byte("äöü日本語😀😀\n\xff\xfe\x80\x80\x80\x80\x80\n"), []byte{0, 2})
	f.Add(5, []byte("12345\n123456\n"), []byte{3})
	f.Add(1000, []byte("\n\n\n"), []byte{})
	f.Fuzz(func(t *testing.T, limit int, input, sizes []byte) {
		limit = utf8.UTFMax + (limit&0xff+0x100)%0x100
		lines, joined := splitAll(limit, input, sizes)
		if !bytes.Equal(joined, input) {
			t.Fatalf("%q became %q", input, joined)
		}
		whole, _ := splitAll(limit, input, nil)
		if len(whole) != len(lines) {
			t.Fatalf("%d lines at once, %d in pieces", len(whole), len(lines))
		}
		for i, l := range lines {
			checkLine(t, l, whole[i], limit, utf8.Valid(input))
		}
	})
}

func checkLine(t *testing.T, l, same Line, limit int, valid bool) {
	t.Helper()
	switch {
	case !bytes.Equal(l.Text, same.Text) || l.End != same.End:
		t.Fatalf("line %q differs from %q", l.Text, same.Text)
	case len(l.Text) > limit:
		t.Fatalf("line of %d bytes", len(l.Text))
	case bytes.IndexByte(l.Text, '\n') >= 0:
		t.Fatalf("newline within %q", l.Text)
	case valid && !utf8.Valid(l.Text):
		t.Fatalf("cut within a character: %q", l.Text)
	case l.End == Cut && len(l.Text) <= limit-utf8.UTFMax:
		t.Fatalf("cut too early: %q", l.Text)
	}
}

func TestSplitterMemory(t *testing.T) {
	s := Splitter{Limit: 1000}
	long := []byte(strings.Repeat("é", 5_000_000)) // one line of 10 MB
	total := 0
	for len(long) > 0 {
		n := min(len(long), 33_333)
		s.Write(long[:n], func(l Line) { total += len(l.Text) })
		long = long[n:]
		if cap(s.rest) > 4*1001 {
			t.Fatalf("%d bytes kept", cap(s.rest))
		}
	}
	s.Flush(func(l Line) { total += len(l.Text) })
	if total != 10_000_000 {
		t.Errorf("%d bytes", total)
	}
}
