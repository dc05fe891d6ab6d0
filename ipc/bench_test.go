package ipc

import (
	"context"
	"fmt"
	"testing"
	"time"

	"gpm/app"
)

// manyStatuses is a list as a busy machine has it.
func manyStatuses(n int) []app.Status {
	list := make([]app.Status, n)
	now := time.Now()
	for i := range list {
		list[i] = app.Status{
			ID: i, App: uint64(i), Name: fmt.Sprintf("service-%d", i), Namespace: "default", Mode: app.Fork, Version: "1.2.3", User: "deploy",
			State: app.Online, Goal: app.Up, PID: 10000 + i, Start: uint64(1e6 + i), Created: now, Since: now, Restarts: i % 7, Seq: 3,
			Exit:  &app.Exit{Code: -1, Signal: "SIGKILL", At: now, Uptime: time.Hour},
			Usage: &app.Usage{CPU: 1.5, RSS: 50 << 20, Processes: 2, Threads: 12, CPUTimeMS: 12345},
		}
	}
	return list
}

// BenchmarkProcesses is a whole list of 5,000 over the socket: encoded, sent, decoded.
func BenchmarkProcesses(b *testing.B) {
	list := manyStatuses(5000)
	home := serve(b, []Route{{"GET /v1/processes", Handle(func(context.Context, ListQuery) ([]app.Status, error) { return list, nil })}})
	c := client(b, home)
	for b.Loop() {
		if got, err := c.Processes(b.Context(), ListQuery{}); err != nil || len(got) != len(list) {
			b.Fatal(len(got), err)
		}
	}
}

// BenchmarkStream is log lines over the socket.
func BenchmarkStream(b *testing.B) {
	const n = 10000
	home := serve(b, []Route{{"POST /v1/logs", Stream(func(_ context.Context, _ app.LogQuery, send func(app.LogLine) error) error {
		for i := range n {
			if err := send(app.LogLine{ID: i, Name: "web", Stream: app.Stdout, Text: "a line of a usual length, with some words in it"}); err != nil {
				return err
			}
		}
		return nil
	})}})
	c := client(b, home)
	for b.Loop() {
		if got, err := collect(c.Logs(b.Context(), app.LogQuery{})); err != nil || len(got) != n {
			b.Fatal(len(got), err)
		}
	}
}
