package schedule

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Skip(err)
	}
	return loc
}

func TestParseRefuses(t *testing.T) {
	for text, why := range map[string]string{
		"":               "is 0",
		"* * * *":        "is 4",
		"61 * * * *":     "61",
		"0 0 30 2 *":     "never happens",
		"TZ=":            "is 0",
		"TZ=0":           "no time zone",
		"CRON_TZ=Mars/X": `schedule "": there is no time zone "Mars/X"`,
		"@every":         "duration",
		"@every 10ms":    "at least one second",
		"@reboot":        "@reboot",
		"a b c d e":      "cannot read schedule",
		"0 0 * * * * *":  "is 7",
	} {
		if _, err := Parse(text, ""); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: %v, want %q", text, err, why)
		}
	}
	if _, err := Parse("CRON_TZ=UTC 0 0 * * *", "Europe/Berlin"); err == nil {
		t.Error("two zones are accepted")
	}
}

// TestNext has the days on which Berlin's clocks change: on 2026-03-29 02:00–03:00
// does not exist, on 2026-10-25 it comes twice.
func TestNext(t *testing.T) {
	zone(t, "Europe/Berlin")
	for _, c := range []struct {
		name, expr, from string
		want             []string
	}{
		{"five fields", "30 4 * * *", "2026-06-01T00:00:00+02:00", []string{"2026-06-01T04:30:00+02:00", "2026-06-02T04:30:00+02:00"}},
		{"six fields", "*/20 * * * * *", "2026-06-01T00:00:05+02:00", []string{"2026-06-01T00:00:20+02:00", "2026-06-01T00:00:40+02:00"}},
		{"gap runs when it is over", "30 2 * * *", "2026-03-28T12:00:00+01:00", []string{"2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"}},
		{"gap runs once", "0,30 2 * * *", "2026-03-28T12:00:00+01:00", []string{"2026-03-29T03:00:00+02:00", "2026-03-30T02:00:00+02:00"}},
		{"repeated hour runs once", "30 2 * * *", "2026-10-25T00:00:00+02:00", []string{"2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"}},
		{"asked within the repetition", "30 2 * * *", "2026-10-25T02:15:00+01:00", []string{"2026-10-26T02:30:00+01:00"}},
		{"star goes on in the repetition", "30 * * * *", "2026-10-25T01:45:00+02:00", []string{"2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00", "2026-10-25T03:30:00+01:00"}},
		{"star in the gap", "30 * * * *", "2026-03-29T01:00:00+01:00", []string{"2026-03-29T01:30:00+01:00", "2026-03-29T03:30:00+02:00"}},
		{"star at the end of the gap", "0 * * * *", "2026-03-29T01:00:00+01:00", []string{"2026-03-29T03:00:00+02:00", "2026-03-29T04:00:00+02:00"}},
		{"daily", "@daily", "2026-10-24T12:00:00+02:00", []string{"2026-10-25T00:00:00+02:00", "2026-10-26T00:00:00+01:00"}},
		{"every", "@every 90s", "2026-06-01T00:00:00+02:00", []string{"2026-06-01T00:01:30+02:00", "2026-06-01T00:03:00+02:00"}},
		{"leap day", "0 0 29 2 *", "2026-06-01T00:00:00+02:00", []string{"2028-02-29T00:00:00+01:00"}},
		{"last of both day fields", "0 0 13 * 5", "2026-02-01T00:00:00+01:00", []string{"2026-02-06T00:00:00+01:00", "2026-02-13T00:00:00+01:00"}},
	} {
		cron, err := Parse(c.expr, "Europe/Berlin")
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse(time.RFC3339, c.from)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range c.want {
			at = cron.Next(at)
			if got := at.Format(time.RFC3339); got != want {
				t.Errorf("%s: %s, want %s", c.name, got, want)
			}
		}
	}
}

func TestZoneInTheExpression(t *testing.T) {
	zone(t, "America/New_York")
	c, err := Parse("CRON_TZ=America/New_York 0 9 * * *", "")
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Next(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)).UTC().Hour(); got != 14 {
		t.Errorf("hour %d UTC", got)
	}
}

// TestNextIsSound: always later, always a moment the clock on the wall agrees
// with, unless it is the end of a gap.
func TestNextIsSound(t *testing.T) {
	zones := []string{"UTC", "Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca"}
	for _, z := range zones {
		zone(t, z)
	}
	rapid.Check(t, func(rt *rapid.T) {
		field := func(label string, top int) string {
			return rapid.OneOf(rapid.Just("*"), rapid.Just("*/7"), rapid.Map(rapid.IntRange(0, top), strconv.Itoa)).Draw(rt, label)
		}
		c, err := Parse(field("min", 59)+" "+field("hour", 23)+" * * *", rapid.SampledFrom(zones).Draw(rt, "zone"))
		if err != nil {
			rt.Fatal(err)
		}
		at := time.Unix(rapid.Int64Range(1e9, 2e9).Draw(rt, "from"), 0)
		for range 20 {
			next := c.Next(at)
			if !next.After(at) {
				rt.Fatalf("%v is not after %v", next, at)
			}
			wall := wallOf(next)
			start, _ := next.ZoneBounds()
			if !c.spec.Next(wall.Add(-1)).Equal(wall) && !start.Equal(next) {
				rt.Fatalf("%v is no moment of %s", next, c)
			}
			at = next
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"* * * * *", "0 0 29 2 *", "@every 1h", "CRON_TZ=UTC 1-5/2 * * * mon", "TZ=", "@daily", "*/0 * * * *", "1-0 * * * *"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse(text, "")
		if err != nil {
			return
		}
		now := time.Unix(1.8e9, 0)
		if next := c.Next(now); !next.IsZero() && !next.After(now) {
			t.Errorf("%q: %v is not after %v", text, next, now)
		}
	})
}
