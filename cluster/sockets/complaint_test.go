package sockets

import "testing"

func TestFindComplaint(t *testing.T) {
	for line, want := range map[string]Complaint{
		"Error: listen EADDRINUSE: address already in use :::7391":                                                   {Address: Address{Port: 7391}},
		"Error: listen EADDRINUSE: address already in use 127.0.0.1:80":                                              {Address: Address{Host: "127.0.0.1", Port: 80}},
		"Error: listen EADDRINUSE: address already in use /run/app.sock":                                             {Address: Address{Network: Unix, Path: "/run/app.sock"}},
		"Error: listen EACCES: permission denied 0.0.0.0:80":                                                         {Address: Address{Port: 80}, Forbidden: true},
		"2026/11/25 22:35:25 listen tcp :8080: bind: address already in use":                                         {Address: Address{Port: 8080}},
		"panic: listen tcp [::1]:80: bind: permission denied":                                                        {Address: Address{Host: "::1", Port: 80}, Forbidden: true},
		"ERROR:    [Errno 98] error while attempting to bind on address ('127.0.0.1', 8000): address already in use": {Address: Address{Host: "127.0.0.1", Port: 8000}},
		"ERROR:    [Errno 13] error while attempting to bind on address ('0.0.0.0', 81): permission denied":          {Address: Address{Port: 81}, Forbidden: true},
		"[2026-11-25 22:35:25 +0000] [7] [ERROR] Connection in use: ('127.0.0.1', 8000)":                             {Address: Address{Host: "127.0.0.1", Port: 8000}},
		`a.rb:1:in 'initialize': Address already in use - bind(2) for "0.0.0.0" port 9292 (Errno::EADDRINUSE)`:       {Address: Address{Port: 9292}},
		"Permission denied - bind(2) for 127.0.0.1:80 (Errno::EACCES)":                                               {Address: Address{Host: "127.0.0.1", Port: 80}, Forbidden: true},
		"nginx: [emerg] bind() to 0.0.0.0:80 failed (98: Address already in use)":                                    {Address: Address{Port: 80}},
		"Port 5000 is in use by another program. Either identify and stop that program":                              {Address: Address{Port: 5000}},
		"error: Failed to start server. Is port 3000 in use?":                                                        {Address: Address{Port: 3000}},
	} {
		if got, ok := FindComplaint([]string{"    at x (y:1:2)", line}); !ok || got != want {
			t.Errorf("%s: %+v, %v", line, got, ok)
		}
	}
	for _, line := range []string{
		"2026-11-25T22:35:25 OSError: [Errno 98] Address already in use", // no address is named
		"Error: bind EADDRINUSE null:7391",                               // the hub has told about it
		"Error: EACCES: permission denied, open '/etc/shadow:80'",
		"listen EADDRINUSE: address already in use :::99999",
		"the port is in use", "bind", "",
	} {
		if got, ok := FindComplaint([]string{line}); ok {
			t.Errorf("%q: %+v", line, got)
		}
	}
}

func FuzzFindComplaint(f *testing.F) {
	f.Add("listen EADDRINUSE: address already in use :::7391")
	f.Add("Connection in use: ('127.0.0.1', 8000)")
	f.Fuzz(func(t *testing.T, line string) {
		if c, ok := FindComplaint([]string{line}); ok && c.Network != Unix && (c.Port < 1 || c.Port > 65535) {
			t.Errorf("%q: port %d", line, c.Port)
		}
	})
}
