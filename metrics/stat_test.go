package metrics

import (
	"strings"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	rest := " S 42 1 1 0 -1 4194560 100 200 0 0 250 50 7 7 20 0 12 0 987654 1000000 300 18446744073709551615 1 1"
	want := proc{pid: 77, ppid: 42, born: 9876540 * time.Millisecond, cpu: 3 * time.Second, rss: 300 * 4096, threads: 12}
	for _, comm := range []string{"(node)", "(a b)", "(tmux: server (1))", "())", "(x) S 9 9 ()", "(line\nend)"} {
		got, err := parseStat([]byte("77 "+comm+rest+"\n"), 4096)
		if err != nil || got != want {
			t.Errorf("%q: %+v, %v; want %+v", comm, got, err, want)
		}
	}
	for _, bad := range []string{"", "77", "77 (node)", "77 (node) S 42", "x (node)" + rest, "-1 (node)" + rest, ") (", strings.Replace("77 (node)"+rest, "42", "4x2", 1)} {
		if got, err := parseStat([]byte(bad), 4096); err == nil {
			t.Errorf("%q was read as %+v", bad, got)
		}
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("1 (systemd) S 0 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 9 10 11 12"))
	f.Add([]byte("2 (a) b (c)) R 99999999999999999999 -9223372036854775808 1 0 -1 4 1 2 3 4 5 6 7 8 20 0 1 0 9223372036854775807 10 11"))
	f.Fuzz(func(t *testing.T, line []byte) {
		p, err := parseStat(line, 4096)
		if err == nil && (p.pid < 1 || p.born < 0 || p.cpu < 0) {
			t.Errorf("%q was read as %+v", line, p)
		}
	})
}
