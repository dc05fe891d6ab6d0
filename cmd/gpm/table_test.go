package main

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"gpm/app"
)

// wideList has what is hard to lay out.
func wideList(now time.Time) []app.Status {
	var list []app.Status
	for _, d := range someDetails() {
		d.Since = now.Add(-90 * time.Second)
		list = append(list, d.Status)
	}
	return append(list,
		app.Status{ID: 10000, Name: "日本語のアプリケーション", Namespace: "名前", Mode: app.Fork, State: app.Launching, Version: "10.20.30-beta.4+build", Since: now, PID: 4194304},
		app.Status{ID: 3, Name: strings.Repeat("very-long-name-", 5), Mode: app.Cluster, State: app.Errored, User: "a-user-with-a-long-name", Watching: true,
			Usage: &app.Usage{CPU: 1234.56, RSS: 3 << 40}},
		app.Status{ID: 4, Name: "bad\x1b[31m\nname", Mode: app.Fork, State: app.Stopping, Since: now.Add(-50 * time.Hour)},
	)
}

func TestTableAtWidths(t *testing.T) {
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	for _, width := range []int{0, 200, 120, 90, 60, 40} {
		var b strings.Builder
		if err := processTable(wideList(now), width, now).draw(&b, false); err != nil {
			t.Fatal(err)
		}
		golden(t, fmt.Sprintf("list-%d", width), b.String())
		lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
		for _, line := range lines {
			if w := textWidth(line); w != textWidth(lines[0]) || (width > 40 && w > width) {
				t.Errorf("width %d: a line takes %d columns, the first %d: %s", width, w, textWidth(lines[0]), line)
			}
		}
	}
}

func TestEmptyTable(t *testing.T) {
	var b strings.Builder
	_ = processTable(nil, 80, time.Now()).draw(&b, false)
	golden(t, "list-empty", b.String())
}

func TestColours(t *testing.T) {
	var b strings.Builder
	_ = processTable(wideList(time.Now())[:1], 200, time.Now()).draw(&b, true)
	mustContain(t, "table", b.String(), "\x1b[32monline\x1b[0m", "\x1b[1;36mname\x1b[0m")
}

func TestUptime(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 900 * time.Millisecond: "0s", 90 * time.Second: "90s", 119 * time.Second: "119s", 2 * time.Minute: "2m", 119 * time.Minute: "119m",
		2 * time.Hour: "2h", 47 * time.Hour: "47h", 48 * time.Hour: "2D", 59 * day: "59D", 60 * day: "2M", 729 * day: "24M", 730 * day: "2Y",
	} {
		if got := uptime(d); got != want {
			t.Errorf("%s: %s, want %s", d, got, want)
		}
	}
}

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{
		-5: "0b", 0: "0b", 1023: "1023b", 1024: "1.0kb", 47448064: "45.2mb", 1 << 30: "1.0gb", 3 << 40: "3.0tb", 5 << 50: "5120.0tb",
	} {
		if got := size(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

func TestWidth(t *testing.T) {
	for s, want := range map[string]int{"": 0, "abc": 3, "日本": 4, "e\u0301": 1, "↺": 1, "👍": 2, "ﾊﾝ": 2, "Ｗ": 2, "\u200b": 0} {
		if got := textWidth(s); got != want {
			t.Errorf("%q: %d, want %d", s, got, want)
		}
	}
	for _, tt := range []struct {
		s     string
		width int
		want  string
	}{{"abcdef", 6, "abcdef"}, {"abcdef", 5, "abcd…"}, {"日本語", 4, "日…"}, {"日本語", 5, "日本…"}, {"abc", 1, "…"}} {
		if got := cut(tt.s, tt.width); got != tt.want {
			t.Errorf("cut(%q, %d) = %q, want %q", tt.s, tt.width, got, tt.want)
		}
	}
}

func FuzzCut(f *testing.F) {
	f.Add("日本語 e\u0301\x1b[0m", uint8(3))
	f.Fuzz(func(t *testing.T, s string, width uint8) {
		w := int(width) + 1
		got := cut(clean(s), w)
		if textWidth(got) > w || !utf8.ValidString(got) || strings.ContainsAny(got, "\x1b\n\r\x00") {
			t.Fatalf("cut(%q, %d) = %q", s, w, got)
		}
	})
}

func TestSort(t *testing.T) {
	for field, want := range map[string]string{
		"": "api stuck web", "name:desc": "web stuck api", "id": "api web stuck", "pid:desc": "web api stuck", "cpu": "api stuck web", "memory:desc": "web api stuck",
		"uptime": "api stuck web", "status": "web stuck api", "namespace": "api web stuck", "restarts": "stuck web api",
	} {
		by, err := parseOrder(field)
		if err != nil {
			t.Fatal(err)
		}
		details := someDetails()
		sortBy(by, details, func(d app.Detail) app.Status { return d.Status })
		var names []string
		for _, d := range details {
			names = append(names, d.Name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("by %q: %s, want %s", field, got, want)
		}
	}
	for _, bad := range []string{"colour", "name:up"} {
		if _, err := parseOrder(bad); app.AsError(err).Code != app.CodeInvalid {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestSecrets(t *testing.T) {
	for name, secret := range map[string]bool{
		"API_KEY": true, "githubToken": true, "AWS_SECRET_ACCESS_KEY": true, "DB_PASSWORD": true, "MYSQL_PWD": true, "PASSPHRASE": true, "HTTP_AUTH": true,
		"SENTRY_DSN": true, "apikey": true, "GOOGLE_APPLICATION_CREDENTIALS": true, "SESSION_COOKIE": true, "redis.pass": true,
		"PWD": false, "OLDPWD": false, "KEYBOARD": false, "SSH_AUTH_SOCK": false, "PATH": false, "MONKEY": false, "COMPASS": false, "": false, "_": false,
	} {
		if isSecret(name) != secret {
			t.Errorf("%s: secret is %v, want %v", name, !secret, secret)
		}
	}
	for value, want := range map[string]string{
		"postgres://me:hunter2@db:5432/x?a=b": "postgres://me:" + masked + "@db:5432/x?a=b",
		"http://host/a@b":                     "http://host/a@b",
		"redis://:pw@h and amqp://u:p@h":      "redis://:" + masked + "@h and amqp://u:" + masked + "@h",
	} {
		if got := maskValue("URL", value); got != want {
			t.Errorf("%s: %s, want %s", value, got, want)
		}
	}
	if maskValue("TOKEN", "") != "" || maskValue("TOKEN", "x") != masked {
		t.Error("a token is not masked, or an empty one is")
	}
}

func TestNearest(t *testing.T) {
	names := []string{"start", "stop", "restart", "list", "logs", "delete"}
	for typo, want := range map[string]string{"strat": "start", "sotp": "stop", "lst": "list", "log": "logs", "del": "delete", "xyzzy": "", "LIST": "list", "": ""} {
		if got := nearest(typo, names); got != want {
			t.Errorf("%q: %q, want %q", typo, got, want)
		}
	}
}

// TestNodeColumns: they are there when a process has something to show and the terminal has room.
func TestNodeColumns(t *testing.T) {
	list := wideList(time.Now())
	if _, fits := nodeTable(list, 500, time.Now()); fits {
		t.Error("columns of Node without a Node process")
	}
	list[0].Usage = &app.Usage{Node: &app.NodeUsage{HeapUsed: 5 << 20, HeapTotal: 8 << 20, LoopP50: 0.25, LoopP99: 12}}
	for width, want := range map[int]bool{100: false, 500: true} {
		table, fits := nodeTable(list, width, time.Now())
		if fits != want {
			t.Errorf("at %d columns it fits: %v", width, fits)
		}
		var b strings.Builder
		if err := table.draw(&b, false); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.String(), "5.0/8.0mb") || !strings.Contains(b.String(), "0.2/12.0ms") {
			t.Error(b.String())
		}
	}
}
