package main

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// textWidth returns how many columns of a terminal a text takes.
func textWidth(s string) int {
	n := 0
	for _, r := range s {
		n += runeWidth(r)
	}
	return n
}

// runeWidth is a short form of Unicode's East Asian Width (UAX #11): 2 for the wide
// blocks, 0 for what combines with the letter before it, else 1.
func runeWidth(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case r >= 0x1100 && r <= 0x115f, // Hangul initials
		r >= 0x2e80 && r <= 0xa4cf && r != 0x303f, // CJK, kana, Yi
		r >= 0xac00 && r <= 0xd7a3,                // Hangul syllables
		r >= 0xf900 && r <= 0xfaff,                // CJK compatibility
		r >= 0xfe30 && r <= 0xfe6f,                // CJK forms
		r >= 0xff00 && r <= 0xff60, r >= 0xffe0 && r <= 0xffe6,
		r >= 0x1f300 && r <= 0x1f64f, r >= 0x1f680 && r <= 0x1f6ff, r >= 0x1f900 && r <= 0x1f9ff, // emoji
		r >= 0x20000 && r <= 0x3fffd:
		return 2
	}
	return 1
}

// cut shortens a text to a width, with … for what is gone.
func cut(s string, width int) string {
	if textWidth(s) <= width {
		return s
	}
	n := 0
	for i, r := range s {
		if n += runeWidth(r); n > width-1 {
			return s[:i] + "…"
		}
	}
	return s
}

// pad fills a text up to a width with spaces.
func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-textWidth(s)))
}

// clean replaces what would disturb a terminal: a name or a log line may hold anything.
func clean(s string) string {
	if strings.IndexFunc(s, disturbs) < 0 && utf8.ValidString(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if disturbs(r) {
			return '·'
		}
		return r
	}, strings.ToValidUTF8(s, "�"))
}

// disturbs is true for control characters; the tab is not one of them here.
func disturbs(r rune) bool { return r != '\t' && unicode.IsControl(r) }
