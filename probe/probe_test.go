package probe

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"gpm/app"
)

// testEnv has a shell's path and the variables given.
func testEnv(more ...string) []string { return append(os.Environ(), more...) }

func TestAskHTTP(t *testing.T) {
	t.Parallel()
	serve := func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/moved":
			http.Redirect(w, r, "/down", http.StatusFound)
		case "/down":
			w.WriteHeader(http.StatusServiceUnavailable)
		case "/slow":
			<-r.Context().Done()
		}
	}
	plain := httptest.NewServer(http.HandlerFunc(serve))
	t.Cleanup(plain.Close)
	secure := httptest.NewTLSServer(http.HandlerFunc(serve))
	t.Cleanup(secure.Close)
	_, port, err := net.SplitHostPort(strings.TrimPrefix(plain.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ http, fails string }{
		"well":             {plain.URL + "/", ""},
		"a redirection":    {plain.URL + "/moved", ""},
		"by TLS":           {secure.URL, ""},
		"a path":           {"/well", ""},
		"a variable":       {"localhost:${PORT}/well", ""},
		"unwell":           {"/down", "answers 503"},
		"slow":             {"/slow", "no answer within 300ms"},
		"nobody":           {"http://localhost:1/", "refused"},
		"an unset one":     {"http://localhost:$NONE/", "is its variable set"},
		"not a URL":        {"ftp://x", "no URL of http"},
		"something broken": {"http://a b", "no URL"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			limit := 30 * time.Second
			if name == "slow" {
				limit = 300 * time.Millisecond
			}
			expect(t, AskFor(t.Context(), limit, app.Probe{HTTP: c.http}, From{Env: testEnv("PORT=" + port)}), c.fails)
		})
	}
	expect(t, Ask(t.Context(), app.Probe{HTTP: "/"}, From{}), "has no PORT")
}

func TestAskTCP(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for address, fails := range map[string]string{
		"localhost:$PORT": "", "$PORT": "", ":$PORT": "", "tcp://localhost:${PORT}": "", l.Addr().String(): "",
		"localhost:1": "refused", "localhost": "no address", "localhost:http": "no address", "70000": "no address", "0": "no address", "/nowhere.sock": "nowhere",
	} {
		expect(t, Ask(t.Context(), app.Probe{TCP: address}, From{Env: testEnv("PORT=" + port)}), fails)
	}
}

func TestAskExec(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for line, fails := range map[string]string{"exit 0": "", "echo it is ill; exit 4": `exit status 4: "it is ill"`} {
		expect(t, Ask(t.Context(), app.Probe{Exec: []string{line}}, From{Dir: dir, Env: testEnv()}), fails)
	}
	expect(t, AskFor(t.Context(), 300*time.Millisecond, app.Probe{Exec: []string{"sleep 1000"}}, From{Dir: dir, Env: testEnv()}), "no answer within 300ms")
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		probe app.Probe
		fails string
	}{
		{app.Probe{HTTP: "/health"}, ""},
		{app.Probe{HTTP: "http://localhost:$PORT/x"}, ""},
		{app.Probe{TCP: "$PORT"}, ""},
		{app.Probe{Exec: []string{"true"}}, ""},
		{app.Probe{}, "has 0"},
		{app.Probe{HTTP: "/", TCP: "1"}, "has 2"},
		{app.Probe{TCP: "nowhere"}, "no address"},
		{app.Probe{HTTP: "gopher://x"}, "no URL"},
		{app.Probe{Exec: []string{""}}, "empty"},
	} {
		expect(t, Check(c.probe), c.fails)
	}
}

func expect(t *testing.T, err error, words string) {
	t.Helper()
	switch {
	case words == "" && err != nil:
		t.Errorf("%v", err)
	case words != "" && (err == nil || !strings.Contains(err.Error(), words)):
		t.Errorf("error %v, want one that says %q", err, words)
	}
}
