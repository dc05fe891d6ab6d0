package channel

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// recorder is a sink that keeps copies.
type recorder struct {
	lines []string
	heads []string
}

func (r *recorder) line(b []byte, _ bool) { r.lines = append(r.lines, string(b)) }
func (r *recorder) tooLong(head []byte)   { r.heads = append(r.heads, string(head)) }

func TestLinesDropsWhatIsTooLongAndGoesOn(t *testing.T) {
	for _, step := range []int{1, 3, 7, 1000} {
		var got recorder
		l := lines{max: 10}
		text := []byte("0123456789\n" + strings.Repeat("x", 25) + "\nshort\n12345678901\nend\nhalf")
		for len(text) > 0 {
			n := min(step, len(text))
			l.feed(text[:n], &got)
			text = text[n:]
		}
		if want := "0123456789|short|end"; strings.Join(got.lines, "|") != want {
			t.Errorf("step %d: lines %q", step, got.lines)
		}
		if len(got.heads) != 2 || !strings.HasPrefix(got.heads[0], "xxxxxxxxxx") {
			t.Errorf("step %d: too long: %q", step, got.heads)
		}
		if string(l.rest) != "half" {
			t.Errorf("step %d: rest %q", step, l.rest)
		}
	}
}

func TestLinesGivesLargeBuffersBack(t *testing.T) {
	var got recorder
	l := lines{max: 1 << 20}
	l.feed(make([]byte, 1<<19), &got)
	l.feed([]byte("\n"), &got)
	if len(got.lines) != 1 || cap(l.rest) > keepSize {
		t.Errorf("%d lines, %d bytes kept", len(got.lines), cap(l.rest))
	}
}

func TestParse(t *testing.T) {
	for _, c := range []struct {
		line string
		f    Framing
		want class
		body string
	}{
		{"", Plain, classBlank, ""},
		{"  \r", Plain, classBlank, ""},
		{`"ready"`, Plain, classApp, `"ready"`},
		{`null`, Plain, classApp, `null`},
		{`{"cmd":"NODE_"}`, Plain, classApp, `{"cmd":"NODE_"}`},
		{`{"cmd":"NODE_CLUSTER","act":"online"}`, Plain, classCluster, `{"cmd":"NODE_CLUSTER","act":"online"}`},
		{`{"act":"online","cmd":"NODE_CLUSTER"}`, Plain, classCluster, `{"act":"online","cmd":"NODE_CLUSTER"}`},
		{`{ "cmd" : "NODE_CLUSTER" }`, Plain, classCluster, `{ "cmd" : "NODE_CLUSTER" }`},
		{`{"Cmd":"NODE_CLUSTER"}`, Plain, classApp, `{"Cmd":"NODE_CLUSTER"}`},
		{`{"c\u006dd":"NODE_CLUSTER"}`, Plain, classCluster, `{"c\u006dd":"NODE_CLUSTER"}`},
		{`{"cmd":5}`, Plain, classApp, `{"cmd":5}`},
		{`{"cmd":"NODE_X"}`, Plain, classInternal, `{"cmd":"NODE_X"}`},
		{`{"cmd":"NODE_HANDLE_ACK"}`, Plain, classAck, ""},
		{`{"cmd":"NODE_HANDLE_NACK"}`, Plain, classNack, ""},
		{`{"cmd":"NODE_HANDLE","type":"net.Socket","msg":{"a":1}}`, Plain, classHandle, `{"a":1}`},
		{`{"cmd":"NODE_HANDLE","type":7}`, Plain, classHandle, `null`},
		{`{"cmd":"NODE_CLUSTER"`, Plain, classGarbage, `{"cmd":"NODE_CLUSTER"`},
		{`[1,`, Plain, classGarbage, `[1,`},
		{"\x02" + `{"cmd":"NODE_CLUSTER"}`, Bun, classCluster, `{"cmd":"NODE_CLUSTER"}`},
		{`{"cmd":"NODE_CLUSTER"}`, Bun, classApp, `{"cmd":"NODE_CLUSTER"}`},
		{"\x02", Bun, classGarbage, ""},
		{"\x02" + `{"cmd":"NODE_CLUSTER"}`, Plain, classGarbage, "\x02" + `{"cmd":"NODE_CLUSTER"}`},
	} {
		p := parse([]byte(c.line), c.f)
		if p.class != c.want || string(p.body) != c.body {
			t.Errorf("%q: class %d body %q, want %d %q", c.line, p.class, p.body, c.want, c.body)
		}
	}
}

func TestEncodeNeverMakesALineThatKillsNode(t *testing.T) {
	for _, bad := range []string{"", " ", "\n", "{", "undefined", "'a'", `"a` + "\n" + `b"`, "1 2", "\x02{}"} {
		if line, err := encode([]byte(bad), Plain); err == nil {
			t.Errorf("%q became %q", bad, line)
		}
	}
	line, err := encode([]byte("{\n\"a\": [1,\n2]\n}\n"), Bun)
	if err != nil || string(line) != "\x02"+`{"a":[1,2]}`+"\n" {
		t.Errorf("got %q, %v", line, err)
	}
}

// FuzzLines: whatever a process writes, and however it is cut, gives the same lines as a
// plain split, within the limit, and every one is understood without a crash.
func FuzzLines(f *testing.F) {
	f.Add([]byte("{\"cmd\":\"NODE_CLUSTER\"}\n\n\"ready\"\nhalf"), uint8(3), uint8(30), false)
	f.Add([]byte("\x02{\"cmd\":\"NODE_HANDLE\"}\n{\"cmd\":\"NODE_HANDLE\",\"msg\":\n}"), uint8(1), uint8(5), true)
	f.Add([]byte("{\"\\u0063md\":\"NODE_A\"}\n[[[[\n\xff\xfe\n"), uint8(200), uint8(200), false)
	f.Fuzz(func(t *testing.T, text []byte, step, limit uint8, bun bool) {
		var got recorder
		l := lines{max: int(limit)}
		for rest := text; len(rest) > 0; {
			n := min(int(step)+1, len(rest))
			l.feed(rest[:n], &got)
			rest = rest[n:]
			if len(l.rest) > l.max {
				t.Fatalf("keeps %d bytes, limit %d", len(l.rest), l.max)
			}
		}
		var want []string
		split := bytes.Split(text, []byte("\n"))
		for _, line := range split[:len(split)-1] {
			if len(line) <= int(limit) {
				want = append(want, string(line))
			}
		}
		if strings.Join(want, "\n") != strings.Join(got.lines, "\n") || len(want) != len(got.lines) {
			t.Fatalf("got %q, want %q", got.lines, want)
		}
		for _, line := range got.lines {
			framing := Plain
			if bun {
				framing = Bun
			}
			p := parse([]byte(line), framing)
			if c := p.class; (c == classApp || c == classCluster || c == classHandle) && !json.Valid(p.body) {
				t.Fatalf("%q passes for a message: %q", line, p.body)
			}
		}
	})
}
