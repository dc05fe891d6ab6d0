package agent

import (
	"bufio"
	"bytes"
	"io"
	"strings"
	"testing"
)

func TestReadMessageSkipsGarbage(t *testing.T) {
	long := `{"hello":{"pid":9,"node":"` + strings.Repeat("x", maxLine) + `"}}`
	honest := `{"id":2,"part":["` + strings.Repeat("y", maxLine-100) + `"]}`
	text := "\x00\xff\n\nnull nonsense\n[1]\n" + long + "\n" + `{"id":"1"}` + "\n" + honest + "\n" + `{"id":3,"ok":{}}` + "\n" + `{"id":4`
	r := bufio.NewReaderSize(strings.NewReader(text), readBuffer)
	for _, want := range []uint64{2, 3} {
		if m, err := readMessage(r); err != nil || m.ID != want {
			t.Fatal(m.ID, err)
		}
	}
	if m, err := readMessage(r); err != io.EOF {
		t.Error("half a line is no message:", m, err)
	}
}

func FuzzReadMessage(f *testing.F) {
	f.Add([]byte(`{"hello":{"pid":1,"node":"v20.0.0"}}`+"\n"), 16)
	f.Add([]byte(`{"stats":{"left":3,"gc":{"weak":{"count":1}}}}`+"\n{\n"), 20)
	f.Add([]byte(`{"id":1,"part":["a"]}`+"\n"+`{"id":1,"error":"e"}`+"\n"), 2048)
	f.Fuzz(func(t *testing.T, text []byte, size int) {
		lines := bytes.Count(text, []byte("\n"))
		r := bufio.NewReaderSize(bytes.NewReader(text), min(max(size, 16), 1<<16))
		for range lines {
			if _, err := readMessage(r); err != nil {
				break
			}
		}
		if m, err := readMessage(r); err == nil {
			t.Error("more messages than lines:", m)
		}
	})
}
