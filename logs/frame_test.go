package logs

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gpm/app"
)

func attachTo(t testing.TB, p *Pump, target Target) (*Stream, *os.File) {
	t.Helper()
	r, w := newPipe(t)
	s, err := p.Attach(r, target)
	if err != nil {
		t.Fatal(err)
	}
	return s, w
}

func TestFramedLines(t *testing.T) {
	dir := t.TempDir()
	out, all := filepath.Join(dir, "out.log"), filepath.Join(dir, "all.log")
	p := newPump(t, Options{})
	format := &Format{Layout: "[2006]"}
	year := time.Now().Format("[2006]: ")
	a, wa := attachTo(t, p, Target{Path: out, Format: format, Combined: all, Key: "0-out"})
	b, wb := attachTo(t, p, Target{Format: format, Combined: all, Key: "0-err"})
	write(t, wa, "one\ntwo é\xc3")
	eventuallyFile(t, out, year+"one\n")
	write(t, wb, "err\n")
	eventuallyFile(t, all, year+"one\n"+year+"err\n")
	write(t, wa, "\xa9\n\nno end") // the rest of the character
	a.Drain(drainTime)
	b.Drain(drainTime)
	want := year + "one\n" + year + "two éé\n" + year + "\n" + year + "no end\n"
	if got := read(t, out); got != want {
		t.Errorf("%q", got)
	}
	if got := read(t, all); got != strings.Replace(want, "one\n", "one\n"+year+"err\n", 1) {
		t.Errorf("%q", got)
	}
	if got := a.Tail(2, 1000); !slices.Equal(got, []string{year, year + "no end"}) {
		t.Errorf("tail %q", got)
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".*.spool")); err != nil || left != nil {
		t.Errorf("left over: %q, %v", left, err)
	}
}

func TestKeyConflict(t *testing.T) {
	target := Target{Path: filepath.Join(t.TempDir(), "out.log"), Format: &Format{}, Key: "k"}
	p := newPump(t, Options{}) // after the directory: it is closed before that is removed
	s, _ := attachTo(t, p, target)
	r, _ := newPipe(t)
	if _, err := p.Attach(r, target); !errors.Is(err, app.ErrConflict) {
		t.Errorf("two streams share a spool: %v", err)
	}
	s.Detach()
	if _, err := p.Attach(r, target); err != nil {
		t.Error(err)
	}
}

func TestJSONLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.log")
	p := newPump(t, Options{})
	s, w := attachTo(t, p, Target{Path: path, Key: "k", Format: &Format{JSON: true, ID: 3, Name: "api", Stream: app.Stderr}})
	write(t, w, "say \"hi\" \xff\nlast")
	s.Drain(drainTime)
	var got []jsonLine
	for line := range strings.Lines(read(t, path)) {
		var l jsonLine
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		if at, err := time.Parse(time.RFC3339Nano, l.Timestamp); err != nil || time.Since(at) > time.Minute {
			t.Errorf("timestamp %q: %v", l.Timestamp, err)
		}
		l.Timestamp = ""
		got = append(got, l)
	}
	want := []jsonLine{{Message: "say \"hi\" \ufffd\n", Type: "err", ID: 3, Name: "api"}, {Message: "last", Type: "err", ID: 3, Name: "api"}}
	if !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
}

func TestFramedFlood(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.log")
	p := newPump(t, Options{})
	s, w := attachTo(t, p, Target{Path: path, Key: "k", Format: &Format{Layout: "15"}, Rotate: Policy{MaxSize: 1 << 20}})
	run(t, w, "count 100000 a 50")()
	s.Drain(drainTime)
	var plain strings.Builder
	for line := range strings.Lines(readChain(t, path)) {
		plain.WriteString(line[strings.Index(line, ": ")+2:])
	}
	if n := checkCount(t, []byte(plain.String()), "a"); n != 100000 {
		t.Errorf("%d lines", n)
	}
}

func TestFramedLongLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.log")
	p := newPump(t, Options{})
	s, w := attachTo(t, p, Target{Path: path, Key: "k", Format: &Format{Layout: "x"}})
	long := strings.Repeat("0123456789abcde\u00e9", 200_000) // 3.4 MB
	write(t, w, long+"\nend\n")
	s.Drain(drainTime)
	lines := strings.SplitAfter(read(t, path), "\n")
	var joined strings.Builder
	for i, l := range lines[:len(lines)-2] {
		l, marked := strings.CutSuffix(strings.TrimPrefix(l, "x: "), cutMark+"\n")
		if marked != (i < len(lines)-3) {
			t.Errorf("piece %d: marked %v", i, marked)
		}
		joined.WriteString(l)
	}
	if joined.String() != long+"\n" || lines[len(lines)-2] != "x: end\n" {
		t.Errorf("%d bytes in %d pieces", joined.Len(), len(lines))
	}
}

// FuzzFrame: however the input arrives, the framed lines are those of the input.
func FuzzFrame(f *testing.F) {
	f.Add([]byte("one\ntwo\n\nno end"), []byte{1, 4})
	f.Fuzz(func(t *testing.T, input, sizes []byte) {
		o := output{format: Format{Layout: "T"}}
		var framed, buf []byte
		for i, rest := 0, input; len(rest) > 0 || len(buf) > 0; i++ {
			n := len(rest)
			if len(sizes) > 0 {
				n = min(n, 1+int(sizes[i%len(sizes)]))
			}
			buf, rest = append(buf, rest[:n]...), rest[n:]
			out, used := o.frame(nil, buf, time.Time{}, len(rest) == 0)
			framed, buf = append(framed, out...), buf[used:]
		}
		var want []byte
		for _, l := range naiveLast(input, len(input)+1) {
			want = fmt.Appendf(want, "T: %s\n", l)
		}
		if string(framed) != string(want) {
			t.Errorf("%q became %q", input, framed)
		}
	})
}

func TestIntent(t *testing.T) {
	x := intent{1, 2, FileID{3, 4}, 5, 6}
	if b := x.bytes(); len(b) != intentSize || parseIntent(b) != x {
		t.Errorf("%v", parseIntent(b))
	}
}
