package ipc

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"gpm/app"
)

// encodeLine is how the daemon writes it.
func encodeLine(t testing.TB, l app.LogLine) []byte {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(l); err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSpace(b.Bytes())
}

// TestQuickLine: all that the daemon writes is read the quick way.
func TestQuickLine(t *testing.T) {
	at := time.Date(2026, 11, 26, 3, 4, 5, 6000, time.UTC)
	for _, want := range []app.LogLine{
		{},
		{ID: 12, Name: "api", Stream: app.Stdout, Text: "hello"},
		{ID: 12, Name: "a\"pi", Stream: app.Stderr, At: at, Text: "\x1b[31mred\x1b[0m é \\ \" </a> \x00 \u2028", Cut: true},
		{Name: "api", Stream: app.Stdout, File: "/var/log/a b.log", Place: "1.2.3", Mark: true},
	} {
		if got, ok := quickLine(encodeLine(t, want)); !ok || got != want {
			t.Errorf("%+v became %+v, %v", want, got, ok)
		}
	}
}

// FuzzQuickLine: what is read the quick way is what encoding/json reads.
func FuzzQuickLine(f *testing.F) {
	f.Add([]byte(`{"id":1,"name":"a","stream":"out","at":"2026-11-26T03:04:05Z","text":"x\u001b","cut":true,"file":"f","place":"p","mark":true}`))
	f.Add([]byte(`{"id":01,"name":"a","stream":"out","text":"\ud800"}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		got, ok := quickLine(line)
		if !ok {
			return
		}
		var want app.LogLine
		if err := json.Unmarshal(line, &want); err != nil || got != want {
			t.Errorf("%q became %+v, not %+v, %v", line, got, want, err)
		}
	})
}

func BenchmarkLogLine(b *testing.B) {
	line := encodeLine(b, app.LogLine{Name: "api", Stream: app.Stdout, At: time.Now(), Text: string(bytes.Repeat([]byte("x"), 99))})
	b.Run("quick", func(b *testing.B) {
		for b.Loop() {
			if _, err := decodeLine[app.LogLine](line); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("json", func(b *testing.B) {
		for b.Loop() {
			var l app.LogLine
			if err := json.Unmarshal(line, &l); err != nil {
				b.Fatal(err)
			}
		}
	})
}
