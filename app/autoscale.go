package app

import (
	"strconv"
	"strings"
	"time"
)

// Autoscale keeps the number of instances of an app between two bounds, by how busy they are. The zero value
// leaves the number alone.
type Autoscale struct {
	Min      int           `json:"min,omitempty"`
	Max      int           `json:"max,omitempty"`
	Metric   ScaleMetric   `json:"metric,omitempty"`   // "" = loop for Node processes with an agent, cpu for others
	Target   int           `json:"target,omitempty"`   // percent that an instance should be busy; 0 = 70
	Cooldown time.Duration `json:"cooldown,omitempty"` // between two changes, and for how long fewer must be enough; 0 = 30 s
}

// ScaleMetric is what says how busy an instance is.
type ScaleMetric string

// The metrics.
const (
	ScaleByLoop ScaleMetric = "loop" // utilisation of Node's event loop
	ScaleByCPU  ScaleMetric = "cpu"  // share of one CPU
)

// IsZero says that the number of instances is left alone.
func (a Autoscale) IsZero() bool { return a == Autoscale{} }

// WithDefaults fills in what is not said.
func (a Autoscale) WithDefaults() Autoscale {
	if a.Min == 0 {
		a.Min = 1
	}
	if a.Metric == "" {
		a.Metric = ScaleByCPU
	}
	if a.Target == 0 {
		a.Target = 70
	}
	if a.Cooldown == 0 {
		a.Cooldown = 30 * time.Second
	}
	return a
}

// Check says what is wrong with it.
func (a Autoscale) Check() error {
	switch d := a.WithDefaults(); {
	case a.IsZero():
		return nil
	case d.Min < 1 || d.Max < d.Min:
		return Errorf(CodeInvalid, "cannot scale between %d and %d instances", d.Min, d.Max).WithHint("min is at least 1, and max not less")
	case d.Target < 1 || d.Target > 99:
		return Errorf(CodeInvalid, "cannot scale to %d%%: the target is 1 to 99", d.Target)
	case d.Metric != ScaleByLoop && d.Metric != ScaleByCPU:
		return Errorf(CodeInvalid, "cannot scale by %q", d.Metric).WithHint("metrics are loop, the utilisation of Node's event loop, and cpu")
	case d.Cooldown < time.Second:
		return Errorf(CodeInvalid, "cannot scale with a cooldown of %s: at least a second is needed", d.Cooldown)
	}
	return nil
}

// String is as it is typed.
func (a Autoscale) String() string {
	if a.IsZero() {
		return "off"
	}
	d := a.WithDefaults()
	text := strconv.Itoa(d.Min) + "-" + strconv.Itoa(d.Max) + ",target=" + strconv.Itoa(d.Target)
	if a.Metric != "" {
		text += ",metric=" + string(a.Metric)
	}
	return text + ",cooldown=" + d.Cooldown.String()
}

// ParseAutoscale reads "1-8", and settings after it: "1-8,target=60,metric=loop,cooldown=1m"; "off" is none.
func ParseAutoscale(text string) (a Autoscale, err error) {
	if text == "off" || text == "false" {
		return a, nil
	}
	for i, part := range strings.Split(text, ",") {
		key, value, given := strings.Cut(strings.TrimSpace(part), "=")
		if i == 0 && !given {
			err = a.bounds(key)
		} else {
			err = a.set(key, value)
		}
		if err != nil {
			return a, Errorf(CodeInvalid, "cannot scale by %q: %w", text, err).
				WithHint("give the bounds, and settings after them: 1-8,target=70,metric=loop,cooldown=30s")
		}
	}
	return a, a.Check()
}

func (a *Autoscale) bounds(text string) (err error) {
	low, high, isRange := strings.Cut(text, "-")
	if a.Min, err = strconv.Atoi(low); err == nil && isRange {
		a.Max, err = strconv.Atoi(high)
	}
	if err != nil || !isRange || a.Min < 1 {
		return Errorf(CodeInvalid, "%q are no bounds", text)
	}
	return nil
}

func (a *Autoscale) set(key, value string) (err error) {
	switch key {
	case "min":
		a.Min, err = strconv.Atoi(value)
	case "max":
		a.Max, err = strconv.Atoi(value)
	case "target":
		a.Target, err = strconv.Atoi(strings.TrimSuffix(value, "%"))
	case "metric":
		a.Metric = ScaleMetric(value)
	case "cooldown":
		a.Cooldown, err = time.ParseDuration(value)
	default:
		return Errorf(CodeInvalid, "there is no setting %q", key)
	}
	if err != nil {
		return Errorf(CodeInvalid, "%q is no %s", value, key)
	}
	return nil
}
