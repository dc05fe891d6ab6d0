package agent

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"testing"
)

func TestFrames(t *testing.T) {
	text := `{"method":"Debugger.paused","params":{"callFrames":[
		{"functionName":"spin","location":{"scriptId":"7","lineNumber":6,"columnNumber":2}},
		{"functionName":"","location":{"scriptId":"8","lineNumber":0,"columnNumber":0}}]}}`
	var e event
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		t.Fatal(err)
	}
	frames := e.frames(map[string]string{"7": "file:///srv/my%20app/a.js", "8": "node:internal/timers"})
	if len(frames) != 2 || frames[0].String() != "at spin (/srv/my app/a.js:7:3)" || frames[1].String() != "at node:internal/timers:1:1" {
		t.Error(frames)
	}
}

func FuzzFrames(f *testing.F) {
	f.Add([]byte(`{"method":"Debugger.paused","params":{"callFrames":[{"location":{"scriptId":"1"}}]}}`), "file://%zz")
	f.Add([]byte(`{"method":"Debugger.paused","params":null}`), "")
	f.Fuzz(func(t *testing.T, text []byte, url string) {
		var e event
		if json.Unmarshal(text, &e) == nil && len(e.frames(map[string]string{"1": url})) > maxFrames {
			t.Error("too many frames")
		}
	})
}

func TestReadFrame(t *testing.T) {
	for _, n := range []int{0, 1, 125, 126, 0xFFFF, 0x10000} {
		payload := bytes.Repeat([]byte("x"), n)
		op, final, got, err := readFrame(bufio.NewReader(bytes.NewReader(serverFrame(payload))))
		if err != nil || op != opText || !final || !bytes.Equal(got, payload) {
			t.Errorf("%d bytes: op %d, final %v, %d bytes, %v", n, op, final, len(got), err)
		}
	}
}

func serverFrame(payload []byte) []byte {
	frame := []byte{finalBit | opText}
	switch n := len(payload); {
	case n < 126:
		frame = append(frame, byte(n))
	case n <= 0xFFFF:
		frame = binary.BigEndian.AppendUint16(append(frame, 126), uint16(n))
	default:
		frame = binary.BigEndian.AppendUint64(append(frame, 127), uint64(n))
	}
	return append(frame, payload...)
}

func FuzzReadFrame(f *testing.F) {
	f.Add(serverFrame([]byte("hello")))
	f.Add([]byte{0x81, 127, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF})
	f.Add([]byte{0x81, 0x85, 0, 0, 0, 0, 1, 2, 3, 4, 5})
	f.Fuzz(func(t *testing.T, stream []byte) {
		_, _, payload, err := readFrame(bufio.NewReader(bytes.NewReader(stream)))
		if err == nil && len(payload) > len(stream) {
			t.Error("more than was sent")
		}
	})
}
