package ecosystem

import (
	"strings"
	"time"

	"gpm/app"
)

// clusterFields are how the instances of an app share their work, and when one of them counts. None are pm2's.
func clusterFields() []Field {
	return []Field{
		{Name: "listen", Type: Words, Default: "none", Spec: "listen", Doc: "Addresses whose sockets the instances get by LISTEN_FDS: tcp://:8000, unix:///path, udp://:53.",
			put: func(s *app.Spec, v any) { s.Listen = v.([]string) }},
		{Name: "sticky", Type: Text, OneOf: []string{"ip"}, Default: "none", Spec: "sticky", Doc: "ip keeps the connections of a client with one worker.",
			put: func(s *app.Spec, v any) { s.Sticky = app.Sticky(v.(string)) }},
		{Name: "shared_socket", Type: Bool, Default: "false", Spec: "shared_socket", Doc: "One listening socket for all workers instead of one for each.",
			put: func(s *app.Spec, v any) { s.SharedSocket = v.(bool) }},
		{Name: "cpu_affinity", Type: Text, OneOf: []string{"spread"}, Default: "none", Spec: "cpu_affinity", Doc: "spread pins the instances to one CPU each, in turn.",
			put: func(s *app.Spec, v any) { s.CPUAffinity = app.Affinity(v.(string)) }},
		{Name: "agent", Type: Bool, Default: "true", Spec: "no_agent", Doc: "Whether gpm's agent is preloaded into Node: figures, profiles, draining on a reload.",
			put: func(s *app.Spec, v any) { s.NoAgent = !v.(bool) }},
		{Name: "hang_limit", Type: Duration, Default: "none", Spec: "policy.hang_limit", Doc: "Milliseconds, or a time like 5s: a Node process whose event loop does not turn for so long is replaced.",
			put: func(s *app.Spec, v any) { s.Policy.HangLimit = v.(time.Duration) }},
		{Name: "ready", Type: Readiness, Default: "none", Spec: "policy.ready", Doc: "When the app counts as online: notify (READY=1), a time like 5s, tcp:PORT, an http URL or its path, exec:COMMAND; or an object of notify, delay, tcp, http or exec.",
			put: func(s *app.Spec, v any) { s.Policy.Ready = v.(app.Ready) }},
		{Name: "autoscale", Type: Autoscaling, Default: "none", Spec: "autoscale", Doc: "Keeps the number of instances between two bounds: 1-8, or an object of min, max, target (percent), metric (loop or cpu) and cooldown.",
			put: func(s *app.Spec, v any) { s.Autoscale = v.(app.Autoscale) }},
	}
}

// asReady takes what --ready does, or an object with one way.
func asReady(n *node, _ int) (any, bool) {
	if n.kind == text || n.kind == number {
		r, err := app.ParseReady(n.text)
		return r, err == nil
	}
	if n.kind != object || len(n.members) != 1 {
		return nil, false
	}
	var r app.Ready
	v, ok := n.members[0].value, true
	switch n.members[0].key {
	case "http":
		r.HTTP, ok = v.text, v.kind == text
	case "tcp":
		r.TCP, ok = v.text, v.kind == text || v.kind == number
	case "exec":
		var words any
		if v.kind == text {
			words = []string{v.text} // a line for the shell
		} else {
			words, ok = asWords(v, 0)
		}
		r.Exec, _ = words.([]string)
	case "notify":
		r.Notify, ok = v.yes, v.kind == boolean && v.yes
	case "delay":
		var d any
		d, ok = asDuration(v, 0)
		r.Delay, _ = d.(time.Duration)
	}
	return r, ok && !r.IsZero()
}

// asAutoscale takes what --autoscale does, or an object.
func asAutoscale(n *node, cpus int) (any, bool) {
	if n.kind == text {
		a, err := app.ParseAutoscale(n.text)
		return a, err == nil
	}
	var a app.Autoscale
	ok := n.kind == object || n.kind == boolean && !n.yes
	for _, m := range n.members {
		var v any
		given := false
		switch m.key {
		case "min":
			v, given = asInstances(m.value, cpus)
			a.Min, _ = v.(int)
		case "max":
			v, given = asInstances(m.value, cpus)
			a.Max, _ = v.(int)
		case "target":
			v, given = asCount(&node{kind: text, text: strings.TrimSuffix(m.value.text, "%")}, 0)
			a.Target, _ = v.(int)
		case "metric":
			given = m.value.kind == text
			a.Metric = app.ScaleMetric(m.value.text)
		case "cooldown":
			v, given = asDuration(m.value, 0)
			a.Cooldown, _ = v.(time.Duration)
		}
		ok = ok && given
	}
	return a, ok && a.Check() == nil
}
