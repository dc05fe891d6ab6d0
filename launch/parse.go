package launch

import (
	"math"
	"strconv"
	"strings"
	"time"

	"gpm/app"
)

// ParseBytes reads a size: a whole number of bytes, or one followed by K, M, G or T
// in either case, each 1024 of the one before; "B" and "iB" after the letter change nothing.
func ParseBytes(s string) (int64, error) {
	digits := strings.TrimRight(s, "KMGTBIkmgtbi")
	shift, ok := byteShift(strings.ToUpper(s[len(digits):]))
	n, err := strconv.ParseUint(digits, 10, 63)
	if !ok || err != nil || n > math.MaxInt64>>shift {
		return 0, app.Errorf(app.CodeInvalid, "cannot read size %q", s).WithHint("a size is a number of bytes, or like 100K, 512M, 2G")
	}
	return int64(n) << shift, nil
}

// byteShift knows the power of two of a suffix in upper case.
func byteShift(suffix string) (shift int, ok bool) {
	switch strings.TrimSuffix(strings.TrimSuffix(suffix, "B"), "I") {
	case "":
		return 0, suffix == "" || suffix == "B"
	case "K":
		return 10, true
	case "M":
		return 20, true
	case "G":
		return 30, true
	case "T":
		return 40, true
	}
	return 0, false
}

// ParseDuration reads a time: a whole number of milliseconds, as pm2 takes it, or a number with a
// unit, like "300ms", "1.5s", "1m", "1h30m".
func ParseDuration(s string) (time.Duration, error) {
	if ms, err := strconv.ParseUint(s, 10, 63); err == nil && ms <= math.MaxInt64/uint64(time.Millisecond) {
		return time.Duration(ms) * time.Millisecond, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, app.Errorf(app.CodeInvalid, "cannot read duration %q", s).
			WithHint("a duration is a number of milliseconds, or like 300ms, 5s, 1m, 2h")
	}
	return d, nil
}
