package master

import (
	"os"
	"strings"
	"testing"
)

func TestParseStat(t *testing.T) {
	tail := " S 7 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711" + strings.Repeat(" 0", 29) + " 10752\n"
	for _, name := range []string{"(cat)", "(a b)", "(x) S 1 (y)", "())", "( ) Z 99 99 ("} {
		s, err := parseStat([]byte("123 " + name + tail))
		if name == "( ) Z 99 99 (" { // a kernel always ends the name
			s, err = parseStat([]byte("123 " + name + ")" + tail))
		}
		if err != nil || s != (procStat{state: 'S', ppid: 7, start: 4711, exitCode: 10752}) {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
	if s, err := readStat(os.Getpid()); err != nil || s.ppid != os.Getppid() || s.start == 0 {
		t.Errorf("this process: %+v, %v", s, err)
	}
}

func FuzzParseStat(f *testing.F) {
	own, _ := os.ReadFile("/proc/self/stat")
	f.Add(own)
	f.Add([]byte("1 (a) b) S 1"))
	f.Add([]byte(")"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if s, err := parseStat(data); err == nil && s.state == 0 && !strings.Contains(string(data), "\x00") {
			t.Errorf("%q: no state", data)
		}
	})
}
