package app

import (
	"testing"
	"time"
)

func TestLayout(t *testing.T) {
	at := time.Date(2026, 2, 3, 14, 5, 6, 7_000_000, time.FixedZone("", 3600))
	for format, want := range map[string]string{
		"YYYY-MM-DD HH:mm:ss.SSS Z": "2026-02-03 14:05:06.007 +01:00",
		"YYYY-MM-DD[T]HH:mm:ssZZ":   "2026-02-03T14:05:06+0100",
		"ddd D MMM YY, h:mm A":      "Tue 3 Feb 26, 2:05 PM",
		"":                          "",
		"[at] HH":                   "at 14",
		"YYYY年":                     "2026年",
	} {
		if got := at.Format(Layout(format)); got != want {
			t.Errorf("%q: %q, want %q", format, got, want)
		}
	}
}
