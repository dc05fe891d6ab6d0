package logs

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// naiveLast is what Last must be the same as.
func naiveLast(b []byte, n int) []string {
	if len(b) == 0 {
		return nil
	}
	lines := strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
	return lines[max(0, len(lines)-n):]
}

func FuzzLast(f *testing.F) {
	f.Add([]byte("a\nb\nc\n"), 2, 1)
	f.Add([]byte("\n\n\n"), 2, 70000)
	f.Add([]byte("no end"), 1, 3)
	f.Add([]byte("x\ny"), 0, 65536)
	f.Fuzz(func(t *testing.T, b []byte, n, repeat int) {
		n = (n&0x3ff + 0x400) % 0x400
		b = bytes.Repeat(b, min(1+repeat&0xffff, 1+300_000/(len(b)+1)))
		path := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		lines, end, err := Last(path, n)
		if err != nil || end.Pos != int64(len(b)) {
			t.Fatalf("end %v of %d, %v", end, len(b), err)
		}
		var got []string
		for _, l := range lines {
			got = append(got, string(l.Text))
		}
		want := naiveLast(b, n)
		if !slices.Equal(got, want) && len(got)+len(want) > 0 {
			t.Fatalf("last %d of %d bytes: %d lines, want %d", n, len(b), len(got), len(want))
		}
	})
}

func TestLastOfAbsentFile(t *testing.T) {
	lines, end, err := Last(filepath.Join(t.TempDir(), "absent"), 10)
	if lines != nil || end != (Offset{}) || err != nil {
		t.Errorf("%v %v %v", lines, end, err)
	}
}

func TestLastIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	long := strings.Repeat("x", MaxLine+10)
	text := strings.Repeat(strings.Repeat("y", 999)+"\n", 20_000) + long + "\nlast\n" // 21 MB
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	lines, _, err := Last(path, -1)
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, l := range lines {
		total += len(l.Text) + 1
	}
	if total > maxLast+2 || total < maxLast-2000 {
		t.Errorf("%d bytes", total)
	}
	n := len(lines)
	if lines[n-3].End != Cut || len(lines[n-3].Text) != MaxLine || len(lines[n-2].Text) != 10 || string(lines[n-1].Text) != "last" {
		t.Errorf("the long line: %v %d", lines[n-3].End, len(lines[n-3].Text))
	}
	if len(lines[0].Text) != 999 {
		t.Errorf("the first line is cut: %d", len(lines[0].Text))
	}
}

// FuzzTail lets two streams share a file and compares their tails with what each wrote.
func FuzzTail(f *testing.F) {
	f.Add([]byte{3, 0, 200, 7}, 2)
	f.Add([]byte{1, 1, 1, 1, 1, 1, 1, 1}, 5)
	f.Fuzz(func(t *testing.T, sizes []byte, n int) {
		n = n & 0xff
		path := filepath.Join(t.TempDir(), "f")
		file, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		var wrote [2]string
		var spans [2][]span
		off := int64(0)
		for i, size := range sizes[:min(len(sizes), maxSpans)] {
			text := strings.Repeat("z", int(size)) + fmt.Sprint(i) + "\n"
			write(t, file, text)
			who := i % 2
			wrote[who] += text
			spans[who] = addSpan(spans[who], 1, off, int64(len(text)))
			off += int64(len(text))
		}
		for who := range wrote {
			got := lastStrings(readSpans(file, spans[who], 1<<20), n)
			want := naiveLast([]byte(wrote[who]), n)
			if !slices.Equal(got, want) && len(got)+len(want) > 0 {
				t.Fatalf("tail %d of stream %d: %q, want %q", n, who, got, want)
			}
		}
	})
}

// BenchmarkLast reads the last 1000 lines of a file of 1 GB (sparse at the head).
func BenchmarkLast(b *testing.B) {
	path := filepath.Join(b.TempDir(), "f")
	tail := strings.Repeat(strings.Repeat("l", 99)+"\n", 100_000)
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		b.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte(tail), 1<<30); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if lines, _, err := Last(path, 1000); err != nil || len(lines) != 1000 {
			b.Fatal(len(lines), err)
		}
	}
}
