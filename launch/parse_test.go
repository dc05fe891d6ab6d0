package launch

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"gpm/app"
)

func TestParseBytes(t *testing.T) {
	for s, want := range map[string]int64{
		"0": 0, "1024": 1024, "1K": 1 << 10, "512M": 512 << 20, "2g": 2 << 30, "1T": 1 << 40, "5MB": 5 << 20, "5MiB": 5 << 20, "7B": 7,
		"9223372036854775807": 1<<63 - 1,
	} {
		if got, err := ParseBytes(s); err != nil || got != want {
			t.Errorf("ParseBytes(%q) = %d, %v; want %d", s, got, err, want)
		}
	}
	for _, s := range []string{"", "M", "-1", "+1", "1.5G", "1 M", "1X", "1I", "1IB", "1BK", "1MM", "9223372036854775808", "9000000T", "0x10"} {
		if got, err := ParseBytes(s); !errors.Is(err, app.ErrInvalid) {
			t.Errorf("ParseBytes(%q) = %d, %v", s, got, err)
		}
	}
}

func TestParseDuration(t *testing.T) {
	for s, want := range map[string]time.Duration{
		"0": 0, "500": 500 * time.Millisecond, "300ms": 300 * time.Millisecond, "1s": time.Second, "1.5s": 1500 * time.Millisecond,
		"1m": time.Minute, "1h": time.Hour, "1h30m": 90 * time.Minute,
	} {
		if got, err := ParseDuration(s); err != nil || got != want {
			t.Errorf("ParseDuration(%q) = %s, %v; want %s", s, got, err, want)
		}
	}
	for _, s := range []string{"", "-1", "-1s", "1.5", "s", "1 s", "1x", "99999999999999999999", "9223372036854775807", "9999999h"} {
		if got, err := ParseDuration(s); !errors.Is(err, app.ErrInvalid) {
			t.Errorf("ParseDuration(%q) = %s, %v", s, got, err)
		}
	}
}

func TestParseShebang(t *testing.T) {
	for head, want := range map[string]Shebang{
		"#!/bin/sh\necho":                {Interpreter: "/bin/sh"},
		"#!/bin/sh":                      {Interpreter: "/bin/sh"},
		"#! /bin/sh -e \n":               {Interpreter: "/bin/sh", Arg: "-e"},
		"#!\t/usr/bin/env -S node  -r x": {Interpreter: "/usr/bin/env", Arg: "-S node  -r x"},
		"#!/bin/sh\r\necho":              {Interpreter: "/bin/sh", CR: true},
	} {
		if got, ok := ParseShebang([]byte(head)); !ok || got != want {
			t.Errorf("%q: %+v %v, want %+v", head, got, ok, want)
		}
	}
	for _, head := range []string{"", "#", "#!", "#!\n/bin/sh", "#!  \t\n", "\n#!/bin/sh", "#!/bin/s\x00h\n"} {
		if got, ok := ParseShebang([]byte(head)); ok {
			t.Errorf("%q: %+v", head, got)
		}
	}
}

func TestKindOf(t *testing.T) {
	cut := strings.Repeat("x", headSize-1) + "\xc3" // the first byte of "ü"
	for head, want := range map[string]fileKind{
		"": kindEmpty, "#!/bin/sh": kindScript, "#!": kindScript, "hello ü\n": kindText, cut: kindText,
		"\x7fELF\x02\x00": kindBinary, "MZ\x90\x00": kindBinary, "\xff\xfe\xff\xfe\xff\xfex": kindBinary,
	} {
		if got := kindOf([]byte(head)); got != want {
			t.Errorf("%.20q: kind %d, want %d", head, got, want)
		}
	}
}

func FuzzParseShebang(f *testing.F) {
	for _, s := range []string{"#!/bin/sh -e\n", "#!/usr/bin/env node\r\n", "#! \n", "x"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, head []byte) {
		s, ok := ParseShebang(head)
		if ok && (s.Interpreter == "" || strings.ContainsAny(s.Interpreter, " \t\n\x00") || strings.ContainsAny(s.Arg, "\n\x00")) {
			t.Errorf("%q: %+v", head, s)
		}
		if ok && kindOf(head) != kindScript {
			t.Errorf("%q is no script", head)
		}
	})
}

func FuzzParseBytes(f *testing.F) {
	for _, s := range []string{"512M", "1KiB", "7", "-1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := ParseBytes(s)
		if err != nil {
			return
		}
		if again, err := ParseBytes(strconv.FormatInt(n, 10)); n < 0 || err != nil || again != n {
			t.Errorf("%q: %d, again %d, %v", s, n, again, err)
		}
	})
}

func FuzzParseDuration(f *testing.F) {
	for _, s := range []string{"500", "1h30m", "1.5s", "-1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := ParseDuration(s)
		if err != nil {
			return
		}
		if again, err := ParseDuration(d.String()); d < 0 || err != nil || again != d {
			t.Errorf("%q: %s, again %s, %v", s, d, again, err)
		}
	})
}
