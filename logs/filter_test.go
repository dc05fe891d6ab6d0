package logs

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestRedact(t *testing.T) {
	f := &Filter{Redact: []*regexp.Regexp{regexp.MustCompile(`password=(\S+)`), regexp.MustCompile(`\b\d{16}\b`), regexp.MustCompile(`(x(y)?)z`)}}
	for in, want := range map[string]string{
		"nothing here":                      "nothing here",
		"password=x and password=yy":        "password=[redacted] and password=[redacted]",
		"card 1234567812345678 end":         "card [redacted] end",
		"xyz xz":                            "[redacted]z [redacted]z",
		"":                                  "",
		"password=1234567812345678 xyz\xff": "password=[redacted] [redacted]z\xff",
	} {
		if got := string(f.redact([]byte(in))); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// TestRedactedFiles: neither the file nor the combined one, nor what is remembered of the process.
func TestRedactedFiles(t *testing.T) {
	dir := t.TempDir()
	out, all := filepath.Join(dir, "out.log"), filepath.Join(dir, "all.log")
	p := newPump(t, Options{})
	s, w := attachTo(t, p, Target{Path: out, Combined: all, Key: "k", Filter: &Filter{Redact: []*regexp.Regexp{regexp.MustCompile("secret")}}})
	write(t, w, "a secret\nsec")
	write(t, w, "ret b\nc")
	s.Drain(drainTime)
	const want = "a [redacted]\n[redacted] b\nc\n"
	if got := read(t, out) + read(t, all) + strings.Join(s.Tail(9, 999), "\n") + "\n"; got != want+want+want {
		t.Errorf("%q", got)
	}
}

// TestRate: every line is written or counted, also those before a pause.
func TestRate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.log")
	said := make(chan Trouble, 9)
	p := newPump(t, Options{OnTrouble: func(x Trouble) { said <- x }})
	s, w := attachTo(t, p, Target{Path: path, Key: "k", Filter: &Filter{Rate: 10}})
	const total = 1000
	for i := range total {
		write(t, w, fmt.Sprintf("line %d\n", i))
	}
	if x := <-said; x.LeftOut == 0 || x.Path != path || x.Err != nil { // nothing more is printed
		t.Errorf("%+v", x)
	}
	s.Drain(drainTime)
	lines, left := 0, 0
	for line := range strings.Lines(read(t, path)) {
		var n int
		if _, err := fmt.Sscanf(line, "[gpm: %d lines left out here: more than 10 a second]", &n); err == nil {
			left += n
		} else {
			lines++
		}
	}
	if lines+left != total || left == 0 {
		t.Errorf("%d lines and %d left out, of %d", lines, left, total)
	}
}

// FuzzRate: lines that come, written and counted, are as many as went in.
func FuzzRate(f *testing.F) {
	f.Add([]byte{1, 200, 3}, 2)
	f.Fuzz(func(t *testing.T, pauses []byte, rate int) {
		var l limiter
		rate = max(1, rate)
		now, written, told := time.Unix(1000, 0), 0, 0
		count := func(mark string) {
			var n int
			if _, err := fmt.Sscanf(mark, "[gpm: %d lines", &n); err == nil {
				told += n
			}
		}
		for _, pause := range pauses {
			now = now.Add(time.Duration(pause) * 10 * time.Millisecond)
			count(l.turn(now, rate, false))
			if l.admits(rate) {
				written++
			}
		}
		count(l.turn(now, rate, true))
		if written+told != len(pauses) {
			t.Errorf("%d written, %d told of, of %d", written, told, len(pauses))
		}
	})
}
