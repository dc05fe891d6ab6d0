package ecosystem

import (
	"slices"
	"strings"
	"time"

	"gpm/app"
)

// careFields are those by which gpm looks after an app: order, health, schedules, limits, hooks.
func careFields() []Field {
	return []Field{
		{Name: "depends_on", Type: DependsOn, Default: "none", Spec: "depends_on", Doc: "Apps that must be there before: names, name:condition, or an object of name: condition; started, listening, healthy or completed.",
			put: func(s *app.Spec, v any) { s.DependsOn = v.([]app.Dependency) }},
		{Name: "task", Type: Bool, Default: "false", Spec: "policy.task", Doc: "Runs once: exit code 0 is its end, anything else a failure.",
			put: func(s *app.Spec, v any) { s.Policy.Task = v.(bool) }},
		{Name: "schedule", Type: Cron, Default: "none", Spec: "schedule.cron", Doc: "Cron pattern of five fields, or six with seconds, at which the app is run as a job; or an object of settings.", Parts: scheduleParts(),
			put: func(s *app.Spec, v any) { s.Schedule.Cron = v.(string) }},
		{Name: "timezone", Type: Text, Default: "the machine's", Spec: "timezone", Doc: "Time zone of schedule and cron_restart, like Europe/Berlin.",
			put: func(s *app.Spec, v any) { s.Timezone = v.(string) }},
		{Name: "health", Type: Text, Default: "none", Spec: "health", Doc: "Health check: a URL, tcp://host:port, a shell command, or an object of settings. What fails it is replaced.", Parts: healthParts(),
			put: func(s *app.Spec, v any) { putHealth(&s.Health, v.(string)) }},
		{Name: "limits", Type: Object, Default: "none", Doc: "What an instance may use, by cgroup v2.", Parts: limitParts()},
		{Name: "hooks", Type: Hooks, Default: "none", Spec: "hooks", Doc: "What to do on start, exit, errored, unhealthy and limit: a shell command, the URL of a webhook, an object with run or url, timeout and retries, or a list of these.",
			put: func(s *app.Spec, v any) { s.Hooks = v.([]app.Hook) }},
	}
}

func scheduleParts() []Field {
	return []Field{
		{Name: "cron", Type: Cron, Spec: "schedule.cron", Doc: "Cron pattern at which the app is run.",
			put: func(s *app.Spec, v any) { s.Schedule.Cron = v.(string) }},
		{Name: "overlap", Type: Overlap, Default: "skip", Spec: "schedule.overlap", Doc: "What happens when a run is due and the one before goes on: skip, queue or replace.",
			put: func(s *app.Spec, v any) { s.Schedule.Overlap = v.(string) }},
		{Name: "missed", Type: Missed, Default: "skip", Spec: "schedule.missed", Doc: "What happens to runs whose time passed unseen: skip, or once for all of them.",
			put: func(s *app.Spec, v any) { s.Schedule.Missed = v.(string) }},
		{Name: "limit", Type: Duration, Default: "none", Spec: "schedule.limit", Doc: "Milliseconds, or a time like 10m: the longest run.",
			put: func(s *app.Spec, v any) { s.Schedule.Limit = v.(time.Duration) }},
	}
}

func healthParts() []Field {
	return []Field{
		{Name: "http", Type: Text, Spec: "health.http", Doc: "URL that must answer below 400, or a path at $PORT.",
			put: func(s *app.Spec, v any) { s.Health.HTTP = v.(string) }},
		{Name: "tcp", Type: Text, Spec: "health.tcp", Doc: "Address that must accept connections: host:port or a port.",
			put: func(s *app.Spec, v any) { s.Health.TCP = v.(string) }},
		{Name: "exec", Aliases: []string{"cmd", "command"}, Type: Lines, Spec: "health.exec", Doc: "Shell command, or a list of words, that must end with code 0.",
			put: func(s *app.Spec, v any) { s.Health.Exec = v.([]string) }},
		{Name: "interval", Type: Duration, Default: "10s", Spec: "health.interval", Doc: "Milliseconds, or a time like 10s, between two checks.",
			put: func(s *app.Spec, v any) { s.Health.Interval = v.(time.Duration) }},
		{Name: "timeout", Type: Duration, Default: "5s", Spec: "health.timeout", Doc: "Milliseconds, or a time like 5s, that a check may take.",
			put: func(s *app.Spec, v any) { s.Health.Timeout = v.(time.Duration) }},
		{Name: "retries", Type: Count, Default: "3", Spec: "health.retries", Doc: "Failures in a row that make it unhealthy.",
			put: func(s *app.Spec, v any) { s.Health.Retries = v.(int) }},
		{Name: "start_period", Type: Duration, Default: "0", Spec: "health.start_period", Doc: "Milliseconds, or a time like 30s, after a start in which failures do not count.",
			put: func(s *app.Spec, v any) { s.Health.StartPeriod = v.(time.Duration) }},
	}
}

func limitParts() []Field {
	return []Field{
		{Name: "memory", Type: Size, Spec: "limits.memory", Doc: "Bytes, or a size like 512M; an instance that needs more is killed.",
			put: func(s *app.Spec, v any) { s.Limits.Memory = v.(int64) }},
		{Name: "cpu", Type: CPUShare, Spec: "limits.cpu", Doc: "CPU time in CPUs: 0.5, 2 or 150%.",
			put: func(s *app.Spec, v any) { s.Limits.CPU = v.(float64) }},
		{Name: "pids", Type: Count, Spec: "limits.pids", Doc: "Processes and threads.",
			put: func(s *app.Spec, v any) { s.Limits.PIDs = v.(int) }},
		{Name: "io", Type: Size, Spec: "limits.io", Doc: "Bytes a second, or a size like 20M, read from and written to the disk of cwd.",
			put: func(s *app.Spec, v any) { s.Limits.IO = v.(int64) }},
	}
}

// putHealth reads the short form.
func putHealth(h *app.Health, text string) {
	switch {
	case strings.HasPrefix(text, "http://"), strings.HasPrefix(text, "https://"), strings.HasPrefix(text, "/"):
		h.HTTP = text
	case strings.HasPrefix(text, "tcp://"):
		h.TCP = text
	default:
		h.Exec = []string{text}
	}
}

func asCPUShare(n *node, _ int) (any, bool) {
	share, err := app.ParseCPUs(n.text)
	return share, err == nil && (n.kind == text || n.kind == number)
}

// conditions are the words of docker compose besides ours.
var conditions = map[string]app.Condition{
	"": "", "started": app.Started, "listening": app.Listening, "healthy": app.Healthy, "completed": app.Completed,
	"service_started": app.Started, "service_healthy": app.Healthy, "service_completed_successfully": app.Completed,
}

func asDependencies(n *node, _ int) (any, bool) {
	var deps []app.Dependency
	if n.kind != object {
		names, ok := asWords(n, 0)
		if !ok {
			return nil, false
		}
		for _, name := range names.([]string) {
			d, err := app.ParseDependency(name)
			if err != nil {
				return nil, false
			}
			deps = append(deps, d)
		}
		return deps, true
	}
	for _, m := range n.members {
		word := m.value
		if word.kind == object && len(word.members) == 1 && word.members[0].key == "condition" {
			word = word.members[0].value
		}
		c, known := conditions[word.text]
		if !known || word.kind != text && word.kind != null {
			return nil, false
		}
		deps = append(deps, app.Dependency{App: m.key, Condition: c})
	}
	return deps, true
}

func asHooks(n *node, _ int) (any, bool) {
	var hooks []app.Hook
	for _, m := range n.members {
		on := app.HookEvent(m.key)
		if !slices.Contains(app.HookEvents(), on) {
			return nil, false
		}
		for _, one := range listOf(m.value) {
			h, ok := asHook(on, one)
			if !ok {
				return nil, false
			}
			hooks = append(hooks, h)
		}
	}
	return hooks, n.kind == object
}

func listOf(n *node) []*node {
	if n.kind == list {
		return n.items
	}
	return []*node{n}
}

// asHook reads a command, a URL, or an object with one of them.
func asHook(on app.HookEvent, n *node) (app.Hook, bool) {
	h := app.Hook{On: on}
	if n.kind == text {
		if strings.HasPrefix(n.text, "http://") || strings.HasPrefix(n.text, "https://") {
			h.URL = n.text
			return h, true
		}
		h.Run = []string{n.text}
		return h, strings.TrimSpace(n.text) != ""
	}
	ok := n.kind == object
	for _, m := range n.members {
		var v any
		var fits bool
		switch m.key {
		case "run", "command", "exec":
			if v, fits = asLines(m.value, 0); fits {
				h.Run = v.([]string)
			}
		case "url", "webhook":
			if v, fits = asText(m.value, 0); fits {
				h.URL = v.(string)
			}
		case "timeout":
			if v, fits = asDuration(m.value, 0); fits {
				h.Timeout = v.(time.Duration)
			}
		case "retries":
			if v, fits = asCount(m.value, 0); fits {
				h.Retries = v.(int)
			}
		}
		ok = ok && fits
	}
	return h, ok && (h.URL == "") != (len(h.Run) == 0)
}
