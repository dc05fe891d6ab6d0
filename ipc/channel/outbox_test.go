package channel

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// wire is what a model peer saw of an outbox.
type wire struct {
	bytes bytes.Buffer
	fdAt  map[int]int // offset of the first byte that a descriptor came with → fd
}

// writeSome passes one batch on, as a kernel that takes n bytes of it would.
func (w *wire) writeSome(t *rapid.T, o *outbox) {
	b := o.next()
	total := 0
	for _, p := range b.bufs {
		total += len(p)
	}
	if total == 0 {
		return
	}
	n := total
	if b.long || rapid.Bool().Draw(t, "partial") {
		n = rapid.IntRange(1, total).Draw(t, "taken")
	}
	if b.fd >= 0 {
		w.fdAt[w.bytes.Len()] = b.fd
	}
	w.bytes.Write(bytes.Join(b.bufs, nil)[:n])
	o.wrote(n, time.Unix(1, 0))
}

// TestOutboxKeepsTheRules: over any sequence of pushes, partial writes and answers the
// bytes are whole lines in order; a descriptor comes with the first byte of its own line; nothing but answers
// follows a handle before it is answered; and the cost returns to zero.
func TestOutboxKeepsTheRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var o outbox
		w := wire{fdAt: map[int]int{}}
		next, refused := 0, 0
		var want []string
		push := func(withHandle bool) {
			size := rapid.SampledFrom([]int{1, 20, 5000, atomicSize + 10}).Draw(t, "size")
			line := fmt.Sprintf("%d-%s\n", next, bytes.Repeat([]byte("x"), size))
			it := item{line: []byte(line)}
			if withHandle {
				it.handle = &handle{fd: next}
			}
			next++
			want = append(want, line)
			o.push(it)
		}
		t.Repeat(map[string]func(*rapid.T){
			"push":   func(*rapid.T) { push(false) },
			"pass":   func(*rapid.T) { push(true) },
			"answer": func(*rapid.T) { o.answer([]byte("ACK\n")) },
			"write":  func(t *rapid.T) { w.writeSome(t, &o) },
			"acked":  func(*rapid.T) { o.acked() },
			"nacked": func(*rapid.T) {
				if it := o.waiting; it.handle != nil && o.nacked() == nil {
					refused++
				}
			},
			"": func(t *rapid.T) {
				if o.waiting.handle != nil && o.part.line == nil && len(o.answers) == 0 && len(o.next().bufs) > 0 {
					t.Fatal("something follows an unanswered handle")
				}
			},
		})
		for i := 0; o.bytes > 0 && i < 1e6; i++ {
			w.writeSome(t, &o)
			o.acked()
		}
		checkWire(t, &w, want, refused)
	})
}

func checkWire(t *rapid.T, w *wire, want []string, refused int) {
	offset, seen := 0, 0
	for line := range bytes.Lines(w.bytes.Bytes()) {
		if fd, ok := w.fdAt[offset]; ok && !bytes.HasPrefix(line, fmt.Appendf(nil, "%d-", fd)) {
			t.Fatalf("descriptor %d came with %.20q", fd, line)
		}
		delete(w.fdAt, offset)
		offset += len(line)
		switch {
		case string(line) == "ACK\n":
		case seen < len(want) && string(line) == want[seen]:
			seen++
		case seen > 0 && string(line) == want[seen-1] && refused > 0:
			refused-- // sent again
		default:
			t.Fatalf("line %.30q after %d of %d", line, seen, len(want))
		}
	}
	if seen != len(want) || len(w.fdAt) > 0 {
		t.Fatalf("%d of %d lines, %d descriptors inside lines", seen, len(want), len(w.fdAt))
	}
}

func TestOutboxGivesUpAfterThreeResends(t *testing.T) {
	var o outbox
	h := &handle{fd: 9}
	o.push(item{line: []byte("h\n"), handle: h})
	for range maxResends {
		o.wrote(2, time.Now())
		if o.nacked() != nil {
			t.Fatal("gave up too early")
		}
	}
	o.wrote(2, time.Now())
	if o.nacked() != h || o.bytes != 0 || o.nacked() != nil {
		t.Errorf("not given up; %d bytes left", o.bytes)
	}
}

func TestFifoReturnsMemory(t *testing.T) {
	var f fifo
	for range 100_000 { // never empty
		f.push(item{})
		f.push(item{})
		f.pop()
		f.pop()
		f.push(item{})
		f.push(item{})
		f.pop()
	}
	for len(f.items()) > 5 {
		f.pop()
	}
	for range 10_000 {
		f.push(item{})
		f.pop()
	}
	if cap(f.buf) > 400_000 {
		t.Errorf("capacity %d for %d items", cap(f.buf), len(f.items()))
	}
}
