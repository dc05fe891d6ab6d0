package main

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"gpm/app"
	"gpm/ecosystem"
)

// setter puts the text of an option into a field.
type setter = func(s *app.Spec, value string) error

func text(field func(*app.Spec) *string) setter {
	return func(s *app.Spec, value string) error {
		if strings.TrimSpace(value) == "" {
			return errors.New("it is empty")
		}
		*field(s) = value
		return nil
	}
}

// path makes a path absolute: the daemon lives elsewhere. NULL is pm2's word for no file.
func path(field func(*app.Spec) *string) setter {
	return func(s *app.Spec, value string) error {
		if value == "" || value == "NULL" {
			*field(s) = value
			return nil
		}
		abs, err := filepath.Abs(value)
		*field(s) = abs
		return err
	}
}

// logFile takes true for a file among the other logs.
func logFile(s *app.Spec, value string) error {
	if value == "true" || value == "false" {
		s.LogFile = value
		return nil
	}
	return path(func(s *app.Spec) *string { return &s.LogFile })(s, value)
}

func list(field func(*app.Spec) *[]string) setter {
	return func(s *app.Spec, value string) error {
		*field(s) = append(*field(s), value)
		return nil
	}
}

func words(field func(*app.Spec) *[]string) setter {
	return func(s *app.Spec, value string) error {
		split, err := ecosystem.SplitWords(value)
		*field(s) = append(*field(s), split...)
		return err
	}
}

func toggle(field func(*app.Spec) *bool) setter {
	return func(s *app.Spec, value string) error {
		yes, err := strconv.ParseBool(value)
		if err != nil {
			return errors.New("neither true nor false")
		}
		*field(s) = yes
		return nil
	}
}

func number(field func(*app.Spec) *int) setter {
	return func(s *app.Spec, value string) error {
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 {
			return errors.New("not a number of at least 0")
		}
		*field(s) = n
		return nil
	}
}

func numbers(field func(*app.Spec) *[]int) setter {
	return func(s *app.Spec, value string) error {
		var out []int
		for _, word := range strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' }) {
			n, err := strconv.Atoi(word)
			if err != nil || n < 0 || n > 255 {
				return fmt.Errorf("%q is no exit code from 0 to 255", word)
			}
			out = append(out, n)
		}
		*field(s) = append(*field(s), out...)
		return nil
	}
}

func duration(field func(*app.Spec) *time.Duration) setter {
	return func(s *app.Spec, value string) error {
		d, err := parseDuration(value)
		*field(s) = d
		return err
	}
}

// seconds is duration for the one option of pm2 whose plain numbers are no milliseconds.
func seconds(field func(*app.Spec) *time.Duration) setter {
	read := duration(field)
	return func(s *app.Spec, value string) error {
		if _, err := strconv.ParseFloat(value, 64); err == nil {
			value += "s"
		}
		if err := read(s, value); err != nil {
			return errors.New("neither seconds nor a time like 400ms")
		}
		return nil
	}
}

// withDays reads what Go takes for a duration ("1.5s", "2h30m"), and a number of days ("7d").
func withDays(s string) (time.Duration, error) {
	days, ok := strings.CutSuffix(s, "d")
	if !ok || strings.Trim(days, "0123456789.") != "" {
		return time.ParseDuration(s)
	}
	d, err := time.ParseDuration(days + "h")
	if err == nil && d > math.MaxInt64/24 {
		err = errors.New("out of range")
	}
	return 24 * d, err
}

// parseDuration reads pm2's plain milliseconds and "1.5s", "2m", "7d".
func parseDuration(s string) (time.Duration, error) {
	d, err := withDays(s)
	if ms, numErr := strconv.ParseFloat(s, 64); numErr == nil {
		if math.IsNaN(ms) || math.Abs(ms) > float64(math.MaxInt64/time.Millisecond) {
			return 0, errors.New("out of range")
		}
		d, err = time.Duration(ms*float64(time.Millisecond)), nil
	}
	switch {
	case err != nil:
		return 0, errors.New("neither milliseconds nor a time like 1.5s")
	case d < 0:
		return 0, errors.New("negative")
	}
	return d, nil
}

// instances counts as pm2: 0 and max are one for each CPU, a negative number leaves so many CPUs out.
func instances(s *app.Spec, value string) error {
	n, err := strconv.Atoi(value)
	share, isShare := strings.CutSuffix(value, "%")
	switch {
	case value == "max":
		n, err = 0, nil
	case isShare:
		var percent float64
		percent, err = strconv.ParseFloat(share, 64)
		n = max(1, int(math.Round(percent/100*float64(runtime.NumCPU()))))
		if err == nil && !(percent > 0 && percent <= 1000) {
			err = errors.New("no share")
		}
	}
	if err != nil || n > maxInstances {
		return fmt.Errorf("neither max nor a number up to %d nor a share like 50%%", maxInstances)
	}
	if n <= 0 {
		n = max(1, runtime.NumCPU()+n)
	}
	s.Instances = n
	return nil
}

const maxInstances = 10000

func affinity(s *app.Spec, value string) error {
	if app.Affinity(value) != app.Spread {
		return errors.New("only spread is possible")
	}
	s.CPUAffinity = app.Spread
	return nil
}

func sticky(s *app.Spec, value string) error {
	if app.Sticky(value) != app.StickyIP {
		return errors.New("only ip is possible")
	}
	s.Sticky = app.StickyIP
	return nil
}

func ready(s *app.Spec, value string) (err error) {
	s.Policy.Ready, err = app.ParseReady(value)
	return err
}

func autoscale(s *app.Spec, value string) (err error) {
	s.Autoscale, err = app.ParseAutoscale(value)
	return err
}

func logDriver(s *app.Spec, value string) error {
	switch d := app.LogDriver(value); d {
	case app.Journald, app.Syslog, app.DriverOut:
		s.Log.Driver = d
		return nil
	}
	return errors.New("only journald, syslog and stdout are possible")
}

func forkMode(s *app.Spec, value string) error {
	s.ExecMode = app.Fork
	return toggle(func(*app.Spec) *bool { return new(bool) })(s, value)
}

func variable(s *app.Spec, value string) error {
	name, val, ok := strings.Cut(value, "=")
	if !ok || name == "" {
		return errors.New("not KEY=VALUE")
	}
	if s.Env == nil {
		s.Env = map[string]string{}
	}
	s.Env[name] = val
	s.EnvOver = append(s.EnvOver, name)
	return nil
}

func nice(s *app.Spec, value string) error {
	n, err := strconv.Atoi(value)
	if err != nil || n < -20 || n > 19 {
		return errors.New("not a number from -20 to 19")
	}
	s.Nice = &n
	return nil
}

func rlimit(s *app.Spec, value string) error {
	name, limit, ok := strings.Cut(value, "=")
	if !ok || name == "" || limit == "" {
		return errors.New("not NAME=VALUE or NAME=SOFT:HARD")
	}
	if s.Rlimits == nil {
		s.Rlimits = map[string]string{}
	}
	s.Rlimits[name] = limit
	return nil
}

// cpus reads a list of CPU numbers and ranges, as taskset(1) does.
func cpus(s *app.Spec, value string) error {
	var out []int
	for _, part := range strings.Split(value, ",") {
		low, high, isRange := strings.Cut(part, "-")
		if !isRange {
			high = low
		}
		from, err1 := strconv.Atoi(low)
		to, err2 := strconv.Atoi(high)
		if err1 != nil || err2 != nil || from < 0 || to < from || to > maxCPU {
			return fmt.Errorf("%q is no CPU number or range", part)
		}
		for n := from; n <= to; n++ {
			out = append(out, n)
		}
	}
	s.CPUs = out
	return nil
}

// maxCPU is the last CPU that a Linux kernel can be built for.
const maxCPU = 8191

// signalName takes TERM and SIGTERM, in any case.
func signalName(s *app.Spec, value string) error {
	s.Policy.KillSignal = normaliseSignal(value)
	return nil
}

// normaliseSignal leaves a number, and what makes no sense, to the daemon.
func normaliseSignal(value string) string {
	name := strings.ToUpper(strings.TrimSpace(value))
	if _, err := strconv.Atoi(name); err == nil || strings.HasPrefix(name, "SIG") {
		return name
	}
	return "SIG" + name
}

// timeFormat is pm2's --time.
func timeFormat(s *app.Spec, value string) error {
	yes := false
	err := toggle(func(*app.Spec) *bool { return &yes })(s, value)
	if s.LogFormat = ""; yes {
		s.LogFormat = app.TimeFormat
	}
	return err
}

func oneOf(field func(*app.Spec) *string, words ...string) setter {
	return func(s *app.Spec, value string) error {
		if !slices.Contains(words, value) {
			return errors.New("neither " + strings.Join(words, " nor "))
		}
		*field(s) = value
		return nil
	}
}

// watchPaths takes paths from where the command runs; "." is the app's own directory.
func watchPaths(s *app.Spec, value string) error {
	if yes, err := strconv.ParseBool(value); err == nil {
		if s.Watch = nil; yes {
			s.Watch = []string{"."}
		}
		return nil
	}
	if value == "imports" { // what it has really loaded; the directory of that name is ./imports
		s.Watch = []string{value}
		return nil
	}
	for p := range strings.SplitSeq(value, ",") {
		if p = strings.TrimSpace(p); p == "" {
			return errors.New("a path is empty")
		}
		abs, err := filepath.Abs(p)
		if err != nil {
			return err
		}
		s.Watch = append(s.Watch, abs)
	}
	return nil
}

// extensions leaves out every file without one of these, and what is left out anyway.
func extensions(s *app.Spec, value string) error {
	s.IgnoreWatch = append(s.IgnoreWatch, "*", "!*/")
	for ext := range strings.SplitSeq(value, ",") {
		ext = strings.TrimPrefix(strings.TrimSpace(ext), ".")
		if ext == "" || strings.ContainsAny(ext, `/\*?[]!`) {
			return errors.New("not extensions like js,ts")
		}
		s.IgnoreWatch = append(s.IgnoreWatch, "!*."+ext)
	}
	s.IgnoreWatch = append(s.IgnoreWatch, ".*", "node_modules/")
	return nil
}

// byteSize reads a size: 1024, 100K, 50M, 2G.
func byteSize(field func(*app.Spec) *int64) setter {
	return func(s *app.Spec, value string) error {
		n, err := parseBytes(value)
		if err == nil {
			*field(s) = n
		}
		return err
	}
}

func parseBytes(value string) (int64, error) {
	digits := strings.TrimRight(strings.ToUpper(value), "BI")
	shift := 0
	if n := len(digits) - 1; n > 0 {
		if at := strings.IndexByte("KMGT", digits[n]); at >= 0 {
			digits, shift = digits[:n], 10*(at+1)
		}
	}
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil || n > math.MaxInt64>>shift {
		return 0, errors.New("not a size like 100K, 50M or 2G")
	}
	return int64(n) << shift, nil
}
