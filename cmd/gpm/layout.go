package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"gpm/app"
)

// field is a column of the list and what a process shows in it.
type field struct {
	column
	show func(s app.Status, now time.Time) cell
}

// processTable lays the list out in the widest of three forms that fits the terminal; width 0, which is
// a pipe, takes the widest.
func processTable(list []app.Status, width int, now time.Time) table {
	var t table
	for _, fields := range [][]field{fullFields(), condensedFields(), miniFields()} {
		t = tableOf(fields, list, now)
		if width == 0 || t.width() <= width {
			return t
		}
	}
	for i := range t.columns {
		t.columns[i].least = 0
	}
	// Then the name gives way.
	t.columns[1].most = max(6, t.widths()[1]-(t.width()-width))
	return t
}

// nodeTable has two more columns, about Node's heap and event loop, when there are such processes and the terminal is
// wide enough.
func nodeTable(list []app.Status, width int, now time.Time) (t table, fits bool) {
	if !slices.ContainsFunc(list, func(s app.Status) bool { return usageOf(s).Node != nil }) {
		return t, false
	}
	fields := fullFields()
	at := slices.IndexFunc(fields, func(f field) bool { return f.title == "mem" }) + 1
	t = tableOf(slices.Insert(fields, at, heapField(), loopField()), list, now)
	return t, t.width() <= width
}

func heapField() field {
	return field{column{title: "heap"}, func(s app.Status, _ time.Time) cell {
		if n := usageOf(s).Node; n != nil {
			return cell{strings.TrimSuffix(size(n.HeapUsed), "mb") + "/" + size(n.HeapTotal), plain}
		}
		return cell{"-", grey}
	}}
}

// loopField is how late the event loop was: usually, and at worst of a hundred.
func loopField() field {
	return field{column{title: "loop p50/p99"}, func(s app.Status, _ time.Time) cell {
		if n := usageOf(s).Node; n != nil {
			return cell{fmt.Sprintf("%.1f/%.1fms", n.LoopP50, n.LoopP99), plain}
		}
		return cell{"-", grey}
	}}
}

func tableOf(fields []field, list []app.Status, now time.Time) table {
	t := table{rows: make([][]cell, len(list))}
	for _, f := range fields {
		t.columns = append(t.columns, f.column)
	}
	for i, s := range list {
		t.rows[i] = make([]cell, len(fields))
		for j, f := range fields {
			t.rows[i][j] = f.show(s, now)
		}
	}
	return t
}

func fullFields() []field {
	return []field{
		idField(), nameField(),
		{column{title: "namespace", least: 13, most: 24}, func(s app.Status, _ time.Time) cell { return cell{clean(s.Namespace), plain} }},
		{column{title: "version", least: 9, most: 14}, func(s app.Status, _ time.Time) cell { return cell{clean(orNA(s.Version)), plain} }},
		modeField(9),
		{column{title: "pid", least: 10}, func(s app.Status, _ time.Time) cell { return cell{strconv.Itoa(s.PID), plain} }},
		{column{title: "uptime", least: 8}, func(s app.Status, now time.Time) cell { return cell{shownUptime(s, now), plain} }},
		restartsField(), statusField(), cpuField(10), memoryField("mem"),
		{column{title: "user", least: 10, most: 16}, func(s app.Status, _ time.Time) cell { return cell{clean(s.User), bold} }},
		{column{title: "watching", least: 10}, watchingCell},
	}
}

func condensedFields() []field {
	return []field{idField(), nameField(), modeField(10), restartsField(), statusField(), cpuField(10), memoryField("memory")}
}

func miniFields() []field {
	return []field{idField(), nameField(), statusField(), cpuField(8), memoryField("mem")}
}

func idField() field {
	return field{column{title: "id", least: 4}, func(s app.Status, _ time.Time) cell { return cell{strconv.Itoa(s.ID), head} }}
}

func nameField() field {
	return field{column{title: "name", most: 40, extra: 3}, func(s app.Status, _ time.Time) cell { return cell{clean(s.Name), plain} }}
}

func modeField(least int) field {
	return field{column{title: "mode", least: least}, func(s app.Status, _ time.Time) cell { return cell{string(s.Mode), plain} }}
}

func restartsField() field {
	return field{column{title: "↺", least: 6}, func(s app.Status, _ time.Time) cell { return cell{strconv.Itoa(s.Restarts), plain} }}
}

func statusField() field {
	return field{column{title: "status", least: 11}, func(s app.Status, _ time.Time) cell { return cell{s.State.String(), stateStyle(s.State)} }}
}

func cpuField(least int) field {
	return field{column{title: "cpu", least: least}, func(s app.Status, _ time.Time) cell { return cell{percent(usageOf(s).CPU), plain} }}
}

func memoryField(title string) field {
	return field{column{title: title, least: 10}, func(s app.Status, _ time.Time) cell { return cell{size(usageOf(s).RSS), plain} }}
}

func watchingCell(s app.Status, _ time.Time) cell {
	if s.Watching {
		return cell{"enabled", green}
	}
	return cell{"disabled", grey}
}

func stateStyle(s app.State) style {
	switch s {
	case app.Online:
		return green
	case app.Launching:
		return blue
	}
	return red
}

func shownUptime(s app.Status, now time.Time) string {
	if !s.State.HasChild() {
		return "0"
	}
	return uptime(s.Uptime(now))
}

func usageOf(s app.Status) app.Usage {
	if s.Usage == nil {
		return app.Usage{}
	}
	return *s.Usage
}

func orNA(s string) string {
	if s == "" {
		return "N/A"
	}
	return s
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}
