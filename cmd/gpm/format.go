package main

import (
	"fmt"
	"strconv"
	"time"
)

const day = 24 * time.Hour

// uptime says a duration as pm2 does: in whole units, the larger one only when there is more than one
// of it: 90s, 119m, 3h, 2D, 5M, 2Y.
func uptime(d time.Duration) string {
	for _, u := range []struct {
		length time.Duration
		name   string
	}{{365 * day, "Y"}, {30 * day, "M"}, {day, "D"}, {time.Hour, "h"}, {time.Minute, "m"}} {
		if n := int64(d / u.length); n > 1 {
			return strconv.FormatInt(n, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(d/time.Second), 10) + "s"
}

// size says bytes as pm2 does: 0b, 45.2mb.
func size(bytes int64) string {
	if bytes < 1024 {
		return strconv.FormatInt(max(0, bytes), 10) + "b"
	}
	value, unit := float64(bytes), ""
	for _, unit = range []string{"kb", "mb", "gb", "tb"} {
		if value /= 1024; value < 1024 {
			break
		}
	}
	return strconv.FormatFloat(value, 'f', 1, 64) + unit
}

// span says how long something took, to a person.
func span(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

// moment is a point in time, in local time.
func moment(t time.Time) string {
	if t.IsZero() {
		return "N/A"
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

func percent(cpu float64) string {
	return fmt.Sprintf("%s%%", strconv.FormatFloat(roundTenth(cpu), 'f', -1, 64))
}

func roundTenth(x float64) float64 { return float64(int64(x*10+0.5)) / 10 }
