package pm2

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"
)

func TestMessageRoundTrip(t *testing.T) {
	arg, err := JSON(map[string]any{"a": "<&>"})
	if err != nil {
		t.Fatal(err)
	}
	frame := AppendMessage(nil, arg, Text("1:2"), nil)
	want := "\x13" + "\x00\x00\x00\x0dj:{\"a\":\"<&>\"}" + "\x00\x00\x00\x05s:1:2" + "\x00\x00\x00\x00"
	if string(frame) != want {
		t.Errorf("the frame is %q, want %q", frame, want)
	}
	m, err := ReadMessage(iotest.OneByteReader(bytes.NewReader(frame)), 100)
	if err != nil || len(m) != 3 {
		t.Fatalf("read %q, error %v", m, err)
	}
	var v map[string]string
	if err := m.decode(0, &v); err != nil || v["a"] != "<&>" {
		t.Errorf("argument 0 is %v, error %v", v, err)
	}
	if text, ok := m.text(1); !ok || text != "1:2" {
		t.Errorf("argument 1 is %q", text)
	}
}

func TestReadMessageRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		want error
	}{
		"nothing":             {"", io.EOF},
		"another version":     {"\x21\x00\x00\x00\x00", ErrFrame},
		"HTTP":                {"GET / HTTP/1.1\r\n", ErrFrame},
		"a length cut":        {"\x11\x00\x00", io.ErrUnexpectedEOF},
		"no length":           {"\x11", io.ErrUnexpectedEOF},
		"an argument cut":     {"\x11\x00\x00\x00\x05ab", io.ErrUnexpectedEOF},
		"an argument missing": {"\x12\x00\x00\x00\x01a", io.ErrUnexpectedEOF},
		"four gigabytes":      {"\x11\xff\xff\xff\xff", ErrTooLong},
		"too long together":   {"\x12\x00\x00\x00\x40" + string(make([]byte, 64)) + "\x00\x00\x00\x40", ErrTooLong},
	} {
		t.Run(name, func(t *testing.T) {
			if m, err := ReadMessage(bytes.NewReader([]byte(c.in)), 100); !errors.Is(err, c.want) {
				t.Errorf("read %q, error %v, want %v", m, err, c.want)
			}
		})
	}
}

// TestReadMessageTrustsNoLength: what is announced is not what is allocated.
func TestReadMessageTrustsNoLength(t *testing.T) {
	frame := []byte("\x11\x03\xff\xff\xff")
	if n := testing.AllocsPerRun(10, func() { ReadMessage(bytes.NewReader(frame), MaxMessage) }); n > 20 {
		t.Errorf("%v allocations", n)
	}
	r := testing.Benchmark(func(b *testing.B) {
		for b.Loop() {
			ReadMessage(bytes.NewReader(frame), MaxMessage)
		}
	})
	if b := r.AllocedBytesPerOp(); b > 64<<10 {
		t.Errorf("%d bytes for an announcement", b)
	}
}

func FuzzReadMessage(f *testing.F) {
	f.Add(AppendMessage(nil, []byte(`j:{"type":"call"}`), Text("1:1")))
	f.Add([]byte("\x10"))
	f.Add([]byte("\x1f\x00\x00\x00\x01a"))
	f.Fuzz(func(t *testing.T, in []byte) {
		r := bytes.NewReader(in)
		m, err := ReadMessage(r, 1000)
		if err != nil {
			return
		}
		read := in[:len(in)-r.Len()]
		if again := AppendMessage(nil, m...); !bytes.Equal(again, read) {
			t.Errorf("%q reads as %q, which is written as %q", read, m, again)
		}
	})
}
