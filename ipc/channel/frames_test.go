package channel

import (
	"bytes"
	"errors"
	"testing"

	"pgregory.net/rapid"
)

// TestFramesCarryLines: however the stream is cut, what was framed comes out, and every socket before the data of its frame.
func TestFramesCarryLines(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var stream, want []byte
		var sockets []int // how much data came before each
		for range rapid.IntRange(0, 8).Draw(t, "frames") {
			data := rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(t, "data")
			var socket []byte
			if rapid.Bool().Draw(t, "socket") {
				socket = bytes.Repeat([]byte{7}, frameSocket)
				sockets = append(sockets, len(want))
			}
			half := len(data) / 2
			stream = appendFrame(stream, socket, data[:half], data[half:])
			want = append(want, data...)
		}
		var f frames
		var got []byte
		var at []int
		for len(stream) > 0 {
			n := rapid.IntRange(1, len(stream)).Draw(t, "cut")
			data, err := f.feed(bytes.Clone(stream[:n]), func(s []byte) {
				if len(s) != frameSocket || bytes.Count(s, []byte{7}) != frameSocket {
					t.Fatalf("a socket of %d bytes: %v", len(s), s)
				}
				at = append(at, len(got))
			})
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, data...)
			stream = stream[n:]
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("got %q, want %q", got, want)
		}
		if len(at) != len(sockets) {
			t.Fatalf("got %d sockets, want %d", len(at), len(sockets))
		}
		for i := range at {
			if at[i] > sockets[i] {
				t.Fatalf("socket %d came behind byte %d, its data begins at %d", i, at[i], sockets[i])
			}
		}
	})
}

// TestFrameAsLibuv holds a frame against its bytes as Node writes them.
func TestFrameAsLibuv(t *testing.T) {
	want := []byte("\x01\x00\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00\"a\"")
	if got := appendFrame(nil, nil, []byte(`"a"`)); !bytes.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFramesRefuseOthers(t *testing.T) {
	for _, head := range []string{
		"{\"cmd\":\"NODE_CLUSTER\"}",                                       // no frames at all
		"\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", // a flag that is not known
		"\x00\x00\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00", // data without the flag
		"\x01\x00\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x01\x00\x00\x00", // the last word is not zero
	} {
		var f frames
		if _, err := f.feed([]byte(head), func([]byte) {}); !errors.Is(err, errFrame) {
			t.Errorf("%q: %v", head, err)
		}
	}
}

func FuzzFrames(f *testing.F) {
	f.Add(appendFrame(nil, nil, []byte("{}\n")), 5)
	f.Add(appendFrame(nil, make([]byte, frameSocket), []byte("{}\n")), 20)
	f.Fuzz(func(t *testing.T, stream []byte, cut int) {
		var whole, parts frames
		cut = max(0, min(cut, len(stream)))
		all, err := whole.feed(bytes.Clone(stream), func([]byte) {})
		first, err1 := parts.feed(bytes.Clone(stream[:cut]), func([]byte) {})
		if err1 != nil {
			if err == nil {
				t.Fatal("the start is refused, the whole is not")
			}
			return
		}
		second, err2 := parts.feed(bytes.Clone(stream[cut:]), func([]byte) {})
		if (err == nil) != (err2 == nil) {
			t.Fatalf("in one piece: %v, in two: %v", err, err2)
		}
		if err == nil && string(all) != string(first)+string(second) {
			t.Fatalf("in one piece %q, in two %q and %q", all, first, second)
		}
	})
}
