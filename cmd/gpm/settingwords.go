package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"gpm/app"
)

// healthWords says how the health of a process is checked, and what was found.
func healthWords(d app.Detail) string {
	h := d.Spec.Health
	if h.Probe().IsZero() {
		return ""
	}
	h = h.WithDefaults()
	found := "not passed yet"
	switch {
	case d.State == app.Unhealthy:
		found = "fails"
	case d.Healthy:
		found = "passes"
	case d.PID == 0:
		found = "not running"
	}
	return fmt.Sprintf("%s every %s, %s", h.Probe(), span(h.Interval), found)
}

func limitWords(s app.Spec) string {
	var words []string
	if s.MaxMemoryRestart > 0 {
		words = append(words, "restart above "+size(s.MaxMemoryRestart))
	}
	if s.Limits.Memory > 0 {
		words = append(words, "memory "+size(s.Limits.Memory))
	}
	if s.Limits.CPU > 0 {
		words = append(words, fmt.Sprintf("%g CPUs", s.Limits.CPU))
	}
	if s.Limits.PIDs > 0 {
		words = append(words, fmt.Sprintf("%d processes", s.Limits.PIDs))
	}
	if s.Limits.IO > 0 {
		words = append(words, size(s.Limits.IO)+"/s of disk")
	}
	for _, name := range slices.Sorted(maps.Keys(s.Rlimits)) {
		words = append(words, name+" "+s.Rlimits[name])
	}
	if s.Nice != nil {
		words = append(words, fmt.Sprintf("nice %d", *s.Nice))
	}
	if s.OOMScoreAdj != nil {
		words = append(words, fmt.Sprintf("oom_score_adj %d", *s.OOMScoreAdj))
	}
	return strings.Join(words, ", ")
}

// pressureWords says how much of the last ten seconds something had to wait.
func pressureWords(p *app.Pressure) string {
	if p == nil {
		return ""
	}
	return fmt.Sprintf("cpu %.1f%%, memory %.1f%%, io %.1f%% of the last 10s waited", p.CPU, p.Memory, p.IO)
}

func dependencyWords(s app.Spec) string {
	words := make([]string, len(s.DependsOn))
	for i, d := range s.DependsOn {
		words[i] = d.String()
	}
	return strings.Join(words, ", ")
}

func scheduleWords(s app.Spec) string {
	j := s.Schedule
	if j.Cron == "" {
		return ""
	}
	words := strings.TrimSpace(j.Cron + " " + s.Timezone)
	if j.Overlap != "" {
		words += ", overlap " + string(j.Overlap)
	}
	if j.Missed != "" {
		words += ", missed " + string(j.Missed)
	}
	if j.Limit > 0 {
		words += ", at most " + span(j.Limit)
	}
	return words
}

// cronWords says when an app is restarted.
func cronWords(s app.Spec) string {
	if s.CronRestart == "" || s.CronRestart == "0" {
		return ""
	}
	return strings.TrimSpace(s.CronRestart + " " + s.Timezone)
}
