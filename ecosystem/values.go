package ecosystem

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// converter turns a node into the Go value of a Type; ok is false when the node holds something else.
type converter func(n *node, cpus int) (v any, ok bool)

// converters are in the order of the types.
var converters = [...]converter{
	Text:        asText,
	Bool:        asBool,
	Count:       asCount,
	Number:      asNumber,
	Duration:    asDuration,
	Size:        asSize,
	Words:       asWords,
	Lines:       asLines,
	Codes:       func(n *node, _ int) (any, bool) { return asInts(n, 255) },
	CPUs:        func(n *node, _ int) (any, bool) { return asInts(n, 8191) },
	Limits:      asLimits,
	Object:      asObject,
	Instances:   asInstances,
	Mode:        asMode,
	LogType:     oneOf("raw", "json"),
	Compress:    oneOf("gzip", "zstd", "none"),
	Driver:      oneOf("journald", "syslog", "stdout"),
	Cron:        asCron,
	Signal:      asSignal,
	BoolOrText:  asBoolOrText,
	BoolOrWords: asBoolOrWords,
	Readiness:   asReady,
	Autoscaling: asAutoscale,
	Environment: func(n *node, _ int) (any, bool) { return n, n.kind == object || n.kind == text },
	CPUShare:    asCPUShare,
	Overlap:     oneOf("skip", "queue", "replace"),
	Missed:      oneOf("skip", "once"),
	DependsOn:   asDependencies,
	Hooks:       asHooks,
	Anything:    func(n *node, _ int) (any, bool) { return n.plain(), true },
}

func oneOf(words ...string) converter {
	return func(n *node, _ int) (any, bool) { return n.text, n.kind == text && slices.Contains(words, n.text) }
}

func asText(n *node, _ int) (any, bool) {
	return n.text, n.kind == text && !strings.ContainsRune(n.text, 0) || n.kind == number
}

func asBool(n *node, _ int) (any, bool) {
	if n.kind == text && (n.text == "true" || n.text == "false") {
		return n.text == "true", true
	}
	return n.yes, n.kind == boolean
}

func asNumber(n *node, _ int) (any, bool) {
	i, err := strconv.Atoi(strings.TrimSpace(n.text))
	return i, err == nil && (n.kind == number || n.kind == text)
}

func asCount(n *node, _ int) (any, bool) {
	v, ok := asNumber(n, 0)
	return v, ok && v.(int) >= 0 && v.(int) <= math.MaxInt32
}

// durationUnits are those that pm2 knows, and days.
var durationUnits = []struct {
	suffix string
	unit   time.Duration
}{{"ms", time.Millisecond}, {"s", time.Second}, {"m", time.Minute}, {"h", time.Hour}, {"d", 24 * time.Hour}}

func asDuration(n *node, _ int) (any, bool) {
	if n.kind != number && n.kind != text {
		return nil, false
	}
	s, unit := strings.TrimSpace(n.text), time.Millisecond
	for _, u := range durationUnits {
		if digits, ok := strings.CutSuffix(s, u.suffix); ok {
			s, unit = strings.TrimSpace(digits), u.unit
			break
		}
	}
	if strings.Trim(s, "0123456789.") != "" {
		return nil, false
	}
	f, err := strconv.ParseFloat(s, 64)
	f *= float64(unit)
	const most = float64(10 * 365 * 24 * time.Hour)
	return time.Duration(f), err == nil && f <= most
}

func asSize(n *node, _ int) (any, bool) {
	if n.kind != number && n.kind != text {
		return nil, false
	}
	s := strings.TrimSpace(n.text)
	digits := strings.TrimRight(s, "KMGTBIkmgtbi")
	shift := 0
	switch strings.TrimSuffix(strings.TrimSuffix(strings.ToUpper(s[len(digits):]), "B"), "I") {
	case "":
		if s != digits {
			return nil, false
		}
	case "K":
		shift = 10
	case "M":
		shift = 20
	case "G":
		shift = 30
	case "T":
		shift = 40
	default:
		return nil, false
	}
	size, err := strconv.ParseInt(digits, 10, 64)
	return size << shift, err == nil && isDigits(digits) && size <= math.MaxInt64>>shift
}

// asWords takes a list of scalars, or a string of words.
func asWords(n *node, _ int) (any, bool) {
	if n.kind == text {
		words, err := SplitWords(n.text)
		return words, err == nil && !strings.ContainsRune(n.text, 0)
	}
	if n.kind == number {
		return []string{n.text}, true
	}
	words := make([]string, 0, len(n.items))
	for _, item := range n.items {
		if item.kind != text && item.kind != number && item.kind != boolean || strings.ContainsRune(item.text, 0) {
			return nil, false
		}
		words = append(words, item.variable())
	}
	return words, n.kind == list
}

// asLines takes a list, or a string that is the only line.
func asLines(n *node, _ int) (any, bool) {
	if n.kind == text {
		n = &node{kind: list, items: []*node{n}}
	}
	return asWords(n, 0)
}

// asInts takes one number, a list of them, or a string with several.
func asInts(n *node, most int) (any, bool) {
	items := n.items
	switch n.kind {
	case number:
		items = []*node{n}
	case text:
		for _, word := range strings.FieldsFunc(n.text, func(r rune) bool { return r == ',' || unicode.IsSpace(r) }) {
			items = append(items, &node{kind: text, text: word})
		}
	case list:
	default:
		return nil, false
	}
	out := make([]int, 0, len(items))
	for _, item := range items {
		v, ok := asNumber(item, 0)
		if !ok || v.(int) < 0 || v.(int) > most {
			return nil, false
		}
		out = append(out, v.(int))
	}
	return out, true
}

func asLimits(n *node, _ int) (any, bool) {
	out := make(map[string]string, len(n.members))
	for _, m := range n.members {
		if m.value.kind != text && m.value.kind != number {
			return nil, false
		}
		out[m.key] = m.value.text
	}
	return out, n.kind == object
}

func asObject(n *node, _ int) (any, bool) { return n.plain(), n.kind == object }

// maxInstances of one app: the size gpm is made for.
const maxInstances = 10_000

// asInstances counts as pm2: 0 and max are one for each CPU, a negative number leaves so many CPUs out. A
// percentage of the CPUs is gpm's own.
func asInstances(n *node, cpus int) (any, bool) {
	s := strings.TrimSpace(n.text)
	if n.kind != number && n.kind != text {
		return nil, false
	}
	if s == "max" {
		return max(1, cpus), true
	}
	if digits, ok := strings.CutSuffix(s, "%"); ok {
		p, err := strconv.Atoi(digits)
		return max(1, cpus*p/100), err == nil && p > 0 && p <= 1000
	}
	i, err := strconv.Atoi(s)
	if err != nil || i > maxInstances || i < -maxInstances {
		return nil, false
	}
	if i <= 0 {
		i = max(1, cpus+i)
	}
	return i, true
}

func asMode(n *node, _ int) (any, bool) {
	mode := strings.TrimSuffix(n.text, "_mode")
	return mode, n.kind == text && (mode == "fork" || mode == "cluster")
}

// asCron checks the shape only; what the fields mean is the scheduler's business.
func asCron(n *node, _ int) (any, bool) {
	if n.kind == number && n.text == "0" || n.kind == boolean && !n.yes {
		return "0", true
	}
	fields := strings.Fields(n.text)
	named := strings.HasPrefix(n.text, "@") && len(fields) == 1 || len(fields) == 2 && fields[0] == "@every"
	ok := n.kind == text && (len(fields) == 5 || len(fields) == 6 || n.text == "0" || named)
	for _, f := range fields {
		ok = ok && strings.IndexFunc(f, func(r rune) bool {
			return !strings.ContainsRune("*/,-?#@.", r) && !('0' <= r && r <= '9') && !('a' <= r && r <= 'z') && !('A' <= r && r <= 'Z')
		}) < 0
	}
	return strings.TrimSpace(n.text), ok
}

// asSignal takes TERM and SIGTERM in any case, and a number.
func asSignal(n *node, _ int) (any, bool) {
	name := strings.ToUpper(strings.TrimSpace(n.text))
	if n.kind == number || isDigits(name) {
		return name, isDigits(name)
	}
	if !strings.HasPrefix(name, "SIG") {
		name = "SIG" + name
	}
	letters := strings.TrimLeft(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-")
	return name, n.kind == text && letters == "" && len(name) > len("SIG")
}

func asBoolOrText(n *node, _ int) (any, bool) {
	if v, ok := asBool(n, 0); ok {
		return v, true
	}
	return n.text, n.kind == text
}

// asBoolOrWords keeps a single string whole: it is a path or a name.
func asBoolOrWords(n *node, _ int) (any, bool) {
	if v, ok := asBool(n, 0); ok {
		return v, true
	}
	if n.kind == number {
		return nil, false
	}
	return asWords(n, 0)
}
