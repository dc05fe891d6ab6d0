package schedule

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// Cron is a parsed expression: an answer to "when next?".
type Cron struct {
	text  string
	spec  *cron.SpecSchedule // nil for @every
	every time.Duration
	zone  *time.Location
	fixed bool // minutes and hours are named: daylight saving must neither skip nor double a run
}

// Errors of Parse.
var (
	errFields = errors.New("not 5 fields (minute hour day month weekday), 6 with seconds first, or a word such as @daily or @every 5m")
	errNever  = errors.New("it never happens")
)

// starBit is how robfig/cron marks a field that was written with a star.
const starBit = 1 << 63

// Parse reads 5 or 6 fields, a descriptor (@hourly, @daily, @midnight, @weekly,
// @monthly, @yearly, @annually) or "@every 90s", optionally after "CRON_TZ=Zone ". A zone
// given apart is an IANA name; "" means the machine's.
func Parse(text, zone string) (Cron, error) {
	c, err := parse(strings.TrimSpace(text), zone)
	if err != nil {
		expr, _ := cutZone(text)
		return Cron{}, fmt.Errorf("cannot read schedule %q: %w", expr, err)
	}
	return c, nil
}

func parse(text, zone string) (c Cron, err error) {
	expr, named := cutZone(text)
	if named != "" && zone != "" && named != zone {
		return c, fmt.Errorf("it names the zone %s, the setting %s", named, zone)
	}
	if c.zone, err = loadZone(named + zoneUnless(named, zone)); err != nil {
		return c, err
	}
	c.text = expr
	if period, ok := strings.CutPrefix(expr, "@every"); ok {
		c.every, err = parsePeriod(strings.TrimSpace(period))
		return c, err
	}
	if c.spec, err = parseFields(expr); err != nil {
		return c, err
	}
	c.fixed = namesMoment(expr, c.spec)
	if c.Next(time.Unix(0, 0)).IsZero() {
		return c, errNever
	}
	return c, nil
}

func zoneUnless(named, zone string) string {
	if named != "" {
		return ""
	}
	return zone
}

// cutZone takes "CRON_TZ=Zone " or "TZ=Zone " off.
func cutZone(text string) (expr, zone string) {
	for _, head := range []string{"CRON_TZ=", "TZ="} {
		if rest, ok := strings.CutPrefix(text, head); ok {
			zone, expr, _ := strings.Cut(rest, " ")
			return strings.TrimSpace(expr), zone
		}
	}
	return text, ""
}

func loadZone(name string) (*time.Location, error) {
	if name == "" {
		return time.Local, nil
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("there is no time zone %q", name)
	}
	return loc, nil
}

// namesMoment says whether neither minutes nor hours begin with a star.
func namesMoment(expr string, spec *cron.SpecSchedule) bool {
	f := strings.Fields(expr)
	if len(f) < 5 {
		return spec.Minute&starBit == 0 && spec.Hour&starBit == 0 // @daily and the like
	}
	f = f[len(f)-5:]
	return f[0][0] != '*' && f[1][0] != '*'
}

func parsePeriod(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("@every needs a duration such as 90s or 1h30m: %w", err)
	}
	if d < time.Second {
		return 0, errors.New("@every needs at least one second")
	}
	return d.Truncate(time.Second), nil
}

func parseFields(expr string) (*cron.SpecSchedule, error) {
	if n := len(strings.Fields(expr)); !strings.HasPrefix(expr, "@") && n != 5 && n != 6 {
		return nil, fmt.Errorf("its number of fields is %d, %w", n, errFields)
	}
	// The zone is ours: in UTC the library has no daylight saving to go wrong with.
	p := cron.NewParser(cron.SecondOptional | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)
	s, err := p.Parse("TZ=UTC " + expr)
	if err != nil {
		return nil, err
	}
	spec, ok := s.(*cron.SpecSchedule)
	if !ok {
		return nil, errFields
	}
	return spec, nil
}

// String is the expression without its zone.
func (c Cron) String() string { return c.text }

// Next returns the first moment after t, in c's zone; zero when there is none
// within five years.
//
// A schedule that names minutes and hours happens once on each of its days:
// where daylight saving skips its moment it happens when the gap is over, where it
// repeats the moment only the first counts. One with a star in minutes or hours
// happens as often as real time passes. This is what cron(8) of Debian does.
func (c Cron) Next(t time.Time) time.Time {
	switch {
	case c.every > 0:
		return t.In(c.zone).Truncate(time.Second).Add(c.every)
	case c.fixed:
		return c.nextWall(t)
	}
	return c.nextReal(t)
}

// nextWall looks for the next reading of the clock on the wall, and then for when that is.
func (c Cron) nextWall(t time.Time) time.Time {
	wall := wallOf(t.In(c.zone))
	for {
		wall = c.spec.Next(wall)
		if wall.IsZero() {
			return wall
		}
		if at := whenWall(wall, c.zone); at.After(t) {
			return at
		}
	}
}

// nextReal goes through the stretches of constant offset from UTC, because in
// each of them the wall clock runs as time does.
func (c Cron) nextReal(t time.Time) time.Time {
	t = t.In(c.zone)
	limit := t.AddDate(5, 0, 0)
	for !t.After(limit) {
		_, offset := t.Zone()
		_, end := t.ZoneBounds()
		wall := c.spec.Next(wallOf(t))
		if wall.IsZero() {
			return wall
		}
		at := wall.Add(-time.Duration(offset) * time.Second)
		if end.IsZero() || at.Before(end) {
			return at.In(c.zone)
		}
		if t = end.In(c.zone); c.spec.Next(wallOf(t).Add(-1)).Equal(wallOf(t)) {
			return t // the first moment of the next stretch is itself one
		}
	}
	return time.Time{}
}

// wallOf is what the clock on the wall shows, as if it were UTC.
func wallOf(t time.Time) time.Time {
	_, offset := t.Zone()
	return t.UTC().Add(time.Duration(offset) * time.Second)
}

// whenWall is the first moment at which the clock on the wall of zone shows wall,
// or the end of the gap if it never does.
func whenWall(wall time.Time, zone *time.Location) time.Time {
	// The offsets in force a day before and after are all that can matter.
	first := time.Time{}
	for _, around := range []time.Time{wall.Add(-24 * time.Hour), wall.Add(24 * time.Hour)} {
		_, offset := around.In(zone).Zone()
		at := wall.Add(-time.Duration(offset) * time.Second).In(zone)
		if wallOf(at).Equal(wall) && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	if !first.IsZero() {
		return first
	}
	_, offset := wall.Add(-24 * time.Hour).In(zone).Zone()
	start, _ := wall.Add(-time.Duration(offset) * time.Second).In(zone).ZoneBounds()
	return start.In(zone)
}
