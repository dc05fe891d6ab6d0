package logs

import (
	"fmt"
	"regexp"
	"time"
)

// Filter changes what is written of the lines.
type Filter struct {
	Redact []*regexp.Regexp // what they match is written as [redacted]; of one with groups, only the groups
	Rate   int              // lines a second; more are left out, and how many is written when the second is over. 0 = any number
}

const redacted = "[redacted]"

// redact returns the text without what must not be written.
func (f *Filter) redact(text []byte) []byte {
	if f == nil {
		return text
	}
	for _, re := range f.Redact {
		text = hide(re, text)
	}
	return text
}

func hide(re *regexp.Regexp, text []byte) []byte {
	matches := re.FindAllSubmatchIndex(text, -1)
	if matches == nil {
		return text
	}
	var out []byte
	at := 0
	for _, m := range matches {
		if len(m) > 2 {
			m = m[2:]
		}
		for ; len(m) > 0; m = m[2:] {
			if m[0] >= at && m[1] > m[0] { // else a group within a group, or one that took no part
				out = append(append(out, text[at:m[0]]...), redacted...)
				at = m[1]
			}
		}
	}
	return append(out, text[at:]...)
}

// limiter counts the lines of one output within the present second.
type limiter struct {
	second  int64 // since 1970
	written int   // lines of it
	left    int64 // lines left out that the file does not tell of yet
}

// admits says whether one more line may be written.
func (l *limiter) admits(rate int) bool {
	if l.written >= rate {
		l.left++
		return false
	}
	l.written++
	return true
}

// turn goes on to the second of now and returns the line that tells what was left out
// in the one before; "" = nothing was. With last, the second counts as over.
func (l *limiter) turn(now time.Time, rate int, last bool) string {
	second := now.Unix()
	if second != l.second {
		l.second, l.written = second, 0
	} else if !last {
		return ""
	}
	left := l.left
	l.left = 0
	if left == 0 {
		return ""
	}
	return fmt.Sprintf("[gpm: %d lines left out here: more than %d a second]", left, rate)
}
