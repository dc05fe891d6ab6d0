package sockets

import (
	"encoding/binary"
	"testing"
)

const tcpTable = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0BB8 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 12345 1 0000000000000000 100 0 0 10 0
   1: 0100007F:0BB8 0100007F:9999 01 00000000:00000000 00:00000000 00000000  1000        0 12346 1 0000000000000000 100 0 0 10 0
   2: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 7 1
   3: nonsense 0 0A 0 0 0 0 0 0 0
`

func TestParseInet(t *testing.T) {
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		t.Skip("the table is one of a little-endian machine")
	}
	got := parseInet([]byte(tcpTable), stateListen)
	if len(got) != 2 || got[0].String() != "127.0.0.1:3000" || got[0].uid != 1000 || got[0].inode != 12345 || got[1].String() != "[::1]:80" {
		t.Fatalf("got %+v", got)
	}
	for host, want := range map[string]bool{"": true, "127.0.0.1": true, "::": true, "10.0.0.1": false, "::ffff:127.0.0.1": true} {
		if got[0].inTheWay(Address{Host: host, Port: 3000}) != want {
			t.Errorf("%q: not %v", host, want)
		}
	}
	if got[0].inTheWay(Address{Port: 3001}) {
		t.Error("another port")
	}
}

func TestParseUnix(t *testing.T) {
	const table = `Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 7001 /run/a b.sock
0000000000000000: 00000003 00000000 00000000 0001 03 7002 /run/a b.sock
0000000000000000: 00000002 00000000 00010000 0001 01 7003 @abstract
0000000000000000: 00000002 00000000 00010000 0001 01 7004
`
	got := parseUnix([]byte(table))
	if len(got) != 2 || got[0].path != "/run/a b.sock" || got[0].inode != 7001 || got[1].path != "@abstract" {
		t.Errorf("got %+v", got)
	}
}

func TestCommandLine(t *testing.T) {
	for want, c := range map[string][2]string{
		"node app.js": {"node\x00app.js\x00", "node\n"},
		"kthread":     {"", "kthread\n"},
		"title":       {"title\x00\x00\x00\x00", "x"},
	} {
		if got := commandLine([]byte(c[0]), []byte(c[1])); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func FuzzTables(f *testing.F) {
	f.Add([]byte(tcpTable))
	f.Add([]byte("a b c 00010000 e f 5 /p\n"))
	f.Fuzz(func(t *testing.T, table []byte) {
		for _, e := range append(parseInet(table, stateListen), parseUnix(table)...) {
			e.inTheWay(Address{Port: 1})
			if e.path == "" && !e.at.IsValid() {
				t.Errorf("an entry of nothing: %+v", e)
			}
		}
	})
}
