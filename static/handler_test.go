package static

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// site writes a folder and serves it.
func site(t *testing.T, o Options) (url, dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range map[string]string{
		"index.html":         "<h1>home</h1>",
		"404.html":           "not here",
		"a.txt":              "0123456789",
		"big.js":             strings.Repeat("let x = 1;\n", 1000),
		"app.3f2a9c1d.js":    "x",
		"sub/index.html":     "sub",
		"plain/<b>.txt":      "b",
		"plain/a:b":          "",
		"plain/.secret":      "s",
		".env":               "SECRET=1",
		".git/config":        "c",
		".well-known/x.json": "{}",
	} {
		write(t, dir, name, text)
	}
	o.Path = dir
	h, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv.URL, dir
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// fetch does not follow redirects, does not clean the path and does not unpack.
func fetch(t *testing.T, method, base, path string, headers ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, base, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.URL.Opaque = path
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	tr := &http.Transport{DisableCompression: true}
	defer tr.CloseIdleConnections()
	res, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

func TestPaths(t *testing.T) {
	url, _ := site(t, Options{})
	for _, c := range []struct {
		path, body string
		code       int
		location   string
	}{
		{"/", "<h1>home</h1>", 200, ""},
		{"/index.html", "<h1>home</h1>", 200, ""},
		{"/a.txt", "0123456789", 200, ""},
		{"/./a.txt", "0123456789", 200, ""},
		{"/sub/", "sub", 200, ""},
		{"/sub", "", 301, "/sub/"},
		{"/sub?q=1", "", 301, "/sub/?q=1"},
		{"/nope", "not here", 404, ""},
		{"/nope.js", "not here", 404, ""},
		{"/a.txt/", "not here", 404, ""},
		{"/a.txt/b", "not here", 404, ""},
		{"/plain/", "not here", 404, ""},
		{"/plain", "not here", 404, ""},
		{"/plain/%3Cb%3E.txt", "b", 200, ""},
		{"/.env", "not here", 404, ""},
		{"/.git/config", "not here", 404, ""},
		{"/plain/.secret", "not here", 404, ""},
		{"/%2eenv", "not here", 404, ""},
		{"/.well-known/x.json", "{}", 200, ""},
		{"/sub/.well-known/x", "not here", 404, ""},
		{"/../a.txt", "Forbidden\n", 403, ""},
		{"/sub/../../etc/passwd", "Forbidden\n", 403, ""},
		{"/%2e%2e/a.txt", "Forbidden\n", 403, ""},
		{"/..%2f..%2fetc/passwd", "Forbidden\n", 403, ""},
		{"/..%5c..%5cetc", "Forbidden\n", 403, ""},
		{"/a.txt%00.html", "Forbidden\n", 403, ""},
		{"/" + strings.Repeat("x", 5000), "not here", 404, ""},
	} {
		res, body := fetch(t, "GET", url, c.path)
		if res.StatusCode != c.code || body != c.body || res.Header.Get("Location") != c.location {
			t.Errorf("%.60s: %d %q to %q, want %d %q to %q", c.path, res.StatusCode, body, res.Header.Get("Location"), c.code, c.body, c.location)
		}
		if res.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: sniffing is allowed", c.path)
		}
	}
}

// TestRedirectStaysHere: "//host" must not become a redirect to that host.
func TestRedirectStaysHere(t *testing.T) {
	_, dir := site(t, Options{})
	write(t, dir, "evil.com/index.html", "x")
	h, err := New(Options{Path: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	r := httptest.NewRequest("GET", "/", nil)
	r.URL.Path = "//evil.com"
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if to := w.Header().Get("Location"); w.Code != 301 || to != "/evil.com/" {
		t.Errorf("%d to %q", w.Code, to)
	}
}

func TestMethods(t *testing.T) {
	url, _ := site(t, Options{Origin: "*"})
	if res, body := fetch(t, "HEAD", url, "/a.txt"); res.StatusCode != 200 || body != "" || res.ContentLength != 10 {
		t.Errorf("HEAD: %d %q, length %d", res.StatusCode, body, res.ContentLength)
	}
	if res, _ := fetch(t, "OPTIONS", url, "/a.txt"); res.StatusCode != 204 || res.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("OPTIONS: %d %v", res.StatusCode, res.Header)
	}
	for _, m := range []string{"POST", "PUT", "DELETE", "BREW"} {
		if res, _ := fetch(t, m, url, "/a.txt"); res.StatusCode != 405 || res.Header.Get("Allow") == "" {
			t.Errorf("%s: %d", m, res.StatusCode)
		}
	}
	if res, body := fetch(t, "HEAD", url, "/nope"); res.StatusCode != 404 || body != "" {
		t.Errorf("HEAD of nothing: %d %q", res.StatusCode, body)
	}
}

func TestRangesAndConditions(t *testing.T) {
	url, _ := site(t, Options{})
	first, _ := fetch(t, "GET", url, "/a.txt")
	etag, date := first.Header.Get("ETag"), first.Header.Get("Last-Modified")
	packed, _ := fetch(t, "GET", url, "/big.js", "Accept-Encoding", "gzip")
	for _, c := range []struct {
		path string
		head []string
		code int
		body string
	}{
		{"/a.txt", []string{"Range", "bytes=2-4"}, 206, "234"},
		{"/a.txt", []string{"Range", "bytes=-2"}, 206, "89"},
		{"/a.txt", []string{"Range", "bytes=20-"}, 416, "invalid range: failed to overlap\n"},
		{"/a.txt", []string{"Range", "bytes=2-4", "If-Range", etag}, 206, "234"},
		{"/a.txt", []string{"Range", "bytes=2-4", "If-Range", `"old"`}, 200, "0123456789"},
		{"/a.txt", []string{"If-None-Match", etag}, 304, ""},
		{"/a.txt", []string{"If-None-Match", `"old", ` + etag}, 304, ""},
		{"/a.txt", []string{"If-None-Match", `"old"`}, 200, "0123456789"},
		{"/a.txt", []string{"If-Modified-Since", date}, 304, ""},
		{"/big.js", []string{"Accept-Encoding", "gzip", "If-None-Match", packed.Header.Get("ETag")}, 304, ""},
		{"/big.js", []string{"Accept-Encoding", "gzip", "If-Modified-Since", packed.Header.Get("Last-Modified")}, 304, ""},
		{"/big.js", []string{"Accept-Encoding", "gzip", "Range", "bytes=0-2"}, 206, "let"},
	} {
		if res, body := fetch(t, "GET", url, c.path, c.head...); res.StatusCode != c.code || body != c.body {
			t.Errorf("%s %v: %d %q, want %d %q", c.path, c.head, res.StatusCode, body, c.code, c.body)
		}
	}
}

func TestCompression(t *testing.T) {
	url, dir := site(t, Options{})
	want := strings.Repeat("let x = 1;\n", 1000)
	res, body := fetch(t, "GET", url, "/big.js", "Accept-Encoding", "br, gzip;q=0.5")
	zr, err := gzip.NewReader(strings.NewReader(body))
	if err != nil {
		t.Fatalf("no gzip: %v, headers %v", err, res.Header)
	}
	if text, err := io.ReadAll(zr); err != nil || string(text) != want || len(body) > 1000 {
		t.Errorf("%d bytes unpack to %d, error %v", len(body), len(text), err)
	}
	if res.Header.Get("Content-Encoding") != "gzip" || res.Header.Get("Vary") != "Accept-Encoding" {
		t.Errorf("headers %v", res.Header)
	}
	for _, accept := range []string{"", "identity", "gzip;q=0", "br", "gzip;q=x", "*;q=0"} {
		if res, body := fetch(t, "GET", url, "/big.js", "Accept-Encoding", accept); body != want || res.Header.Get("Content-Encoding") != "" {
			t.Errorf("Accept-Encoding %q: %d bytes, headers %v", accept, len(body), res.Header)
		}
	}
	if res, _ := fetch(t, "GET", url, "/a.txt", "Accept-Encoding", "gzip"); res.Header.Get("Content-Encoding") != "" {
		t.Error("ten bytes were compressed")
	}

	write(t, dir, "big.js.br", "brotli")
	if res, body := fetch(t, "GET", url, "/big.js", "Accept-Encoding", "gzip, br"); body != "brotli" || res.Header.Get("Content-Encoding") != "br" || res.Header.Get("Content-Type") != "text/javascript; charset=utf-8" {
		t.Errorf("precompressed: %.20q, headers %v", body, res.Header)
	}
	old := time.Now().Add(-time.Hour)
	os.Chtimes(filepath.Join(dir, "big.js.br"), old, old)
	if res, _ := fetch(t, "GET", url, "/big.js", "Accept-Encoding", "gzip, br"); res.Header.Get("Content-Encoding") != "gzip" {
		t.Errorf("a precompressed file older than its source is served: %v", res.Header)
	}
}

func TestCaching(t *testing.T) {
	url, _ := site(t, Options{MaxAge: time.Minute})
	for path, want := range map[string]string{
		"/": "no-cache", "/a.txt": "public, max-age=60", "/app.3f2a9c1d.js": "public, max-age=31536000, immutable", "/nope": "no-store",
	} {
		if res, _ := fetch(t, "GET", url, path); res.Header.Get("Cache-Control") != want {
			t.Errorf("%s: %s, want %s", path, res.Header.Get("Cache-Control"), want)
		}
	}
	for name, want := range map[string]bool{
		"app.3f2a9c1d.js": true, "index-B7x9aQ2k.css": true, "app.3f2a9c1d.js.map": true, "jquery-migrated.js": false, "logo-20240101.png": false,
		"deadbeef.js": false, "a-deadbeef.js": false, "x.js": false, "report-version2.pdf": false,
	} {
		if named(name) != want {
			t.Errorf("named(%q) is %v", name, !want)
		}
	}
}

func TestSPA(t *testing.T) {
	url, _ := site(t, Options{SPA: true, Homepage: "/sub/index.html"})
	for _, c := range []struct {
		path, accept, body string
		code               int
	}{
		{"/", "", "sub", 200},
		{"/users/5", "*/*", "sub", 200},
		{"/users/john.doe", "text/html,*/*", "sub", 200},
		{"/gone.js", "*/*", "not here", 404},
		{"/.env", "*/*", "not here", 404},
		{"/a.txt", "*/*", "0123456789", 200},
	} {
		if res, body := fetch(t, "GET", url, c.path, "Accept", c.accept); res.StatusCode != c.code || body != c.body {
			t.Errorf("%s: %d %q, want %d %q", c.path, res.StatusCode, body, c.code, c.body)
		}
	}
}

func TestListing(t *testing.T) {
	url, _ := site(t, Options{Listing: true})
	res, body := fetch(t, "GET", url, "/plain/")
	for _, want := range []string{"Index of /plain/", `href="./%3Cb%3E.txt">&lt;b&gt;.txt`, `href="./a:b"`, `href="../"`} {
		if !strings.Contains(body, want) {
			t.Errorf("the listing lacks %q:\n%s", want, body)
		}
	}
	if res.StatusCode != 200 || strings.Contains(body, "secret") || strings.Contains(body, "<b>") {
		t.Errorf("%d:\n%s", res.StatusCode, body)
	}
	if res, _ := fetch(t, "GET", url, "/plain"); res.StatusCode != 301 {
		t.Errorf("without slash: %d", res.StatusCode)
	}
	if _, body := fetch(t, "GET", url, "/"); body != "<h1>home</h1>" {
		t.Errorf("a folder with an index is listed: %s", body)
	}
}

func TestBasicAuth(t *testing.T) {
	url, _ := site(t, Options{User: "u", Password: "p"})
	for _, c := range []struct {
		user, password string
		code           int
	}{{"u", "p", 200}, {"u", "x", 401}, {"x", "p", 401}, {"", "", 401}, {"u", "pp", 401}} {
		req := httptest.NewRequest("GET", "/", nil)
		req.SetBasicAuth(c.user, c.password)
		res, _ := fetch(t, "GET", url, "/a.txt", "Authorization", req.Header.Get("Authorization"))
		if res.StatusCode != c.code {
			t.Errorf("%s:%s gets %d, want %d", c.user, c.password, res.StatusCode, c.code)
		}
		if c.code == 401 && !strings.HasPrefix(res.Header.Get("WWW-Authenticate"), "Basic realm=") {
			t.Errorf("headers %v", res.Header)
		}
	}
	if res, body := fetch(t, "GET", url, "/a.txt"); res.StatusCode != 401 || strings.Contains(body, "0123") {
		t.Errorf("without a password: %d %q", res.StatusCode, body)
	}
}

// TestLinks: a link inside the folder is followed, one that leads out is not there.
func TestLinks(t *testing.T) {
	url, dir := site(t, Options{})
	outside := t.TempDir()
	write(t, outside, "secret.txt", "s")
	for name, target := range map[string]string{
		"in.txt": "a.txt", "out.txt": filepath.Join(outside, "secret.txt"), "up.txt": "../" + filepath.Base(outside) + "/secret.txt", "outdir": outside,
	} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Skip("no symbolic links: ", err)
		}
	}
	for path, code := range map[string]int{"/in.txt": 200, "/out.txt": 404, "/up.txt": 404, "/outdir/secret.txt": 404, "/outdir/": 404} {
		if res, body := fetch(t, "GET", url, path); res.StatusCode != code {
			t.Errorf("%s: %d %q, want %d", path, res.StatusCode, body, code)
		}
	}
}

// TestPipe: a named pipe in the folder must not hold a request for ever.
func TestPipe(t *testing.T) {
	url, dir := site(t, Options{})
	if out, err := exec.Command("mkfifo", filepath.Join(dir, "pipe")).CombinedOutput(); err != nil {
		t.Skipf("no named pipes: %v %s", err, out)
	}
	if res, _ := fetch(t, "GET", url, "/pipe"); res.StatusCode != 404 {
		t.Errorf("%d", res.StatusCode)
	}
}

// TestSwitchedLink: the folder is a link that a deployment switches.
func TestSwitchedLink(t *testing.T) {
	base := t.TempDir()
	current := filepath.Join(base, "current")
	for _, release := range []string{"one", "two"} {
		write(t, base, release+"/v.txt", release)
	}
	point := func(to string) {
		next := current + ".next"
		if err := os.Symlink(to, next); err != nil {
			t.Skip("no symbolic links: ", err)
		}
		if err := os.Rename(next, current); err != nil {
			t.Fatal(err)
		}
	}
	point("one")
	h, err := New(Options{Path: current})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	get := func() string {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/v.txt", nil))
		return w.Body.String()
	}
	if got := get(); got != "one" {
		t.Errorf("first %q", got)
	}
	point("two")
	if got := get(); got != "two" {
		t.Errorf("after the switch %q", got)
	}
	os.Remove(current)
	if got := get(); got != "two" {
		t.Errorf("while the link is missing %q", got)
	}
}

// TestCurl: a real client resumes and unpacks.
func TestCurl(t *testing.T) {
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("curl is not installed")
	}
	url, _ := site(t, Options{User: "u", Password: "p"})
	part := filepath.Join(t.TempDir(), "part")
	os.WriteFile(part, []byte("0123"), 0o644)
	if out, err := exec.Command(curl, "-fsS", "-u", "u:p", "-C", "-", "-o", part, url+"/a.txt").CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	if text, _ := os.ReadFile(part); string(text) != "0123456789" {
		t.Errorf("resumed to %q", text)
	}
	out, err := exec.Command(curl, "-fsS", "-u", "u:p", "--compressed", url+"/big.js").Output()
	if err != nil || !bytes.Equal(out, []byte(strings.Repeat("let x = 1;\n", 1000))) {
		t.Errorf("compressed: %d bytes, %v", len(out), err)
	}
}

func FuzzResolve(f *testing.F) {
	for _, s := range []string{"/", "/a/../b", "//x", "/.env", "/.well-known/x", "/a/./b/", "\x00", `\..\x`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, p string) {
		name, v := resolve(p)
		if v == fine && (!filepath.IsLocal(name) && name != "." || strings.Contains(name, "..") && strings.Contains("/"+name+"/", "/../")) {
			t.Errorf("%q leads to %q", p, name)
		}
	})
}

func FuzzParseAccept(f *testing.F) {
	f.Add("gzip;q=0.5, *;q=0, br")
	f.Fuzz(func(t *testing.T, header string) {
		for coding, q := range parseAccept(header) {
			if !(q >= 0 && q <= 1) {
				t.Errorf("%q weighs %v", coding, q)
			}
		}
	})
}
