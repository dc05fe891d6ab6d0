package logs

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The test binary runs itself as the programs whose output is logged, and as pumps
// that are killed. The variable says which.
const childVar = "GPM_LOGS_TEST_CHILD"

func TestMain(m *testing.M) {
	if role := os.Getenv(childVar); role != "" {
		if err := child(strings.Split(role, " ")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func child(args []string) error {
	switch args[0] {
	case "count": // N PREFIX LENGTH: numbered lines through a buffer
		return printLines(args[1:])
	case "flood": // N LENGTH: the same line, as fast as possible
		return floodLines(args[1:])
	case "paced": // FILES: a line a millisecond to each of the descriptors from 3, for two seconds
		return printPaced(atoi(args[1]))
	case "count-until-eof": // PREFIX: one write for each line, until stdin ends
		return countUntilEOF(args[1])
	case "pump-framed": // PATH SIZE: the same with timestamps and a combined file
		return pumpForever(framedTarget(args[1], int64(atoi(args[2]))))
	case "pump": // PATH SIZE: pump descriptor 3 until killed, rotating at a size
		return pumpForever(rawTarget(args[1], int64(atoi(args[2]))))
	}
	return fmt.Errorf("unknown role %q", args)
}

func printLines(args []string) error {
	n, length := atoi(args[0]), atoi(args[2])
	w := bufio.NewWriterSize(os.Stdout, 64<<10)
	pad := " " + strings.Repeat("x", length) + "\n"
	for i := range n {
		b := append(w.AvailableBuffer(), args[1]...)
		b = strconv.AppendInt(append(b, ' '), int64(i), 10)
		if _, err := w.Write(append(b, pad...)); err != nil {
			return err
		}
	}
	return w.Flush()
}

func floodLines(args []string) error {
	w := bufio.NewWriterSize(os.Stdout, 64<<10)
	line := strings.Repeat("x", atoi(args[1])+7) + "\n"
	for range atoi(args[0]) {
		if _, err := w.WriteString(line); err != nil {
			return err
		}
	}
	return w.Flush()
}

func printPaced(n int) error {
	files := make([]*os.File, n)
	for i := range files {
		files[i] = os.NewFile(uintptr(3+i), "pipe")
	}
	line := []byte(strings.Repeat("x", 99) + "\n")
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for range 2000 {
		<-tick.C
		for _, f := range files {
			if _, err := f.Write(line); err != nil {
				return err
			}
		}
	}
	return nil
}

func atoi(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic(err)
	}
	return n
}

func countUntilEOF(prefix string) error {
	done := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, os.Stdin)
		done <- err
	}()
	for i := 0; ; i++ {
		select {
		case err := <-done:
			fmt.Printf("%s %d end\n", prefix, i)
			return err
		default:
			fmt.Printf("%s %d -\n", prefix, i)
		}
	}
}

func rawTarget(path string, size int64) Target {
	return Target{Path: path, Rotate: Policy{MaxSize: size, Compress: Gzip}}
}

func framedTarget(path string, size int64) Target {
	t := rawTarget(path, size)
	t.Format, t.Combined, t.Key = &Format{Layout: time.RFC3339}, path+".all", "0-out"
	return t
}

func pumpForever(target Target) error {
	p, err := NewPump(Options{})
	if err != nil {
		return err
	}
	if _, err := p.Attach(os.NewFile(3, "pipe"), target); err != nil {
		return err
	}
	fmt.Println("attached")
	select {}
}

// program starts the test binary in a role, with out as its standard output, and
// returns a function that waits for its end.
func program(t testing.TB, out *os.File, role string) (cmd *exec.Cmd, wait func()) {
	t.Helper()
	cmd = exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVar+"="+role)
	cmd.Stdout, cmd.Stderr = out, os.Stderr
	return cmd, func() {
		t.Helper()
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v", role, err)
		}
	}
}

func run(t testing.TB, out *os.File, role string) (wait func()) {
	t.Helper()
	cmd, wait := program(t, out, role)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	return wait
}

func newPump(t testing.TB, o Options) *Pump {
	t.Helper()
	p, err := NewPump(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// attach makes a pipe, attaches its read end and returns the write end.
func attach(t testing.TB, p *Pump, path string) (*Stream, *os.File) {
	t.Helper()
	r, w := newPipe(t)
	s, err := p.Attach(r, Target{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	return s, w
}

func newPipe(t testing.TB) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() }) // most tests have closed it
	return r, w
}

func write(t testing.TB, w io.Writer, s string) {
	t.Helper()
	if _, err := io.WriteString(w, s); err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// eventually waits until ok is true; what says what for.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("never: %s", what)
		}
	}
}

func eventuallyFile(t testing.TB, path, want string) {
	t.Helper()
	eventually(t, fmt.Sprintf("%s holds %q", path, want), func() bool {
		b, err := os.ReadFile(path)
		return err == nil && string(b) == want
	})
}

// checkCount fails unless the lines "PREFIX i …" of one prefix are 0..n-1 in order,
// and returns how many there are. Lines of other prefixes are passed over; a line that has
// none of them is an error.
func checkCount(t testing.TB, text []byte, prefix string, others ...string) int {
	t.Helper()
	next := 0
	for line := range bytes.Lines(text) {
		f := bytes.Fields(line)
		if len(f) == 3 && string(f[0]) == prefix {
			if string(f[1]) != strconv.Itoa(next) {
				t.Fatalf("%s: line %d is %.40q", prefix, next, line)
			}
			next++
			continue
		}
		known := false
		for _, o := range others {
			known = known || len(f) == 3 && string(f[0]) == o
		}
		if !known {
			t.Fatalf("%s: after line %d comes %.80q", prefix, next-1, line)
		}
	}
	return next
}
