package pm2

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"gpm/app"
)

// value is a JSON value that may be spelled in several ways: pm2's command line
// sends text where its library sends numbers.
type value struct{ any }

// decodeNumbers is json.Unmarshal that keeps numbers as they are written.
func decodeNumbers(raw []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	return dec.Decode(v)
}

// scalar is the value as JavaScript's String() shows it.
func (v value) scalar() (string, error) {
	switch x := v.any.(type) {
	case string:
		return x, nil
	case json.Number:
		return x.String(), nil
	case bool:
		return strconv.FormatBool(x), nil
	}
	return "", fmt.Errorf("%s is no text or number", shown(v.any))
}

func (v value) number() (int, error) {
	text, err := v.scalar()
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || n != float64(int(n)) {
		return 0, fmt.Errorf("%q is no whole number", text)
	}
	return int(n), nil
}

// duration takes milliseconds.
func (v value) duration() (time.Duration, error) {
	n, err := v.number()
	if err == nil && (n < 0 || n > 1<<43) {
		err = fmt.Errorf("%d milliseconds is no possible duration", n)
	}
	return time.Duration(n) * time.Millisecond, err
}

func (v value) truth() (bool, error) {
	switch v.any {
	case true, "true":
		return true, nil
	case false, "false":
		return false, nil
	}
	return false, fmt.Errorf("%s is neither true nor false", shown(v.any))
}

// words takes a list, or text that is split at spaces.
func (v value) words() ([]string, error) {
	items, ok := v.any.([]any)
	if !ok {
		text, err := v.scalar()
		return strings.Fields(text), err
	}
	out := make([]string, len(items))
	for i, item := range items {
		var err error
		if out[i], err = (value{item}).scalar(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// shown is a value in an error, short.
func shown(v any) string {
	text, err := Encode(v)
	if err != nil || len(text) > 60 {
		return fmt.Sprintf("a %T", v)
	}
	return string(text)
}

// text, words, number, duration, yes and no make the reader of a field: name is
// the field's in app.Fields.

func text(name string, at func(*app.Spec) *string) func(*Config, value) error {
	return reader(name, at, value.scalar)
}

func words(name string, at func(*app.Spec) *[]string) func(*Config, value) error {
	return reader(name, at, value.words)
}

func number(name string, at func(*app.Spec) *int) func(*Config, value) error {
	return reader(name, at, value.number)
}

func duration(name string, at func(*app.Spec) *time.Duration) func(*Config, value) error {
	return reader(name, at, value.duration)
}

func yes(name string, at func(*app.Spec) *bool) func(*Config, value) error {
	return reader(name, at, value.truth)
}

func no(name string, at func(*app.Spec) *bool) func(*Config, value) error {
	return reader(name, at, func(v value) (bool, error) {
		b, err := v.truth()
		return !b, err
	})
}

func reader[T any](name string, at func(*app.Spec) *T, read func(value) (T, error)) func(*Config, value) error {
	return func(c *Config, v value) error {
		got, err := read(v)
		if err != nil {
			return err
		}
		*at(&c.Spec) = got
		c.Set[name] = true
		return nil
	}
}

func readEnv(c *Config, v value) error {
	raw, ok := v.any.(map[string]any)
	if !ok {
		return fmt.Errorf("%s is no object", shown(v.any))
	}
	c.Spec.Env = stringEnv(raw, c.Spec.Name)
	c.Set["env"] = true
	return nil
}

func readMode(c *Config, v value) error {
	text, err := v.scalar()
	if err != nil {
		return err
	}
	mode := app.ExecMode(strings.TrimSuffix(text, "_mode"))
	if !slices.Contains([]app.ExecMode{app.Fork, app.Cluster}, mode) {
		return fmt.Errorf("%q is neither fork_mode nor cluster_mode", text)
	}
	c.Spec.ExecMode = mode
	c.Set["exec_mode"] = true
	return nil
}

// bytes takes a number or a size like 200M.
func (v value) bytes() (int64, error) {
	text, err := v.scalar()
	if err != nil {
		return 0, err
	}
	digits, unit := strings.TrimRight(text, "KMG"), int64(1)
	switch text[len(digits):] {
	case "":
	case "K":
		unit = 1 << 10
	case "M":
		unit = 1 << 20
	case "G":
		unit = 1 << 30
	default:
		digits = ""
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/unit {
		return 0, fmt.Errorf("%q is no size like 1048576 or 200M", text)
	}
	return n * unit, nil
}

// readWatch takes true for the working directory, false, or paths.
func readWatch(c *Config, v value) error {
	c.Set["watch"], c.Spec.Watch = true, nil
	if on, err := v.truth(); err == nil {
		if on {
			c.Spec.Watch = []string{"."}
		}
		return nil
	}
	paths, err := v.words()
	c.Spec.Watch = paths
	return err
}

// readStopCodes takes a list or, as pm2's library sends a list of one, a number.
func readStopCodes(c *Config, v value) error {
	items, ok := v.any.([]any)
	if !ok {
		items = []any{v.any}
	}
	codes := make([]int, len(items))
	for i, item := range items {
		var err error
		if codes[i], err = (value{item}).number(); err != nil {
			return err
		}
	}
	c.Spec.Policy.StopExitCodes = codes
	c.Set["policy.stop_exit_codes"] = true
	return nil
}
