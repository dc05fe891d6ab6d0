package main

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"gpm/app"
)

// order is how a list is sorted.
type order struct {
	compare func(a, b app.Status) int
	reverse bool
}

// parseOrder reads field[:asc|desc]; "" is by name.
func parseOrder(s string) (order, error) {
	name, direction, _ := strings.Cut(s, ":")
	compare, ok := orders()[cmp.Or(name, "name")]
	if !ok {
		return order{}, app.Errorf(app.CodeInvalid, "cannot sort by %q: no such field", name).
			WithHint("fields: name, namespace, id, pid, cpu, memory, uptime, status, restarts")
	}
	if direction != "" && direction != "asc" && direction != "desc" {
		return order{}, app.Errorf(app.CodeInvalid, "cannot sort %q: neither asc nor desc", direction)
	}
	return order{compare, direction == "desc"}, nil
}

func orders() map[string]func(a, b app.Status) int {
	now := time.Now()
	memory := func(a, b app.Status) int { return cmp.Compare(usageOf(a).RSS, usageOf(b).RSS) }
	return map[string]func(a, b app.Status) int{
		"name":      func(a, b app.Status) int { return cmp.Compare(a.Name, b.Name) },
		"namespace": func(a, b app.Status) int { return cmp.Compare(a.Namespace, b.Namespace) },
		"id":        func(a, b app.Status) int { return cmp.Compare(a.ID, b.ID) },
		"pid":       func(a, b app.Status) int { return cmp.Compare(a.PID, b.PID) },
		"cpu":       func(a, b app.Status) int { return cmp.Compare(usageOf(a).CPU, usageOf(b).CPU) },
		"memory":    memory, "mem": memory,
		"uptime":   func(a, b app.Status) int { return cmp.Compare(a.Uptime(now), b.Uptime(now)) },
		"status":   func(a, b app.Status) int { return cmp.Compare(a.State.String(), b.State.String()) },
		"restarts": func(a, b app.Status) int { return cmp.Compare(a.Restarts, b.Restarts) },
	}
}

// itself is for lists of what is sorted by.
func itself(s app.Status) app.Status { return s }

// sortBy sorts by an order, equals by id.
func sortBy[T any](o order, list []T, status func(T) app.Status) {
	slices.SortFunc(list, func(x, y T) int {
		a, b := status(x), status(y)
		n := o.compare(a, b)
		if o.reverse {
			n = -n
		}
		return cmp.Or(n, cmp.Compare(a.ID, b.ID))
	})
}
